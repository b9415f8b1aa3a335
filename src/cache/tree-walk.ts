import { LRUCache } from 'lru-cache'
import { compareKeys, MAX_KEY_BYTES } from '../backend/keys.js'
import type { ListPage, ObjectStore, ObjectVersion } from '../backend/object-store.js'
import type { Clock } from './clock.js'
import { type FlatRun, foldersOf } from './flat-run.js'
import { Listing } from './listing.js'
import type { PageSource } from './page-source.js'
import { SplitPages } from './split-pages.js'

export interface TreeWalkOptions {
  readonly store: Pick<ObjectStore, 'list'>
  readonly clock: Clock
  readonly ttlMs: number
  /** What is known of the order of a folder's entries, also where it no longer counts. */
  readonly orderOf: (prefix: string) => Listing | undefined
  /** A folder that counts and is complete. */
  readonly heldAt: (prefix: string) => Listing | undefined
  /** Takes a folder that a page has brought beside the one that was asked for. */
  readonly fill: (listing: Listing) => void
}

/** How the folders in one folder have been read. */
interface Steps {
  last: string
  /** So many, one after the other. */
  run: number
  /** So many flat pages told nothing that a page of the folder alone would not have told. */
  failures: number
  /** So many folders are to be listed by themselves before the next try. */
  skip: number
}

/** The end of the latest page, where the next folder may have begun. */
interface Tail extends FlatRun {
  readonly last: string
  readonly root: string
  readonly startedMs: number
  /** How many folders of the page were read since it came. */
  read: number
  hasNext: boolean
}

/** A flat page under way, and the prefixes of folders in or below which this mount has changed something meanwhile. */
interface Flight {
  /** What it was asked for begins behind this key, and ends with the root. */
  readonly before: string
  readonly root: string
  readonly startedMs: number
  /** Nobody has asked for it yet: all that it brings is for later. */
  readonly isAhead: boolean
  readonly changed: Set<string>
  /** Never rejects. */
  ended: Promise<void>
}

/** What one flat page told of the folder that was asked for. */
interface FlatAnswer {
  readonly page: ListPage
  /** Where the folder goes on; undefined where the page held all of it. */
  readonly rest: PageSource | undefined
}

/** Folders whose steps are remembered. */
const MAX_PARENTS = 1000
/** Programs that read several folders at once, or leave some out, still walk. */
const MAX_DIRECTORIES_BETWEEN = 3
const MAX_ENTRIES_BETWEEN = 1000
const RUN_IN_KNOWN_ORDER = 2
const RUN_IN_UNKNOWN_ORDER = 3
const MAX_FAILURES = 6
const MAX_CARRIED = 1000
/** So many folders of a page are read before the next page is asked for: who stops early costs nothing. */
const READ_BEFORE_AHEAD = 2

/**
 * Flat or folder by folder. A program that reads one folder after the other (find, tar, rm -r) costs a request for
 * each with a listing by delimiter, and one for a thousand keys with a flat one. So the second child of a folder that is
 * read right after the one before is asked for by one flat page that begins with it and goes on behind it; all folders
 * that the page holds completely are known from then on.
 *
 * The page is the first one of the folder in any case: when it does not hold all of it, the rest comes by delimiter from
 * where the page ended. So a huge folder beside small ones costs one request more than by itself, at the most; where
 * pages bring nothing else, they are tried after 1, 3, 7 ... further folders only. While the folders of a page are read,
 * the next page is on its way.
 */
export class TreeWalk {
  readonly #options: TreeWalkOptions
  readonly #steps = new LRUCache<string, Steps>({ max: MAX_PARENTS })
  #tail: Tail | undefined
  readonly #flights = new Set<Flight>()

  constructor(options: TreeWalkOptions) {
    this.#options = options
  }

