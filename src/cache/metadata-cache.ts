import { LRUCache } from 'lru-cache'
import { MAX_KEY_BYTES } from '../backend/keys.js'
import type { ObjectInfo, ObjectStore, ObjectVersion } from '../backend/object-store.js'
import { isStoreError, StoreError } from '../backend/store-error.js'
import type { Clock } from './clock.js'
import { HeldListings, type ListingInUse } from './held-listings.js'
import { keysBelow } from './keys-below.js'
import type { Listing } from './listing.js'

export type { ListingInUse } from './held-listings.js'

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
  /** What is kept beside the bytes is to be asked for: a listing that no program has read names the version. */
  readonly isGlimpsed?: boolean
  readonly expiresMs: number
}

/** A directory is listed instead, and its listing believed, after so many lookups of single names in it. */
const COLD_LOOKUPS_BEFORE_LISTING = 4

/** What stores give at once. */
const NAMES_OF_A_PAGE = 1000

/** A listing for the sake of single names goes on as long as there are no more pages than requests for the names. */
const PAGES_PER_COLD_LOOKUP = 2

/** Directories whose cold lookups are counted at the same time. */
const MAX_COUNTED_DIRECTORIES = 1000

/**
 * What is known of the bucket's names: directories as listed, and single names. It holds the mount's own changes as
 * soon as they are made (`stored`, `removed`, `madeDirectory`).
 *
 * Invariant: an answer of the store that was asked for before a change of the mount never overwrites that change:
 * every request under way is in `#asking`, or belongs to `#listings`, and is told of changes to its name.
 */
export class MetadataCache {
  readonly #store: ObjectStore
  readonly #clock: Clock
  readonly #ttlMs: number
  readonly #names: LRUCache<string, Found>
  readonly #listings: HeldListings
  readonly #asking = new Map<string, { readonly answer: Promise<Found>; isStale: boolean }>()
  readonly #coldLookups: LRUCache<string, { count: number; readonly sinceMs: number }>

  constructor(options: MetadataCacheOptions) {
    this.#store = options.store
    this.#clock = options.clock
    this.#ttlMs = options.ttlMs
    this.#names = new LRUCache({ max: Math.max(1, Math.ceil(options.maxEntries / 4)) })
    this.#listings = new HeldListings(options)
    this.#coldLookups = new LRUCache({ max: MAX_COUNTED_DIRECTORIES })
  }

