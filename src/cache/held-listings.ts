import { LRUCache } from 'lru-cache'
import type { ObjectStore } from '../backend/object-store.js'
import type { Clock } from './clock.js'
import { Listing } from './listing.js'
import { SplitPages } from './split-pages.js'
import { TreeWalk } from './tree-walk.js'

/** A listing that a reader holds, and until when it counts as what the bucket holds. */
export interface ListingInUse {
  readonly listing: Listing
  readonly expiresMs: number
}

export interface HeldListingsOptions {
  readonly store: Pick<ObjectStore, 'list'>
  readonly clock: Clock
  readonly ttlMs: number
  /** Bound of the names in all listings that nobody reads. */
  readonly maxEntries: number
}

/** A listing, and with how many names it counts. */
interface Held extends ListingInUse {
  readonly counted: number
}

/** One that has grown by less than this is not counted anew. */
const COUNTED_GROWTH = 17 / 16

/** Directories as listed: whole ones, those that were begun, and those that somebody reads at the moment. */
export class HeldListings {
  readonly #store: Pick<ObjectStore, 'list'>
  readonly #clock: Clock
  readonly #ttlMs: number
  readonly #maxEntries: number
  readonly #walk: TreeWalk
  /** Complete ones, and those of which the first pages have come, by prefix. */
  readonly #held: LRUCache<string, Held>
  /** Listings that readers hold, by prefix, with how many do. */
  readonly #live = new Map<string, Map<Listing, number>>()
  /** Listings that say something untrue: whoever reads one goes on, nobody else takes it. */
  readonly #outdated = new WeakSet<Listing>()
  /** Listings that came along with something else: no program has read the directory. */
  readonly #glimpsed = new WeakSet<Listing>()

