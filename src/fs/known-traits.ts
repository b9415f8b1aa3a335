import type { ObjectStore, ObjectTraits, ObjectVersion } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import type { KnownVersion, KnownVersions } from '../cache/known-versions.js'
import type { Node } from './node.js'

export interface KnownTraitsOptions {
  readonly store: ObjectStore
  readonly known: KnownVersions
  readonly nowMs: () => number
  /** Others may change them without making a version, so that what was heard of them counts as long as names do. */
  readonly ttlMs: number
}

/** What the store keeps of objects beside bytes and metadata: asked for before an object is written anew. */
export class KnownTraits {
  readonly #options: KnownTraitsOptions
  /** When this process heard of them, or stored them. */
  readonly #toldMs = new WeakMap<ObjectTraits, number>()
  /** Who needs the same at once waits for one question. */
  readonly #asking = new WeakMap<ObjectVersion, Promise<ObjectTraits>>()

  constructor(options: KnownTraitsOptions) {
    this.#options = options
  }

  /** Of what is stored of the node; none where nothing is. */
  async of(node: Node): Promise<ObjectTraits> {
    const stored = node.version ?? node.marker
    if (stored === undefined || node.known === undefined) return {}
    const known = this.fresh(node.known)
    if (known !== undefined) return known
    const isCurrent = () => (node.version ?? node.marker) === stored
    const traits = await this.ask(stored).catch((error: unknown) => {
      if (!isStoreError(error, 'not-found')) throw error
      return undefined
    })
    // Others have removed it: there is nothing to hand on, and the condition of what is stored says what becomes of that.
    if (traits === undefined) return isCurrent() ? {} : this.of(node)
    if (node.known !== undefined && isCurrent()) node.known = { ...node.known, traits }
    return traits
  }

  /** Undefined where they are to be asked for. */
  fresh({ traits }: KnownVersion): ObjectTraits | undefined {
    const toldMs = traits && this.#toldMs.get(traits)
    return toldMs !== undefined && toldMs + this.#options.ttlMs > this.#options.nowMs() ? traits : undefined
  }

  /** Those that were stored just now. */
  stored(traits: ObjectTraits = {}): ObjectTraits {
    const told = { ...traits }
    this.#toldMs.set(told, this.#options.nowMs())
    return told
  }

  /** Asks the store. */
  ask(version: ObjectVersion): Promise<ObjectTraits> {
    const running = this.#asking.get(version)
    if (running !== undefined) return running
    const { store, known } = this.#options
    const ask = async () => {
      // Others may have changed them since the version was seen: that shows in nothing else.
      const traits = this.stored(await store.traits(version.key))
      known.learnTraits(version, traits)
      return traits
    }
    const asking = ask().finally(() => this.#asking.delete(version))
    this.#asking.set(version, asking)
    return asking
  }
}
