import { unlessAborted } from '../call.js'
import type { Signal } from '../call-signal.js'
import type { Log } from '../log.js'
import type { TraitsOptions } from '../object-store.js'
import { isStoreError, StoreError } from '../store-error.js'
import { isNotImplemented } from './errors.js'
import type { KnowledgeBase } from './knowledge.js'
import { asProbeFailure } from './probe.js'
import type { TagProbe } from './tag-probe.js'
import type { Tags, TraitRequests } from './trait-requests.js'

type Question = 'counting' | 'copies' | 'uploads'

/** What waits for the answer. */
const OPERATIONS: Readonly<Record<Question, string>> = { counting: 'traits', copies: 'copy', uploads: 'createUpload' }

const MAX_PASSED = 1024

/** Tags, where the server has them, and how they are kept where it would lose them. */
export class Tagging {
  readonly #requests: TraitRequests
  readonly #probe: TagProbe
  readonly #knowledge: KnowledgeBase
  readonly #log: Log
  /** Probes under way: one of a kind at a time. */
  readonly #probing = new Map<Question, Promise<void>>()
  /** What these credentials may not find out. */
  readonly #denied = new Set<Question>()
  /** How often whether tags are counted could not be found out, and how many questions go by until that is tried again. */
  #failures = 0
  #toPass = 0

  constructor(requests: TraitRequests, probe: TagProbe, knowledge: KnowledgeBase, log: Log) {
    this.#requests = requests
    this.#probe = probe
    this.#knowledge = knowledge
    this.#log = log
  }

  /** Undefined where there are none, or the server does not tell. `tagCount`: what HEAD or GET told. */
  async of(
    key: string,
    tagCount: number | undefined,
    { writesNothing = false, signal }: TraitsOptions = {},
  ): Promise<Tags | undefined> {
    if (tagCount !== undefined) return tagCount === 0 ? undefined : this.#ask(key, signal)
    if (!writesNothing && this.#knowledge.value.tags === undefined)
      await unlessAborted(this.#learnCounting(key), signal, 'traits', key)
    const { tags: known } = this.#knowledge.value
    return known === 'counted' || known === 'none' ? undefined : this.#ask(key, signal)
  }

  /** Once for an endpoint: where tags are counted, nobody asks for those of an object that has none. */
  async #learnCounting(nearKey: string): Promise<void> {
    if (this.#denied.has('counting')) return
    if (this.#toPass > 0) {
      this.#toPass -= 1
      return
    }
    try {
      await this.#findOut('counting', nearKey)
    } catch (error) {
      this.#failures += 1
      this.#toPass = Math.min(2 ** this.#failures, MAX_PASSED)
      this.#log.debug('whether the server counts tags could not be found out', { error })
    }
  }

  async #ask(key: string, signal: Signal | undefined): Promise<Tags | undefined> {
    try {
      const tags = await this.#requests.tags(key, signal)
      return Object.keys(tags).length === 0 ? undefined : tags
    } catch (error) {
      if (isNotImplemented(error)) await this.#knowledge.add({ tags: 'none' })
      else if (!isStoreError(error, 'denied', 'unsupported')) throw error
      this.#log.debug('the tags of an object are not told', { key, error })
      return undefined
    }
  }

  /**
   * What must be put on the target once the copy is done, since the server would lose it. A copy that keeps metadata
   * keeps tags everywhere; `given` are to take their place.
   */
  async owedAfterCopy(
    from: string,
    to: string,
    given: Tags | undefined,
    isReplaced: boolean,
    signal?: Signal,
  ): Promise<Tags | undefined> {
    if ((given === undefined && !isReplaced) || (await this.#keeps('copies', to, signal))) return undefined
    if (given !== undefined) return given
    return this.#knowledge.value.tags === 'none' ? undefined : this.#ask(from, signal)
  }

  async owedAfterUpload(key: string, given: Tags | undefined, signal?: Signal): Promise<Tags | undefined> {
    return given === undefined || (await this.#keeps('uploads', key, signal)) ? undefined : given
  }

  /** What failed is not repeated: the object is stored, and a repetition would find it changed. */
  async putBack(key: string, tags: Tags, operation: string, signal?: Signal): Promise<void> {
    try {
      await this.#requests.putTags(key, tags, operation, signal)
    } catch (cause) {
      const kind = isStoreError(cause, 'aborted', 'denied', 'unsupported', 'invalid') ? cause.kind : 'unavailable'
      throw new StoreError(kind, `${operation}: the object is stored, but its tags could not be: ${listed(tags)}`, {
        cause,
        key,
        operation,
        retryable: false,
        ambiguous: true,
        code: 'TagsLost',
      })
    }
  }

  async #keeps(what: 'copies' | 'uploads', nearKey: string, signal: Signal | undefined): Promise<boolean> {
    const known = () => {
      const { tags, copiesKeepTags, uploadsKeepTags } = this.#knowledge.value
      return tags === 'none' ? true : what === 'copies' ? copiesKeepTags : uploadsKeepTags
    }
    if (known() === undefined && !this.#denied.has(what))
      await unlessAborted(this.#findOut(what, nearKey), signal, OPERATIONS[what], nearKey)
    // Who may not write tags can't lose any, either: the server refuses the request that would have to.
    return known() ?? true
  }

  #findOut(what: Question, nearKey: string): Promise<void> {
    const running = this.#probing.get(what)
    if (running !== undefined) return running
    const probing = this.#run(what, nearKey).finally(() => this.#probing.delete(what))
    this.#probing.set(what, probing)
    return probing
  }

  async #run(what: Question, nearKey: string): Promise<void> {
    try {
      await this.#knowledge.add(await this.#probe[what](nearKey))
    } catch (error) {
      if (!isStoreError(error, 'denied')) throw asProbeFailure(error, OPERATIONS[what], nearKey)
      this.#denied.add(what)
      this.#log.debug('what becomes of tags could not be found out', { error })
    }
  }
}

function listed(tags: Tags): string {
  return Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')
}