  /** `prefix` ends with `/` (or is empty, the root). Costs no request where the directory was listed lately. */
  async lookup(prefix: string, name: string): Promise<Found> {
    const known = this.known(prefix, name)
    if (known !== undefined && !(known.isGlimpsed === true && this.#isListingDue(prefix))) return known
    if (known !== undefined) return this.#believed(prefix, name) ?? known
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
    const held = this.#listings.begun(prefix)
    if (held?.listing.isComplete === true) return this.#foundIn(held, name)
    const found = this.#names.get(prefix + name)
    if (found !== undefined && found.expiresMs > this.#clock.nowMs()) return found
    return held?.listing.hasPassed(name) === true ? this.#foundIn(held, name) : undefined
  }

  /** All names of a directory, where they are known and count. */
  complete(prefix: string): Listing | undefined {
    return this.#listings.complete(prefix)?.listing
  }

  /** The directory's listing, for a program that reads it. Whoever takes it gives it back by `keep`. */
  listing(prefix: string): ListingInUse {
    return this.#listings.read(prefix)
  }

  /** A reader is done with a listing. */
  keep(inUse: ListingInUse): void {
    this.#keep(inUse)
    this.#expectWalk(inUse)
  }

  /**
   * Who has read a directory mostly goes on with its names. Where a page has them all, it takes less to ask for that again
   * once it no longer counts than for the next name alone.
   */
  #expectWalk({ listing, expiresMs }: ListingInUse): void {
    const isOnePage = listing.isComplete && listing.entries.length <= NAMES_OF_A_PAGE
    if (!isOnePage || this.#ttlMs === 0 || this.#listings.isTooLong(listing)) return
    this.#coldLookups.set(listing.prefix, { count: COLD_LOOKUPS_BEFORE_LISTING, sinceMs: expiresMs })
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
    this.#names.delete(path)
    this.#listings.forget(path)
    const asked = this.#asking.get(path)
    if (asked !== undefined) asked.isStale = true
  }

  /** Drops what is known of a path and everything below it, as readers hold it too: a folder was renamed. */
  forgetFolder(folder: string): void {
    this.forget(folder)
    const prefix = `${folder}/`
    for (const path of this.#names.keys()) if (path.startsWith(prefix)) this.#names.delete(path)
    this.#listings.forgetBelow(prefix)
    for (const held of this.#coldLookups.keys()) if (held.startsWith(prefix)) this.#coldLookups.delete(held)
    for (const [path, asked] of this.#asking) if (path.startsWith(prefix)) asked.isStale = true
  }

  #changeDirectory(path: string, isDirectory: boolean, marker: ObjectVersion | undefined): void {
    const what = { isDirectory, marker }
    this.#change(path, what, listing => listing.changeDirectory(split(path).name, isDirectory))
    for (const listing of this.#listings.countingAt(`${path}/`)) listing.changeMarker(marker)
  }

  /**
   * A file and a directory may share a path: the half that is not told of stays as it is known. Where something was
   * known to stand there and that no longer counts, the next lookup asks.
   */
  #change(path: string, what: Partial<Omit<Found, 'expiresMs'>>, change: (listing: Listing) => void): void {
    const { prefix, name } = split(path)
    const before = this.known(prefix, name)
    const isOpen = before === undefined && this.#isOtherHalfThere(path, what)
    for (const listing of this.#listings.changed(path)) change(listing)
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
    const held = this.#listings.last(prefix)
    const named = this.#names.peek(path)
    const isNamedLater = named !== undefined && named.expiresMs > (held?.expiresMs ?? 0)
    const last = isNamedLater ? named : held?.listing.find(name)
    return 'version' in what ? last?.isDirectory === true : last?.version !== undefined
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

  /** Counts a lookup of a name that only the store knows. */
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

  /** Enough names of the directory have been asked for one by one. */
  #believed(prefix: string, name: string): Found | undefined {
    const held = this.#listings.begun(prefix)
    if (held !== undefined) this.#listings.believe(held.listing)
    return this.known(prefix, name)
  }

  /** Undefined when the listing does not tell within a page: asking for the name is quicker than waiting for all. */
  async #lookupByListing(prefix: string, name: string): Promise<Found | undefined> {
    const inUse = this.#listings.glimpse(prefix)
    const { listing } = inUse
    this.#listings.believe(listing)
    try {
      if (!listing.hasPassed(name)) await listing.more()
      return listing.hasPassed(name) ? this.#foundIn(inUse, name) : undefined
    } finally {
      // The listing goes on by itself, so that the next lookups find it complete.
      this.#finish(inUse)
    }
  }

  #keep(inUse: ListingInUse): void {
    if (!this.#listings.keep(inUse)) this.#tooLong(inUse.listing.prefix)
  }

  #finish(inUse: ListingInUse): void {
    const { listing } = inUse
    const lookups = this.#coldLookups.peek(listing.prefix)?.count ?? 0
    const isEnough = listing.pageCount >= PAGES_PER_COLD_LOOKUP * lookups || this.#listings.isTooLong(listing)
    if (listing.isComplete || isEnough) this.#keep(inUse)
    else
      listing.more().then(
        () => this.#finish(inUse),
        () => this.#keep(inUse),
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
    const headExpiresMs = this.#clock.nowMs() + this.#ttlMs
    const [head, below] = await Promise.all([this.#head(path), this.#below(path)])
    return { version: head, info: head, ...below, expiresMs: Math.min(headExpiresMs, below.expiresMs) }
  }

  /** Whether there is a directory. The first page of its listing tells, and serves whoever goes on to read it. */
  async #below(path: string): Promise<Pick<Found, 'isDirectory' | 'marker' | 'expiresMs'>> {
    const expiresMs = this.#clock.nowMs() + this.#ttlMs
    if (Buffer.byteLength(path) >= MAX_KEY_BYTES) return { isDirectory: false, expiresMs }
    const prefix = `${path}/`
    if (this.#ttlMs === 0) {
      const [first] = await keysBelow(this.#store, prefix, 1)
      const marker = first?.key === prefix && first.sizeBytes === 0 ? first : undefined
      return { isDirectory: first !== undefined, marker, expiresMs }
    }
    const inUse = this.#listings.glimpse(prefix)
    const { listing } = inUse
    try {
      while (!isTold(listing)) await listing.more()
      const { present, marker } = listing
      return { isDirectory: present > 0 || marker !== undefined, marker, expiresMs: inUse.expiresMs }
    } finally {
      this.#keep(inUse)
    }
  }

  #foundIn({ listing, expiresMs }: ListingInUse, name: string): Found {
    const { version, isDirectory = false } = listing.find(name) ?? {}
    const isGlimpsed = version !== undefined && this.#listings.isGlimpsed(listing)
    return { version, isDirectory, info: undefined, isGlimpsed, expiresMs }
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

/** A page may be empty and not the last. */
function isTold(listing: Listing): boolean {
  return listing.isComplete || listing.present > 0 || listing.marker !== undefined
}

function split(path: string): { prefix: string; name: string } {
  const slash = path.lastIndexOf('/')
  return { prefix: path.slice(0, slash + 1), name: path.slice(slash + 1) }
}
