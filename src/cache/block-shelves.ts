import type { Block } from './block.js'
import { costOf } from './block-buffers.js'

/** Who needs the room: a program that waits, or read-ahead. */
export type Need = 'demand' | 'read-ahead'

/** What was brought ahead and has not been read for so long counts as given up by its reader. */
const STALE_MS = 30_000

/** What was read so long ago at the most keeps its place while it is read on. */
const RECENT_MS = 1000

/** Nobody has read on for a while in what has its place for so long: who waits for room may have it. */
const IDLE_MS = 2 * RECENT_MS

/** What streams have passed is seldom read again, and memory that was used just now is faster. */
const PASSED_SHARE = 1 / 8
/** What is still to go to the disk is worth more, but may come from elsewhere. */
const SEALED_SHARE = 1 / 2

/**
 * Complete blocks, in the order in which they are given up: what a stream has passed (the kernel holds its pages): first what
 * is on the disk too, then what the disk knows again, then the rest of it; then what was used the longest time ago. What was brought ahead
 * and is not read yet goes last and for programs that wait only, when its reader seems slow; read-ahead never pushes out read-ahead.
 */
export class BlockShelves {
  readonly #passed = new Shelf()
  /** Passed, and the tier below still wants them, and knows them again when they come from elsewhere. */
  readonly #sealed = new Shelf()
  /** Passed, and the tier below still wants them. */
  readonly #owed = new Shelf()
  readonly #used = new Shelf()
  readonly #ahead = new Shelf()
  readonly #places = new Map<Block, { readonly shelf: Shelf; readonly sinceMs: number }>()

  /** Puts a block to its place, as the latest of its kind; again whenever it has been read. */
  put(block: Block, nowMs: number): void {
    this.remove(block)
    const shelf = this.#shelfOf(block)
    shelf.add(block)
    this.#places.set(block, { shelf, sinceMs: nowMs })
  }

  /** Some of a block has been read: what has a place gets the one where it belongs by now. False: it stays. */
  isDueAfterRead(block: Block, nowMs: number): boolean {
    const place = this.#places.get(block)
    if (place === undefined) return false
    return place.shelf !== this.#ahead || block.owner === undefined || nowMs - place.sinceMs > RECENT_MS
  }

  /** It belongs to another place by now. */
  isMisplaced(block: Block): boolean {
    const place = this.#places.get(block)
    return place !== undefined && place.shelf !== this.#shelfOf(block)
  }

  remove(block: Block): void {
    const place = this.#places.get(block)
    if (place === undefined) return
    this.#places.delete(block)
    place.shelf.delete(block)
  }

  /** The next to give up. Pinned blocks stay, and so does what was brought ahead and is read on. */
  next(need: Need, nowMs: number): Block | undefined {
    const block = this.#passed.free ?? this.#sealed.free ?? this.#owed.free ?? this.#used.free
    return block ?? (need === 'demand' ? this.#aheadSince(nowMs - IDLE_MS) : undefined)
  }

  /** The oldest of what streams have passed that is more than may be kept of it. */
  nextExcess(maxBytes: number): Block | undefined {
    const passed = this.#passed.bytes > maxBytes * PASSED_SHARE ? this.#passed.free : undefined
    return passed ?? (this.#sealed.bytes > maxBytes * SEALED_SHARE ? this.#sealed.free : undefined)
  }

  /** What was brought ahead for a reader that seems to have stopped. */
  nextStale(nowMs: number): Block | undefined {
    return this.#aheadSince(nowMs - STALE_MS)
  }

  /** What was brought ahead for an owner. */
  aheadOf(owner: object): Block[] {
    return this.#ahead.all().filter(block => block.owner === owner)
  }

  /** The oldest of what was brought ahead, if it is that old. */
  #aheadSince(sinceMs: number): Block | undefined {
    const oldest = this.#ahead.free
    const place = oldest && this.#places.get(oldest)
    return place !== undefined && place.sinceMs < sinceMs ? oldest : undefined
  }

  #shelfOf(block: Block): Shelf {
    if (block.owner !== undefined) return this.#ahead
    if (!block.cameAhead) return this.#used
    if (!block.isOwed) return this.#passed
    return block.seal === undefined ? this.#owed : this.#sealed
  }
}

/** Blocks of one kind, the oldest first. */
class Shelf {
  readonly #blocks = new Set<Block>()
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** The oldest that nobody holds. */
  get free(): Block | undefined {
    for (const block of this.#blocks) if (!block.isPinned) return block
    return undefined
  }

  all(): Block[] {
    return [...this.#blocks]
  }

  add(block: Block): void {
    this.#blocks.add(block)
    this.#bytes += costOf(block.memory.length)
  }

  delete(block: Block): void {
    if (this.#blocks.delete(block)) this.#bytes -= costOf(block.memory.length)
  }
}
