import type { ObjectVersion } from '../backend/object-store.js'
import type { BlockCache } from '../cache/block-cache.js'
import type { MetadataCache } from '../cache/metadata-cache.js'
import type { Inodes } from './inodes.js'
import { type EntryOrder, InoOrder, LISTING_ORDER, type NextFile, nextFile, type Place } from './reading-order.js'

export interface AcrossFilesOptions {
  readonly blocks: Pick<BlockCache, 'readAhead' | 'handOver' | 'cancelReadAhead'>
  readonly metadata: MetadataCache
  /** The st_ino that programs see. */
  readonly inodes: Pick<Inodes, 'inoOf'>
  /** How far a single file is read ahead. */
  readonly maxReadAheadBytes: number
}

/** One program's way through the files. It is also the owner of its read-ahead in the block cache. */
class Trail {
  /** Files that were read one after the other. */
  run = 1
  /** How many files ahead are fetched. */
  window = 0
  order: EntryOrder = LISTING_ORDER
  /** The file that was fetched last; before any was, the one that was read last. */
  frontier: Place
  /** What was fetched and not read yet, by key, in order: how many bytes. */
  readonly ahead = new Map<string, number>()
  aheadBytes = 0

  constructor(frontier: Place) {
    this.frontier = frontier
  }
}

/** Files up to this size are fetched whole, of larger ones the beginning. */
const WHOLE_BYTES = 1024 * 1024
const BEGINNING_BYTES = 256 * 1024

const FIRST_WINDOW = 2
const MAX_WINDOW = 64

/**
 * So many files are fetched at a time once the window is as large as it gets: what is sent then, and what comes, shares
 * turns of the loop here and in the store.
 */
const BATCH = 8

/** Programs at once whose ways are known. */
const MAX_TRAILS = 4

/** Several readers of one way overtake each other by so many files; who leaves out more has left the order. */
const MAX_SKIPPED = 4

/** So many files are read in order before others are fetched; twice as many after each time that this was wrong. */
const RUN_AT_FIRST = 2
const MAX_RUN_NEEDED = 64

/** Pages of one folder that are listed ahead: the rest comes when the program reads the folder. */
const MAX_PAGES_AHEAD = 2

/**
 * Reads ahead across files. A program that reads one small file after the other (cat, tar, grep -r) waits for a request
 * for each. So when it has read two that stand one behind the other, as listed or by st_ino, the next ones are fetched: 2, 4, 8 ... at a time,
 * bounded in number and bytes, and into the next folder, whose names are asked for when its turn comes near. With the
 * bytes come the headers, so that neither their opening nor their reading needs a request.
 *
 * Only reading counts: who lists, looks at names or opens files that the kernel still holds starts nothing. When
 * the order is left, what is under way ends, and the next try waits for a longer run.
 */
export class AcrossFiles {
  readonly #blocks: AcrossFilesOptions['blocks']
  readonly #metadata: MetadataCache
  readonly #byIno: InoOrder
  /** Of all files that are fetched and not opened yet, for one program. */
  readonly #maxBytes: number
  /** The latest first. */
  #trails: Trail[] = []
  #runNeeded = RUN_AT_FIRST
  /** The folder whose names are being asked for. */
  #listed: string | undefined

  constructor(options: AcrossFilesOptions) {
    this.#blocks = options.blocks
    this.#metadata = options.metadata
    this.#byIno = new InoOrder(path => options.inodes.inoOf(path))
    this.#maxBytes = options.maxReadAheadBytes / 4
  }

  /** A program has opened a file and asks for its first bytes. What has come of it is its `reader`'s, who may leave some. */
  began(version: ObjectVersion, reader: object): void {
    const { key } = version
    const slash = key.lastIndexOf('/') + 1
    const place = { prefix: key.slice(0, slash), name: key.slice(slash) }
    const trail =
      this.#trails.find(one => one.ahead.has(key) || (one.ahead.size === 0 && this.#isNext(one, key))) ??
      this.#sortedTrail(place, key)
    if (trail?.ahead.has(key) === true) this.#blocks.handOver(version, trail, reader)
    if (trail !== undefined && this.#isInOrder(trail, key)) this.#goOn(trail, place, key)
    else this.#leave(trail, place)
  }

  /** The read is in no known order. */
  #leave(trail: Trail | undefined, place: Place): void {
    const [latest] = this.#trails
    // Who reads in the same folder as just before is taken for the same program.
    const left = trail ?? (latest?.frontier.prefix === place.prefix ? latest : undefined)
    if (left !== undefined && left.ahead.size > 0) this.#stop(left)
    this.#start(place)
  }