  /** A program reads a folder, whether it is known or not. */
  visited(prefix: string): void {
    const place = placeOf(prefix)
    if (place === undefined) return
    const steps = this.#steps.get(place.parent)
    if (steps === undefined) this.#steps.set(place.parent, { last: place.name, run: 1, failures: 0, skip: 0 })
    else if (steps.last !== place.name) {
      steps.run = this.#isNext(place.parent, steps.last, place.name) ? steps.run + 1 : 1
      steps.last = place.name
    }
    if (this.#walked(place.parent, place.name) !== undefined) this.#readOn(prefix)
  }

  /** Asks for the page behind the latest one, once, for a program that reads folders of that one. */
  #readOn(prefix: string): void {
    const tail = this.#tail
    if (tail === undefined || tail.hasNext || tail.last.startsWith(prefix)) return
    if (compareKeys(prefix, tail.after) <= 0 || compareKeys(prefix, tail.last) > 0) return
    tail.read += 1
    if (tail.read < READ_BEFORE_AHEAD) return
    tail.hasNext = true
    const slash = tail.last.indexOf('/', tail.root.length)
    const next = tail.last.slice(0, slash + 1)
    const isLarge = tail.objects.at(-1 - MAX_CARRIED)?.key.startsWith(next) === true
    if (slash < 0 || isLarge || this.#tailOf(next, this.#options.clock.nowMs()) !== tail || this.#bringing(next)) return
    // Whoever reads it needs no page, and may go no further.
    if (this.#options.heldAt(next) !== undefined) return
    // Whoever comes to read these folders asks again, and hears of what went wrong.
    this.#fly(next, tail.root, tail, true).catch(() => undefined)
  }

  /** A listing of a folder that was just visited; its age counts from when the first of it was asked for. */
  listing(prefix: string): Listing {
    const { store, clock } = this.#options
    const nowMs = clock.nowMs()
    const root = this.#rootOf(prefix)
    if (root === undefined) return new Listing(new SplitPages(store, { prefix }), prefix, nowMs)
    const tail = this.#tailOf(prefix, nowMs)
    // Whichever of these it will be told by.
    const startedMs = Math.min(this.#bringing(prefix)?.startedMs ?? nowMs, tail?.startedMs ?? nowMs)
    return new Listing(new FlatPages(() => this.#answer(prefix, root, tail, startedMs)), prefix, startedMs)
  }

  /** This mount changed something at a path, or no longer knows what is there. */
  changed(path: string): void {
    if (this.#tail !== undefined) this.#tail = undefined
    for (const { changed } of this.#flights) {
      for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1))
        changed.add(path.slice(0, slash + 1))
      changed.add(`${path}/`)
    }
  }

  /** A folder moved or went with all that is in it: nothing that is under way counts. */
  changedBelow(): void {
    this.#tail = undefined
    this.#flights.clear()
  }

  /** The highest folder whose folders are read one after the other, of those above; undefined: no walk. */
  #rootOf(prefix: string): string | undefined {
    if (Buffer.byteLength(prefix) + 8 > MAX_KEY_BYTES) return undefined
    const place = placeOf(prefix)
    const steps = place === undefined ? undefined : this.#walked(place.parent, place.name)
    if (place === undefined || steps === undefined) return undefined
    if (steps.skip > 0) {
      steps.skip -= 1
      return undefined
    }
    let root = place.parent
    for (let above = placeOf(root); above !== undefined; above = placeOf(root)) {
      if (this.#walked(above.parent, above.name) === undefined) return root
      root = above.parent
    }
    return root
  }

  #walked(parent: string, name: string): Steps | undefined {
    const steps = this.#steps.peek(parent)
    const isKnown = this.#options.orderOf(parent) !== undefined
    const needed = isKnown ? RUN_IN_KNOWN_ORDER : RUN_IN_UNKNOWN_ORDER
    return steps !== undefined && steps.last === name && steps.run >= needed ? steps : undefined
  }

  #isNext(parent: string, last: string, name: string): boolean {
    const order = this.#options.orderOf(parent)
    if (order === undefined) return compareKeys(`${last}/`, `${name}/`) < 0
    const from = order.positionOf(last)
    const to = order.positionOf(name)
    if (from === undefined || to === undefined || to <= from || to - from > MAX_ENTRIES_BETWEEN) return false
    let between = 0
    for (let position = from + 1; position < to; position++) between += Number(order.entries[position]?.isDirectory)
    return between <= MAX_DIRECTORIES_BETWEEN
  }

  /** The tail, where the folder begins in it and does not end. */
  #tailOf(prefix: string, nowMs: number): Tail | undefined {
    const tail = this.#tail
    const { ttlMs } = this.#options
    if (tail === undefined || tail.startedMs + ttlMs / 2 < nowMs) return undefined
    return compareKeys(prefix, tail.after) > 0 && tail.last.startsWith(prefix) ? tail : undefined
  }

  async #answer(prefix: string, root: string, seen: Tail | undefined, sinceMs: number): Promise<FlatAnswer> {
    for (let other = this.#bringing(prefix); other !== undefined; other = this.#bringing(prefix)) {
      await other.ended
      const held = this.#options.heldAt(prefix)
      if (held !== undefined && held.startedMs >= sinceMs) return { page: pageOf(held), rest: undefined }
    }
    // Something in it may have changed since.
    return this.#fly(prefix, root, seen === this.#tail ? seen : undefined)
  }

