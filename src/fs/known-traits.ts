import type { ObjectInfo, ObjectStore, ObjectTraits, ObjectVersion } from '../backend/object-store.js'
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

/** What a GET of the stored version tells that is under way for its bytes; undefined where none has told anything. */
export type Told = Promise<ObjectInfo | undefined>

const NOTHING: Told = Promise.resolve(undefined)

interface Question {
  readonly traits: Promise<ObjectTraits>
  /** When it was answered. */
  atMs: number | undefined
}

/** What the store keeps of objects beside bytes and metadata: asked for before an object is written anew. */
export class KnownTraits {
  readonly #options: KnownTraitsOptions
  /** When this process heard of them, or stored them. */
  readonly #toldMs = new WeakMap<ObjectTraits, number>()
  /** Who needs the same at once waits for one question. */
  readonly #asking = new WeakMap<ObjectVersion, Promise<ObjectTraits>>()
  /** Of grants alone, which no GET tells. */
  readonly #grants = new WeakMap<ObjectVersion, Question>()

  constructor(options: KnownTraitsOptions) {
    this.#options = options
  }

  /** They will be needed, with what a GET tells until then if one `isDue`: what it does not tell is asked for now. */
  expect(node: Node, isDue: boolean): void {
    const stored = storedOf(node)
    if (stored === undefined || node.known === undefined || this.fresh(node.known) !== undefined) return
    const asked = isDue ? this.#grantsOf(stored) : this.of(node)
    asked.catch(() => undefined)
  }

  /**
   * Of what is stored of the node; none where nothing is. `told` is of the stored version: what it tells is newer than
   * what is known, and is not asked for.
   */
  async of(node: Node, told?: Told): Promise<ObjectTraits> {
    const stored = storedOf(node)
    if (stored === undefined || node.known === undefined) return {}
    const known = this.fresh(node.known)
    if (known !== undefined && told === undefined) return known
    const isCurrent = () => storedOf(node) === stored
    // Grants that were asked for, for a GET that has not come, are not asked for again.
    const isBegun = told !== undefined || this.#grants.has(stored)
    const asked = isBegun ? this.#complete(stored, told ?? NOTHING, known) : this.ask(stored)
    const traits = await asked.catch((error: unknown) => {
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
    return traits !== undefined && this.#isFresh(this.#toldMs.get(traits)) ? traits : undefined
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
    // Others may have changed them since the version was seen: that shows in nothing else.
    const asking = this.#learn(version, this.#options.store.traits(version.key))
    const asked = asking.finally(() => this.#asking.delete(version))
    this.#asking.set(version, asked)
    return asked
  }

  /** What GET told, and the grants that were heard of when they were last asked for. */
  #complete(version: ObjectVersion, told: Told, known: ObjectTraits | undefined): Promise<ObjectTraits> {
    const { store } = this.#options
    const complete = async () => {
      const grants = known ?? this.#grantsOf(version)
      const others = told.then(listed => store.traits(version.key, { only: 'others', listed }))
      const [found, { grants: granted }] = await Promise.all([others, grants])
      return { ...found, ...(granted !== undefined && { grants: granted }) }
    }
    return this.#learn(version, complete())
  }

  async #learn(version: ObjectVersion, asked: Promise<ObjectTraits>): Promise<ObjectTraits> {
    const traits = this.stored(await asked)
    this.#options.known.learnTraits(version, traits)
    return traits
  }

  #grantsOf(version: ObjectVersion): Promise<ObjectTraits> {
    const last = this.#grants.get(version)
    if (last !== undefined && (last.atMs === undefined || this.#isFresh(last.atMs))) return last.traits
    const { store, nowMs } = this.#options
    const question: Question = { traits: store.traits(version.key, { only: 'grants' }), atMs: undefined }
    this.#grants.set(version, question)
    question.traits.then(
      () => {
        question.atMs = nowMs()
      },
      () => this.#grants.delete(version),
    )
    return question.traits
  }

  #isFresh(toldMs: number | undefined): boolean {
    return toldMs !== undefined && toldMs + this.#options.ttlMs > this.#options.nowMs()
  }
}

function storedOf(node: Node): ObjectVersion | undefined {
  return node.version ?? node.marker
}