  #start(place: Place): void {
    this.#trails.unshift(new Trail(place))
    const last = this.#trails.length > MAX_TRAILS ? this.#trails.at(-1) : undefined
    if (last !== undefined) this.#drop(last)
  }

  #isNext(trail: Trail, key: string): boolean {
    const next = this.#next(trail)
    return next.kind === 'file' && next.version.key === key
  }

  /** The way of a program that has begun in the same folder and turns out to go by st_ino. */
  #sortedTrail({ prefix }: Place, key: string): Trail | undefined {
    const [latest] = this.#trails
    if (latest === undefined || latest.run > 1 || latest.frontier.prefix !== prefix) return undefined
    latest.order = this.#byIno
    if (this.#isNext(latest, key)) return latest
    latest.order = LISTING_ORDER
    return undefined
  }

  #isInOrder({ ahead }: Trail, key: string): boolean {
    let skipped = 0
    for (const other of ahead.keys()) {
      if (other === key) return true
      skipped += 1
      if (skipped > MAX_SKIPPED) return false
    }
    return ahead.size === 0
  }

  #goOn(trail: Trail, place: Place, key: string): void {
    trail.run += 1
    trail.aheadBytes -= trail.ahead.get(key) ?? 0
    if (!trail.ahead.delete(key)) trail.frontier = place
    this.#trails = [trail, ...this.#trails.filter(other => other !== trail)]
    if (trail.run < this.#runNeeded) return
    if (trail.run >= 2 * this.#runNeeded + MAX_WINDOW) this.#runNeeded = RUN_AT_FIRST
    trail.window = Math.min(MAX_WINDOW, Math.max(FIRST_WINDOW, trail.window * 2))
    if (trail.ahead.size <= MAX_WINDOW - BATCH) this.#fetch(trail)
  }

  /** It was wrong: what has come for it is lost. */
  #stop(trail: Trail): void {
    this.#runNeeded = Math.min(MAX_RUN_NEEDED, 2 * this.#runNeeded)
    this.#drop(trail)
  }

  #drop(trail: Trail): void {
    this.#trails = this.#trails.filter(other => other !== trail)
    this.#blocks.cancelReadAhead(trail)
  }

  #fetch(trail: Trail): void {
    while (trail.ahead.size < trail.window && trail.aheadBytes < this.#maxBytes) {
      const next = this.#next(trail)
      if (next.kind === 'unlisted') this.#list(next.prefix, trail)
      if (next.kind !== 'file') return
      const { version } = next
      const sizeBytes = version.sizeBytes <= WHOLE_BYTES ? version.sizeBytes : BEGINNING_BYTES
      if (this.#blocks.readAhead(version, 0, sizeBytes, trail) === 0) return
      trail.frontier = next.place
      trail.ahead.set(version.key, sizeBytes)
      trail.aheadBytes += sizeBytes
    }
  }

  #next({ frontier, order }: Trail): NextFile {
    return nextFile(frontier, order, prefix => this.#metadata.complete(prefix))
  }

  /** Asks for the names of the folder that comes next, one folder at a time. */
  #list(prefix: string, trail: Trail): void {
    if (this.#listed !== undefined) return
    this.#listed = prefix
    const inUse = this.#metadata.listing(prefix)
    const end = () => {
      this.#metadata.keep(inUse)
      this.#listed = undefined
    }
    const goOn = async () => {
      while (!inUse.listing.isComplete && inUse.listing.pageCount < MAX_PAGES_AHEAD) await inUse.listing.more()
    }
    // Whoever reads the folder asks again, and hears of what went wrong.
    goOn().then(() => {
      end()
      if (this.#trails.includes(trail) && inUse.listing.isComplete) this.#fetch(trail)
    }, end)
  }
}