  constructor(options: HeldListingsOptions) {
    this.#store = options.store
    this.#clock = options.clock
    this.#ttlMs = options.ttlMs
    this.#maxEntries = options.maxEntries
    this.#held = new LRUCache({
      maxSize: Math.max(1, options.maxEntries),
      sizeCalculation: held => held.counted + 1,
    })
    this.#walk = new TreeWalk({
      ...options,
      orderOf: prefix => this.#latest(prefix),
      heldAt: prefix => this.complete(prefix)?.listing,
      fill: listing => this.#fill(listing),
    })
  }

  /** All names of a directory, where they are known and count. */
  complete(prefix: string): ListingInUse | undefined {
    const held = this.begun(prefix)
    return held?.listing.isComplete === true ? held : undefined
  }

  /** What counts of a directory's names: all, or the first ones. */
  begun(prefix: string): ListingInUse | undefined {
    const held = this.#held.get(prefix)
    return held !== undefined && held.expiresMs > this.#clock.nowMs() ? held : undefined
  }

  /** What was known last of a directory's names, also where that no longer counts. */
  last(prefix: string): ListingInUse | undefined {
    return this.#held.peek(prefix)
  }

  /** It holds more names than may be remembered. */
  isTooLong(listing: Listing): boolean {
    return listing.entries.length >= this.#maxEntries
  }

  isGlimpsed(listing: Listing): boolean {
    return this.#glimpsed.has(listing)
  }

  /** From now on what a listing tells of its objects is enough for whoever looks one up. */
  believe(listing: Listing): void {
    this.#glimpsed.delete(listing)
  }

  /** For a program that reads the directory: one while it counts, else one that begins now. It comes back by `keep`. */
  read(prefix: string): ListingInUse {
    if (this.#ttlMs > 0) this.#walk.visited(prefix)
    const inUse = this.#take(prefix, () =>
      this.#ttlMs > 0
        ? this.#walk.listing(prefix)
        : new Listing(new SplitPages(this.#store, { prefix }), prefix, this.#clock.nowMs()),
    )
    this.believe(inUse.listing)
    return inUse
  }

  /** For single names in the directory. It comes back by `keep`. */
  glimpse(prefix: string): ListingInUse {
    return this.#take(prefix, () => {
      const listing = new Listing(new SplitPages(this.#store, { prefix }), prefix, this.#clock.nowMs())
      this.#glimpsed.add(listing)
      return listing
    })
  }

  #take(prefix: string, begin: () => Listing): ListingInUse {
    const nowMs = this.#clock.nowMs()
    const live = this.#live.get(prefix) ?? new Map<Listing, number>()
    const listing =
      this.begun(prefix)?.listing ??
      [...live.keys()].find(one => one.startedMs + this.#ttlMs > nowMs && !this.#outdated.has(one)) ??
      begin()
    live.set(listing, (live.get(listing) ?? 0) + 1)
    this.#live.set(prefix, live)
    return { listing, expiresMs: listing.startedMs + this.#ttlMs }
  }

  /** A reader is done with a listing, which is remembered. False: it holds more names than may be remembered. */
  keep({ listing, expiresMs }: ListingInUse): boolean {
    const live = this.#live.get(listing.prefix)
    const readers = (live?.get(listing) ?? 1) - 1
    if (readers > 0) live?.set(listing, readers)
    else live?.delete(listing)
    if (live?.size === 0) this.#live.delete(listing.prefix)
    if (this.#outdated.has(listing)) return true
    const isHeld = this.#held.peek(listing.prefix)?.listing === listing
    const isExpired = expiresMs <= this.#clock.nowMs()
    if (this.isTooLong(listing)) {
      if (isHeld) this.#held.delete(listing.prefix)
      return isExpired
    }
    const isTold = listing.isComplete || listing.pageCount > 0
    const isBetter = listing.isComplete || this.complete(listing.prefix) === undefined
    // What is held already has grown while it was read: its names are counted anew.
    if (isHeld || (isTold && isBetter && !isExpired)) this.#hold({ listing, expiresMs })
    return true
  }

  /** Something at a path has changed: all that may be read of its directory, to be told of it. */
  changed(path: string): Set<Listing> {
    this.#walk.changed(path)
    return this.countingAt(path.slice(0, path.lastIndexOf('/') + 1))
  }

  /** Those that somebody may read: one that no longer counts is dropped, or it would grow with every change. */
  countingAt(prefix: string): Set<Listing> {
    const listings = new Set(this.#live.get(prefix)?.keys())
    const held = this.#held.peek(prefix)
    if (held === undefined) return listings
    if (held.expiresMs > this.#clock.nowMs()) {
      listings.add(held.listing)
      // The names that changes before this one added are counted.
      if (held.listing.entries.length > held.counted * COUNTED_GROWTH) this.#hold(held)
    } else this.#held.delete(prefix)
    return listings
  }

  /** What is known of a path is wrong. */
  forget(path: string): void {
    this.#walk.changed(path)
    const prefix = path.slice(0, path.lastIndexOf('/') + 1)
    this.#held.delete(prefix)
    for (const listing of this.#live.get(prefix)?.keys() ?? []) this.#outdated.add(listing)
  }

  /** What is known below a prefix is wrong, as readers hold it too. */
  forgetBelow(prefix: string): void {
    this.#walk.changedBelow()
    for (const held of this.#held.keys()) if (held.startsWith(prefix)) this.#held.delete(held)
    for (const [held, listings] of this.#live)
      if (held.startsWith(prefix)) for (const listing of listings.keys()) this.#outdated.add(listing)
  }

  #latest(prefix: string): Listing | undefined {
    const [live] = this.#live.get(prefix)?.keys() ?? []
    return live ?? this.#held.peek(prefix)?.listing
  }

  #fill(listing: Listing): void {
    const expiresMs = listing.startedMs + this.#ttlMs
    if (this.isTooLong(listing) || expiresMs <= this.#clock.nowMs()) return
    const held = this.complete(listing.prefix)
    if (held !== undefined && held.expiresMs >= expiresMs) return
    this.#glimpsed.add(listing)
    this.#hold({ listing, expiresMs })
  }

  #hold({ listing, expiresMs }: ListingInUse): void {
    this.#held.set(listing.prefix, { listing, expiresMs, counted: listing.entries.length })
  }
}
