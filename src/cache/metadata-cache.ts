import { LRUCache } from 'lru-cache'
import { MAX_KEY_BYTES } from '../backend/keys.js'
import type { ObjectInfo, ObjectStore, ObjectVersion } from '../backend/object-store.js'
import { isStoreError, StoreError } from '../backend/store-error.js'
import type { Clock } from './clock.js'
import { keysBelow } from './keys-below.js'
import { Listing } from './listing.js'

export interface MetadataCacheOptions {
  readonly store: ObjectStore
  readonly clock: Clock
  /** How long an answer of the store counts. 0 asks anew every time. */
  readonly ttlMs: number
  /** Bound of all remembered names together. */
  readonly maxEntries: number
}

/** What stands at a path, and until when that counts. Both a file and a directory may. */
export interface Found {
  readonly version: ObjectVersion | undefined
  /** There are keys below it, or its marker. */
  readonly isDirectory: boolean
  /** The directory's marker, where it is known that there is one. */
  readonly marker?: ObjectVersion | undefined
  /** Everything of the version, where a HEAD told it. */
  readonly info: ObjectInfo | undefined
  readonly expiresMs: number
}

/** A listing that a reader holds, and until when it counts as what the bucket holds. */
export interface ListingInUse {
  readonly listing: Listing
  readonly expiresMs: number
}

/** A directory is listed instead after so many lookups of single names in it. */
const COLD_LOOKUPS_BEFORE_LISTING = 4

/** Directories whose cold lookups are counted at the same time. */
const MAX_COUNTED_DIRECTORIES = 1000

/**
 * What is known of the bucket's names: directories as listed, and single names. It holds the mount's own changes as
 * soon as they are made (`stored`, `removed`, `madeDirectory`).
 *
 * Invariant: an answer of the store that was asked for before a change of the mount never overwrites that change:
 * every request under way is in `#asking`, or belongs to a listing in `#live`, and is told of changes to its name.
 */
export class MetadataCache {
  readonly #store: ObjectStore
  readonly #clock: Clock
  readonly #ttlMs: number
  readonly #maxEntries: number
  readonly #names: LRUCache<string, Found>
  readonly #listings: LRUCache<string, { readonly listing: Listing; readonly expiresMs: number }>
  /** Listings that readers hold, by prefix, with how many do. */
  readonly #live = new Map<string, Map<Listing, number>>()
  /** Listings that say something untrue: whoever reads one goes on, nobody else takes it. */
  readonly #outdated = new WeakSet<Listing>()
  readonly #asking = new Map<string, { readonly answer: Promise<Found>; isStale: boolean }>()
  readonly #coldLookups: LRUCache<string, { count: number; readonly sinceMs: number }>

