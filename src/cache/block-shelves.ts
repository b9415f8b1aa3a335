import type { Block } from './block.js'
import { costOf } from './block-buffers.js'

/** Who needs the room: a program that waits, or read-ahead. */
export type Need = 'demand' | 'read-ahead'

/** What was brought ahead and has not been read for so long counts as given up by its reader. */
const STALE_MS = 30_000

/** What was read so long ago at the most keeps its place while it is read on. */
const RECENT_MS = 1000

/**
 * Complete blocks, in the order in which they are given up: what a stream has passed (the kernel holds its pages), before
 * it what is on the disk too, then what was used the longest time ago. What was brought ahead and is not read yet goes last and for programs that wait
 * only; read-ahead never pushes out read-ahead.
 */
export class BlockShelves {
  readonly #passed = new Set<Block>()
  /** Passed, and the tier below still wants them. */
  readonly #owed = new Set<Block>()
  readonly #used = new Set<Block>()
  readonly #ahead = new Set<Block>()
  readonly #places = new Map<Block, { readonly shelf: Set<Block>; readonly sinceMs: number }>()
  #passedBytes = 0

  get passedBytes(): number {
    return this.#passedBytes
  }

  /** Puts a block to its place, as the latest of its kind; again whenever it has been read. */
  put(block: Block, nowMs: number): void {
    this.remove(block)
    const shelf = this.#shelfOf(block)
    shelf.add(block)
    this.#places.set(block, { shelf, sinceMs: nowMs })
    if (shelf === this.#passed) this.#passedBytes += costOf(block.memory.length)
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
    if (place.shelf === this.#passed) this.#passedBytes -= costOf(block.memory.length)
  }

  /** The next to give up. Pinned blocks stay. */
  next(need: Need): Block | undefined {
    const block = firstFree(this.#passed) ?? firstFree(this.#owed) ?? firstFree(this.#used)
    return block ?? (need === 'demand' ? firstFree(this.#ahead) : undefined)
  }

  /** The oldest that a stream has passed and nobody wants any more. */
  nextPassed(): Block | undefined {
    return firstFree(this.#passed)
  }

  /** What was brought ahead for a reader that seems to have stopped. */
  nextStale(nowMs: number): Block | undefined {
    const oldest = firstFree(this.#ahead)
    const place = oldest && this.#places.get(oldest)
    return place !== undefined && nowMs - place.sinceMs > STALE_MS ? oldest : undefined
  }

  /** What was brought ahead for an owner. */
  aheadOf(owner: object): Block[] {
    return [...this.#ahead].filter(block => block.owner === owner)
  }

  #shelfOf(block: Block): Set<Block> {
    if (block.owner !== undefined) return this.#ahead
    if (!block.cameAhead) return this.#used
    return block.isOwed ? this.#owed : this.#passed
  }
}

function firstFree(blocks: Set<Block>): Block | undefined {
  for (const block of blocks) if (!block.isPinned) return block
  return undefined
}
