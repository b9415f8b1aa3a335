import { unlessAborted } from '../call.js'
import type { Signal } from '../call-signal.js'
import type { KnowledgeBase } from './knowledge.js'
import { asProbeFailure, type EndpointProbe } from './probe.js'

/** Names the source of a part copy so that the server understands it; found out once, when a name has a `%`. */
export class PartSource {
  readonly #probe: EndpointProbe
  readonly #knowledge: KnowledgeBase
  #probing: Promise<void> | undefined

  constructor(probe: EndpointProbe, knowledge: KnowledgeBase) {
    this.#probe = probe
    this.#knowledge = knowledge
  }

  /** The key to send instead of `key`; `nearKey` is where a temporary object may stand. */
  async keyFor(key: string, nearKey: string, signal?: Signal): Promise<string> {
    if (!key.includes('%')) return key
    if (this.#knowledge.value.partSourceTwiceDecoded === undefined)
      await unlessAborted(this.#findOut(nearKey), signal, 'copyPart', nearKey)
    return this.#knowledge.value.partSourceTwiceDecoded ? key.replaceAll('%', '%25') : key
  }

  #findOut(nearKey: string): Promise<void> {
    this.#probing ??= this.#run(nearKey).finally(() => {
      this.#probing = undefined
    })
    return this.#probing
  }

  async #run(nearKey: string): Promise<void> {
    try {
      await this.#knowledge.add({ partSourceTwiceDecoded: await this.#probe.decodesPartSourceTwice(nearKey) })
    } catch (error) {
      throw asProbeFailure(error, 'copyPart', nearKey)
    }
  }
}
