import { inParallel } from '../backend/in-parallel.js'
import { compareKeys, MAX_KEY_BYTES } from '../backend/keys.js'
import type { Log } from '../backend/log.js'
import type { DeleteEntry, ObjectStore, ObjectTraits, ObjectVersion } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import { FsError } from './fs-error.js'
import { batches, type KeyPair, keyPairs, objectsBelow } from './key-pairs.js'
import type { MadeCopies, RenameEntry } from './rename-journal.js'
import { haveSameBytes } from './same-bytes.js'

/** Asked for at once at the most; the store's limits let through what they let through, programs' own calls first. */
const COPIES_AT_ONCE = 64
const DELETE_BATCHES_AT_ONCE = 4
/** Few, since those with a condition go one by one, and batches side by side. */
const KEYS_PER_DELETE = 100

/** How often what others have added meanwhile is looked for and moved, too. */
const MAX_LATE_ROUNDS = 3

const PRIORITY = { priority: 'background' } as const

/** How many keys a move would move. ENAMETOOLONG where one of them would be no key under the new path. */
export async function countKeys(store: ObjectStore, from: string, to: string): Promise<number> {
  let count = 0
  const growsBytes = Buffer.byteLength(to) - Buffer.byteLength(from)
  for await (const { key } of objectsBelow(store, `${from}/`)) {
    count += 1
    if (growsBytes > 0 && Buffer.byteLength(key) + growsBytes > MAX_KEY_BYTES)
      throw new FsError('ENAMETOOLONG', `${key} would have a key of over 1,024 bytes`)
  }
  return count
}

/**
 * Moves all keys of a folder to another path: copies, and when all are there, deletes. So the old name holds
 * everything until the journal says `deleting`, and the new one from then on. What others make of a key meanwhile is
 * never overwritten and never deleted: then both names keep what they have, and the log says so.
 *
 * What has been done is seen from the two listings, so that any step can be repeated: an object with the same size and
 * ETag (or the ETag that the journal has for it) is the copy.
 */
export class FolderMove {
  readonly #store: ObjectStore
  readonly #entry: RenameEntry
  readonly #log: Log
  readonly #from: string
  readonly #to: string
  #newestMs = 0
  /** What `copy` has come to, in key order. */
  #reached = ''
  /** What it found made by others. */
  readonly #taken = new Set<string>()

  constructor(store: ObjectStore, entry: RenameEntry, log: Log) {
    this.#store = store
    this.#entry = entry
    this.#log = log
    this.#from = entry.record.from
    this.#to = entry.record.to
  }

  /** By the store's clock, when the latest of the objects was made. */
  get newestMs(): number {
    return this.#newestMs
  }