  constructor(options: MetadataCacheOptions) {
    this.#store = options.store
    this.#clock = options.clock
    this.#ttlMs = options.ttlMs
    this.#maxEntries = options.maxEntries
    this.#names = new LRUCache({ max: Math.max(1, Math.ceil(options.maxEntries / 4)) })
    this.#listings = new LRUCache({
      maxSize: Math.max(1, options.maxEntries),
      sizeCalculation: held => held.listing.entries.length + 1,
    })
    this.#coldLookups = new LRUCache({ max: MAX_COUNTED_DIRECTORIES })
  }

  /** `prefix` ends with `/` (or is empty, the root). Costs no request where the directory was listed lately. */
  async lookup(prefix: string, name: string): Promise<Found> {
    const known = this.known(prefix, name)
    if (known !== undefined) return known
    const path = prefix + name
    const asked = this.#asking.get(path)
    if (asked !== undefined && !asked.isStale) return asked.answer
    if (this.#isListingDue(prefix)) {
      const listed = await this.#lookupByListing(prefix, name)
      if (listed !== undefined) return listed
    }
    return this.#ask(path)
  }

  /** What is known without asking, while it counts. */
  known(prefix: string, name: string): Found | undefined {
    const nowMs = this.#clock.nowMs()
    const held = this.#listings.get(prefix)
    if (held !== undefined && held.expiresMs > nowMs) return foundIn(held.listing, name, held.expiresMs)
    const found = this.#names.get(prefix + name)
    return found !== undefined && found.expiresMs > nowMs ? found : undefined
  }

  /** All names of a directory, where they are known and count. */
  complete(prefix: string): Listing | undefined {
    const held = this.#listings.peek(prefix)
    return held !== undefined && held.expiresMs > this.#clock.nowMs() ? held.listing : undefined
  }

  /**
   * The directory's listing: a complete one while it counts, else one that begins now or that others began within
   * the TTL. Whoever takes it gives it back by `keep`.
   */
  listing(prefix: string): ListingInUse {
    const nowMs = this.#clock.nowMs()
    const live = this.#live.get(prefix) ?? new Map<Listing, number>()
    const held = this.#listings.get(prefix)
    const fresh =
      held !== undefined && held.expiresMs > nowMs
        ? held.listing
        : [...live.keys()].find(one => one.startedMs + this.#ttlMs > nowMs && !this.#outdated.has(one))
    const listing = fresh ?? new Listing(this.#store, prefix, nowMs)
    live.set(listing, (live.get(listing) ?? 0) + 1)
    this.#live.set(prefix, live)
    return { listing, expiresMs: listing.startedMs + this.#ttlMs }
  }

  /** A reader is done with a listing: it is remembered if it is complete. */
  keep({ listing, expiresMs }: ListingInUse): void {
    const live = this.#live.get(listing.prefix)
    const readers = (live?.get(listing) ?? 1) - 1
    if (readers > 0) live?.set(listing, readers)
    else live?.delete(listing)
    if (live?.size === 0) this.#live.delete(listing.prefix)
    if (this.#outdated.has(listing) || expiresMs <= this.#clock.nowMs()) return
    if (listing.entries.length >= this.#maxEntries) this.#tooLong(listing.prefix)
    else if (listing.isComplete) this.#listings.set(listing.prefix, { listing, expiresMs })
  }

  /** The mount stored an object. */
  stored(info: ObjectInfo): void {
    this.#change(info.key, { version: info, info }, listing => listing.changeObject(split(info.key).name, info))
    this.#isBelow(split(info.key).prefix)
  }

  /** The mount removed an object. */
  removed(path: string): void {
    const gone = { version: undefined, info: undefined }
    this.#change(path, gone, listing => listing.changeObject(split(path).name, undefined))
  }

  /** The mount made a directory, or stored its marker anew. `path` has no trailing slash. */
  madeDirectory(path: string, marker?: ObjectVersion): void {
    this.#changeDirectory(path, true, marker)
    this.#coldLookups.delete(`${path}/`)
  }

  /** The mount removed the last of a directory. */
  removedDirectory(path: string): void {
    this.#changeDirectory(path, false, undefined)
  }

  /** Drops what is known of a path, so that the next lookup asks. */
  forget(path: string): void {
    const { prefix } = split(path)
    this.#names.delete(path)
    this.#listings.delete(prefix)
    for (const listing of this.#live.get(prefix)?.keys() ?? []) this.#outdated.add(listing)
    const asked = this.#asking.get(path)
    if (asked !== undefined) asked.isStale = true
  }

  /** Drops what is known of a path and everything below it, as readers hold it too: a folder was renamed. */
  forgetFolder(folder: string): void {
    this.forget(folder)
    const prefix = `${folder}/`
    for (const path of this.#names.keys()) if (path.startsWith(prefix)) this.#names.delete(path)
    for (const held of this.#listings.keys()) if (held.startsWith(prefix)) this.#listings.delete(held)
    for (const held of this.#coldLookups.keys()) if (held.startsWith(prefix)) this.#coldLookups.delete(held)
    for (const [held, listings] of this.#live)
      if (held.startsWith(prefix)) for (const listing of listings.keys()) this.#outdated.add(listing)
    for (const [path, asked] of this.#asking) if (path.startsWith(prefix)) asked.isStale = true
  }

  #changeDirectory(path: string, isDirectory: boolean, marker: ObjectVersion | undefined): void {
    const what = { isDirectory, marker }
    this.#change(path, what, listing => listing.changeDirectory(split(path).name, isDirectory))
    for (const listing of this.#listingsOf(`${path}/`)) listing.changeMarker(marker)
  }

  /**
   * A file and a directory may share a path: the half that is not told of stays as it is known. Where something was
   * known to stand there and that no longer counts, the next lookup asks.
   */
  #change(path: string, what: Partial<Omit<Found, 'expiresMs'>>, change: (listing: Listing) => void): void {
    const { prefix, name } = split(path)
    const before = this.known(prefix, name)
    const isOpen = before === undefined && this.#isOtherHalfThere(path, what)
    for (const listing of this.#listingsOf(prefix)) change(listing)
    const asked = this.#asking.get(path)
    if (asked !== undefined) asked.isStale = true
    const { version, isDirectory = false, info } = before ?? {}
    const expiresMs = this.#clock.nowMs() + this.#ttlMs
    if (isOpen) this.#names.delete(path)
    else if (this.#ttlMs > 0) this.#names.set(path, { version, isDirectory, info, ...what, expiresMs })
  }

  /** By what was known last, which no longer counts. */
  #isOtherHalfThere(path: string, what: Partial<Found>): boolean {
    const { prefix, name } = split(path)
    const held = this.#listings.peek(prefix)
    const named = this.#names.peek(path)
    const isNamedLater = named !== undefined && named.expiresMs > (held?.expiresMs ?? 0)
    const last = isNamedLater ? named : held?.listing.find(name)
    return 'version' in what ? last?.isDirectory === true : last?.version !== undefined
  }

  /** Those that somebody may read: one that no longer counts is dropped, or it would grow with every change. */
  #listingsOf(prefix: string): Set<Listing> {
    const listings = new Set(this.#live.get(prefix)?.keys())
    const held = this.#listings.peek(prefix)
    if (held === undefined) return listings
    if (held.expiresMs > this.#clock.nowMs()) listings.add(held.listing)
    else this.#listings.delete(prefix)
    return listings
  }

  /** Something is stored below a prefix, so whoever believed that there is no such folder, nor those above, is wrong. */
  #isBelow(below: string): void {
    const path = below.slice(0, -1)
    const { prefix, name } = split(path)
    const known = this.known(prefix, name)
    if (path === '' || known === undefined || known.isDirectory) return
    this.#change(path, { isDirectory: true }, listing => listing.changeDirectory(name, true))
    this.#isBelow(prefix)
  }

  #isListingDue(prefix: string): boolean {
    const nowMs = this.#clock.nowMs()
    if (this.#ttlMs === 0) return false
    const seen = this.#coldLookups.get(prefix)
    if (seen === undefined || seen.sinceMs + this.#ttlMs <= nowMs) {
      this.#coldLookups.set(prefix, { count: 1, sinceMs: nowMs })
      return false
    }
    seen.count += 1
    return seen.count > COLD_LOOKUPS_BEFORE_LISTING
  }

  /** A directory with more names than may be remembered: they are asked for one by one while the TTL lasts. */
  #tooLong(prefix: string): void {
    this.#coldLookups.set(prefix, { count: Number.NEGATIVE_INFINITY, sinceMs: this.#clock.nowMs() })
  }

  /** Undefined when the listing does not tell within a page: asking for the name is quicker than waiting for all. */
  async #lookupByListing(prefix: string, name: string): Promise<Found | undefined> {
    const inUse = this.listing(prefix)
    const { listing, expiresMs } = inUse
    try {
      if (!listing.hasPassed(name)) await listing.more()
      return listing.hasPassed(name) ? foundIn(listing, name, expiresMs) : undefined
    } finally {
      // The listing goes on by itself, so that the next lookups find it complete.
      this.#finish(inUse)
    }
  }

  #finish(inUse: ListingInUse): void {
    const { listing } = inUse
    if (listing.isComplete || listing.entries.length >= this.#maxEntries) this.keep(inUse)
    else
      listing.more().then(
        () => this.#finish(inUse),
        () => this.keep(inUse),
      )
  }

  #ask(path: string): Promise<Found> {
    const asked: { answer: Promise<Found>; isStale: boolean } = { answer: this.#askStore(path), isStale: false }
    this.#asking.set(path, asked)
    const finish = () => {
      if (this.#asking.get(path) === asked) this.#asking.delete(path)
    }
    asked.answer = asked.answer.then(
      found => {
        finish()
        // A change of the mount came in between: that is the truth now, or the store is asked once more.
        if (asked.isStale) return this.known(split(path).prefix, split(path).name) ?? this.#ask(path)
        if (this.#ttlMs > 0) this.#names.set(path, found)
        return found
      },
      error => {
        finish()
        throw error
      },
    )
    return asked.answer
  }

  async #askStore(path: string): Promise<Found> {
    const nowMs = this.#clock.nowMs()
    const below = Buffer.byteLength(path) < MAX_KEY_BYTES ? keysBelow(this.#store, `${path}/`, 1) : []
    const [head, [first]] = await Promise.all([this.#head(path), below])
    const marker = first?.key === `${path}/` && first.sizeBytes === 0 ? first : undefined
    return { version: head, info: head, isDirectory: first !== undefined, marker, expiresMs: nowMs + this.#ttlMs }
  }

  async #head(path: string): Promise<ObjectInfo | undefined> {
    // Nothing can have the key that the root would have as an object.
    if (path === '') return undefined
    try {
      const info = await this.#store.head(path)
      // A directory's marker is no file in it.
      return path.endsWith('/') && info.sizeBytes === 0 ? undefined : info
    } catch (error) {
      if (isStoreError(error, 'not-found')) return undefined
      throw error instanceof StoreError ? error : new StoreError('unavailable', 'HEAD failed', { cause: error })
    }
  }
}

function foundIn(listing: Listing, name: string, expiresMs: number): Found {
  const entry = listing.find(name)
  return { version: entry?.version, isDirectory: entry?.isDirectory ?? false, info: undefined, expiresMs }
}

function split(path: string): { prefix: string; name: string } {
  const slash = path.lastIndexOf('/')
  return { prefix: path.slice(0, slash + 1), name: path.slice(slash + 1) }
}