  #fly(prefix: string, root: string, tail: Tail | undefined, isAhead = false): Promise<FlatAnswer> {
    const startedMs = tail?.startedMs ?? this.#options.clock.nowMs()
    // All keys of the folder stand behind `folder.` and whatever follows that.
    const before = `${prefix.slice(0, -1)}.\ufffd`
    const flight: Flight = { before, root, startedMs, isAhead, changed: new Set(), ended: Promise.resolve() }
    const answered = this.#ask(prefix, tail, flight)
    const land = () => void this.#flights.delete(flight)
    flight.ended = answered.then(land, land)
    this.#flights.add(flight)
    return answered
  }

  /** A page under way that may hold all of the folder. */
  #bringing(prefix: string): Flight | undefined {
    for (const flight of this.#flights)
      if (prefix.startsWith(flight.root) && compareKeys(prefix, flight.before) > 0) return flight
    return undefined
  }

  async #ask(prefix: string, tail: Tail | undefined, flight: Flight): Promise<FlatAnswer> {
    const { store } = this.#options
    const { root, before } = flight
    const carried = tail?.objects.filter(({ key }) => key.startsWith(prefix)) ?? []
    const isCarried = carried.length > 0 && carried.length <= MAX_CARRIED
    const page = await store.list({ prefix: root, startAfter: isCarried ? tail?.last : before })
    const last = page.next === undefined ? undefined : page.objects.at(-1)?.key
    if (page.next !== undefined && last === undefined)
      return { page: { objects: [], prefixes: [], next: before }, rest: new SplitPages(store, { prefix }) }
    const objects: readonly ObjectVersion[] = isCarried ? [...carried, ...page.objects] : page.objects
    const startedMs = isCarried && tail !== undefined ? tail.startedMs : flight.startedMs
    return this.#take(prefix, { objects, after: before, last }, startedMs, flight)
  }

  #take(prefix: string, run: FlatRun, startedMs: number, flight: Flight): FlatAnswer {
    const { store } = this.#options
    const { whole, begun } = foldersOf(run, flight.root)
    const isCurrent = this.#flights.has(flight)
    for (const [folder, listed] of whole)
      if (isCurrent && (folder !== prefix || flight.isAhead) && !flight.changed.has(folder))
        this.#options.fill(Listing.of(listed, folder, startedMs))
    this.#tail = undefined
    const { last } = run
    if (isCurrent && flight.changed.size === 0 && last !== undefined)
      this.#tail = { ...run, last, root: flight.root, startedMs, read: 0, hasNext: false }
    const listed = whole.get(prefix) ?? begun.get(prefix) ?? { objects: [], prefixes: [] }
    const isWhole = last === undefined || (!last.startsWith(prefix) && compareKeys(last, prefix) > 0)
    if (!flight.isAhead) this.#judge(prefix, isWhole || whole.size > 0 || listed.prefixes.length === 0)
    if (isWhole) return { page: { ...listed, next: undefined }, rest: undefined }
    const startAfter = compareKeys(last, prefix) > 0 ? last : undefined
    return { page: { ...listed, next: last }, rest: new SplitPages(store, { prefix, startAfter }) }
  }

  #judge(prefix: string, wasUseful: boolean): void {
    const place = placeOf(prefix)
    const steps = place === undefined ? undefined : this.#steps.peek(place.parent)
    if (steps === undefined) return
    steps.failures = wasUseful ? 0 : Math.min(steps.failures + 1, MAX_FAILURES)
    steps.skip = 2 ** steps.failures - 1
  }
}

/** One flat page, and then what it did not hold. */
class FlatPages implements PageSource {
  readonly #ask: () => Promise<FlatAnswer>
  #answer: FlatAnswer | undefined

  constructor(ask: () => Promise<FlatAnswer>) {
    this.#ask = ask
  }

  async next(): Promise<ListPage | undefined> {
    if (this.#answer !== undefined) return this.#answer.rest?.next()
    this.#answer = await this.#ask()
    return this.#answer.page
  }
}

/** What a complete listing says now, as a page. */
function pageOf({ entries, prefix, marker }: Listing): ListPage {
  const objects = entries.flatMap(({ version }) => version ?? [])
  const prefixes = entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => `${prefix}${name}/`)
  return { objects: marker === undefined ? objects : [marker, ...objects], prefixes }
}

/** The folder above and the name in it; undefined for the root. */
function placeOf(prefix: string): { readonly parent: string; readonly name: string } | undefined {
  if (prefix === '') return undefined
  // Also the prefix `/`, of keys that begin with a slash, has the root above.
  const slash = prefix.slice(0, -1).lastIndexOf('/')
  return { parent: prefix.slice(0, slash + 1), name: prefix.slice(slash + 1, -1) }
}