  /** What `takeBack` may remove, once `copy` has failed. */
  get made(): MadeCopies {
    return { upTo: this.#reached, except: [...this.#taken] }
  }

  /** Copies what is missing. `ifTaken`: what to do where others have made a key at the new place. */
  async copy(ifTaken: 'fail' | 'leave'): Promise<void> {
    await inParallel(this.#pairs(), COPIES_AT_ONCE, async pair => {
      this.#newestMs = Math.max(this.#newestMs, pair.source.lastModifiedMs)
      this.#reached = pair.rest
      if (this.#isMarkerToReplace(pair)) this.#newestMs = Math.max(this.#newestMs, pair.target?.lastModifiedMs ?? 0)
      else if (pair.target === undefined) await this.#copy(pair, ifTaken)
      else if (ifTaken === 'fail') throw this.#isTaken(pair)
      else if (!this.#isCopy(pair)) await this.#learnCopy(pair, pair.target)
    })
  }

  /**
   * Deletes what has been copied. With `late`, what others have added since is moved as well. Resolves with whether
   * nothing is left under the old name.
   */
  async deleteSources({ late }: { readonly late: boolean }): Promise<boolean> {
    if (this.#entry.record.replacesMarker) await this.#replaceMarker()
    await this.#deleteEach(this.#copiedSources())
    for (let round = 1; late && round <= MAX_LATE_ROUNDS; round++) {
      const { found, moved } = await this.#moveLate()
      if (found === 0) return true
      if (moved === 0) break
    }
    return this.#isGone()
  }

  /** Deletes the copies, as far as the journal says that they were made. The old name holds everything. */
  takeBack(): Promise<void> {
    return this.#deleteEach(this.#copies())
  }

  async *#pairs(): AsyncGenerator<KeyPair> {
    const from = this.#from
    const to = this.#to
    const source = this.#entry.record.withBeside ? await this.#find(from) : undefined
    if (source !== undefined) yield { rest: '', source, target: await this.#find(to) }
    yield* keyPairs(this.#store, from, to)
  }

  async *#copiedSources(): AsyncGenerator<ObjectVersion> {
    for await (const pair of this.#pairs()) {
      // What was made since is not what was copied, even if it has the same bytes.
      const isOld = pair.source.lastModifiedMs <= this.#entry.newestMs
      if (isOld && this.#isCopy(pair)) yield pair.source
      else if (pair.target !== undefined) this.#tellTaken(pair)
    }
  }

  async *#copies(): AsyncGenerator<ObjectVersion> {
    const { made } = this.#entry
    const others = new Set(made?.except)
    for await (const pair of this.#pairs()) {
      if (this.#isMarkerToReplace(pair) || pair.target === undefined) continue
      // Others may make the same bytes.
      const isOurs = made === undefined || (compareKeys(pair.rest, made.upTo) <= 0 && !others.has(pair.rest))
      if (isOurs && this.#isCopy(pair)) yield pair.target
      else this.#tellTaken(pair)
    }
  }

  /** Deletes each on the condition that it is still this version, where the store keeps such a condition. */
  async #deleteEach(objects: AsyncIterable<ObjectVersion>): Promise<void> {
    await inParallel(batches(objects, KEYS_PER_DELETE), DELETE_BATCHES_AT_ONCE, async batch => {
      const results = await this.#store.delete(batch.map(this.#deletion), PRIORITY)
      for (const { key, error } of results) {
        if (error === undefined) continue
        if (error.kind !== 'precondition-failed') throw error
        this.#log.warn('others have changed an object of a folder that is renamed; it stays', { key })
      }
    })
  }

  /** Moves what has no counterpart under the new name. */
  async #moveLate(): Promise<{ readonly found: number; readonly moved: number }> {
    let found = 0
    let moved = 0
    await inParallel(this.#pairs(), COPIES_AT_ONCE, async pair => {
      found += 1
      if (pair.target !== undefined || !(await this.#copy(pair, 'leave'))) return
      moved += 1
      await this.#deleteEach(only(pair.source))
    })
    return { found, moved }
  }

  async #isGone(): Promise<boolean> {
    for await (const { source } of this.#pairs()) {
      const about = { from: this.#from, to: this.#to, key: source.key }
      this.#log.warn('a renamed folder is still there under its old name', about)
      return false
    }
    return true
  }

  /** False where there was nothing to copy: the source is gone or another version, or the place is taken. */
  async #copy(pair: KeyPair, ifTaken: 'fail' | 'leave'): Promise<boolean> {
    const { rest, source } = pair
    const to = this.#to + rest
    // Conditions that the server does not keep would cost a HEAD each; the listings are compared before the deleting.
    const isKept = this.#isKept('copy')
    try {
      const { etag } = await this.#store.copy(source.key, to, {
        ...PRIORITY,
        sizeBytes: source.sizeBytes,
        ...(isKept && { sourceIfMatch: source.etag, ifNoneMatch: '*' }),
        traits: await this.#traitsOf(source),
      })
      await this.#entry.copied(rest, source.etag, etag)
      return true
    } catch (error) {
      if (!isStoreError(error, 'precondition-failed', 'not-found')) throw error
      if ((await this.#find(to)) !== undefined) {
        if (ifTaken === 'fail') throw this.#isTaken(pair)
        this.#log.warn('others have made a key of a folder that is renamed; both are kept', { key: source.key, to })
      }
      return false
    }
  }

  /**
   * The folder's own marker takes the place of that of the empty folder that stood at the new name, unless that is
   * newer than all that was moved: then it has been done, and perhaps changed since.
   */
  async #replaceMarker(): Promise<void> {
    const from = `${this.#from}/`
    const to = `${this.#to}/`
    const present = await this.#find(to)
    if (present !== undefined && present.lastModifiedMs > this.#entry.newestMs) return
    try {
      await this.#store.copy(from, to)
    } catch (error) {
      if (!isStoreError(error, 'not-found')) throw error
    }
  }

  /** As many requests as fit beside a copy: two for each key in all. */
  #traitsOf(source: ObjectVersion): Promise<ObjectTraits> | ObjectTraits {
    if (!this.#isKept('delete')) return this.#store.traits(source.key, { listed: source, brief: true })
    return source.storageClass === undefined ? {} : { storageClass: source.storageClass }
  }

  readonly #deletion = ({ key, etag }: ObjectVersion): DeleteEntry => ({
    key,
    ifMatch: this.#isKept('delete') ? etag : undefined,
  })

  #isKept(operation: 'copy' | 'delete'): boolean {
    const support = this.#store.capabilities.conditions[operation]
    return support === 'atomic' || support === 'unknown'
  }

  #isCopy(pair: KeyPair): boolean {
    const { rest, source, target } = pair
    // Whatever ETag a store gives to the copy of a marker: it has been replaced before anything is deleted.
    if (this.#isMarkerToReplace(pair)) return true
    if (target === undefined || target.sizeBytes !== source.sizeBytes) return false
    return target.etag === source.etag || target.etag === this.#entry.etagOfCopy(rest, source.etag)
  }

  #isMarkerToReplace({ rest, target }: KeyPair): boolean {
    return rest === '/' && target !== undefined && this.#entry.record.replacesMarker
  }

  /** A crash may have come between a copy and the journal's line of its ETag: then the bytes tell. */
  async #learnCopy(pair: KeyPair, target: ObjectVersion): Promise<void> {
    if (await haveSameBytes(this.#store, pair.source, target))
      await this.#entry.copied(pair.rest, pair.source.etag, target.etag)
    else this.#tellTaken(pair)
  }

  #isTaken({ rest }: KeyPair): FsError {
    this.#taken.add(rest)
    return new FsError('ENOTEMPTY', `${this.#to}${rest} was made by others meanwhile`)
  }

  #tellTaken({ source, target }: KeyPair): void {
    const keys = { key: source.key, to: target?.key }
    this.#log.warn('others have changed an object of a folder that is renamed; both names keep theirs', keys)
  }

  async #find(key: string): Promise<ObjectVersion | undefined> {
    try {
      return await this.#store.head(key)
    } catch (error) {
      if (isStoreError(error, 'not-found')) return undefined
      throw error
    }
  }
}

async function* only<T>(item: T): AsyncGenerator<T> {
  yield item
}
