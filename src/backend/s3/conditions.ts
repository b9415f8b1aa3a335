import { unlessAborted } from '../call.js'
import { checkConditions, checkVersion } from '../conditions.js'
import type { Log } from '../log.js'
import type { CallOptions, Capabilities, ConditionSupport, WriteConditions } from '../object-store.js'
import { isStoreError } from '../store-error.js'
import type { ConditionalOperation, KnowledgeBase } from './knowledge.js'
import { asProbeFailure, type EndpointProbe } from './probe.js'
import type { ObjectRequests, WireConditions } from './requests.js'

/** How conditions are kept at one endpoint. What is not known yet is probed at its first use. */
export class Conditions {
  readonly support: Capabilities['conditions']
  readonly #objects: ObjectRequests
  readonly #probe: EndpointProbe
  readonly #knowledge: KnowledgeBase
  readonly #log: Log
  readonly #told = new Set<ConditionalOperation>()
  /** Probes under way: one for each operation at a time. */
  readonly #probing = new Map<ConditionalOperation, Promise<void>>()

  constructor(objects: ObjectRequests, probe: EndpointProbe, knowledge: KnowledgeBase, log: Log) {
    this.#objects = objects
    this.#probe = probe
    this.#knowledge = knowledge
    this.#log = log
    const supportOf = (operation: ConditionalOperation) => this.#supportOf(operation)
    this.support = {
      get put() {
        return supportOf('put')
      },
      get complete() {
        return supportOf('complete')
      },
      get copy() {
        return supportOf('copy')
      },
      get delete() {
        return supportOf('delete')
      },
    }
  }

  /**
   * What goes out with the request. Where the server does not keep the condition itself, it is checked now, by a HEAD.
   */
  apply(
    operation: ConditionalOperation,
    key: string,
    conditions: WriteConditions,
    options: CallOptions,
  ): WireConditions | Promise<WireConditions> {
    if (conditions.ifMatch === undefined && conditions.ifNoneMatch === undefined) return {}
    if (this.#knowledge.value.conditions[operation] === 'atomic') return this.#wire(operation, conditions)
    return this.#check(operation, key, conditions, options)
  }

  async #check(
    operation: ConditionalOperation,
    key: string,
    conditions: WriteConditions,
    options: CallOptions,
  ): Promise<WireConditions> {
    const finding = await this.#find(operation, key, options)
    if (finding !== 'atomic') {
      const present = await this.#presentEtag(key, options)
      const gone = operation === 'delete' && present === undefined
      if (!gone) checkConditions(conditions, present, operation, key)
    }
    return finding === 'refused' ? {} : this.#wire(operation, conditions)
  }

  #wire(operation: ConditionalOperation, { ifMatch, ifNoneMatch }: WriteConditions): WireConditions {
    const bare = operation === 'put' && this.#knowledge.value.bareIfMatch
    return { IfMatch: bare || ifMatch === undefined ? ifMatch : `"${ifMatch}"`, IfNoneMatch: ifNoneMatch }
  }

  /** The same for the source of a copy: the ETag to send, if any. */
  async applyToSource(
    key: string,
    sourceIfMatch: string | undefined,
    nearKey: string,
    options: CallOptions,
  ): Promise<string | undefined> {
    if (sourceIfMatch === undefined) return undefined
    const finding = await this.#find('copy', nearKey, options)
    if (finding !== 'atomic')
      checkVersion(sourceIfMatch, (await this.#objects.head(key, options.signal)).etag, 'copy', key)
    return finding === 'refused' ? undefined : sourceIfMatch
  }

  async #find(operation: ConditionalOperation, key: string, { signal }: CallOptions) {
    if (this.#knowledge.value.conditions[operation] === undefined)
      await unlessAborted(this.#probeOnce(operation, key), signal, operation, key)
    const finding = this.#knowledge.value.conditions[operation]
    if (finding !== undefined && finding !== 'atomic' && !this.#told.has(operation)) {
      this.#told.add(operation)
      this.#log.warn('the server does not keep conditions: a HEAD just before narrows the window', {
        operation,
        finding,
      })
    }
    return finding
  }

  #probeOnce(operation: ConditionalOperation, key: string): Promise<void> {
    const running = this.#probing.get(operation)
    if (running !== undefined) return running
    const probing = this.#runProbe(operation, key).finally(() => this.#probing.delete(operation))
    this.#probing.set(operation, probing)
    return probing
  }

  async #runProbe(operation: ConditionalOperation, key: string): Promise<void> {
    try {
      const { finding, bareIfMatch } = await this.#probe.run(operation, key)
      this.#log.info('found out how the server keeps conditions', { operation, finding })
      await this.#knowledge.add({
        conditions: { [operation]: finding },
        ...(bareIfMatch !== undefined && { bareIfMatch }),
      })
    } catch (error) {
      throw asProbeFailure(error, operation, key)
    }
  }

  #supportOf(operation: ConditionalOperation): ConditionSupport {
    const finding = this.#knowledge.value.conditions[operation]
    if (finding === undefined) return 'unknown'
    return finding === 'atomic' ? 'atomic' : 'checked'
  }

  async #presentEtag(key: string, options: CallOptions): Promise<string | undefined> {
    try {
      return (await this.#objects.head(key, options.signal)).etag
    } catch (error) {
      if (isStoreError(error, 'not-found')) return undefined
      throw error
    }
  }
}
