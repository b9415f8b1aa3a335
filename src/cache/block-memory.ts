import type { BufferBudget } from './buffer-budget.js'

/** What holding a block takes at the least, however few bytes it has. */
const LEAST_COST_BYTES = 1024

/**
 * The memory of blocks, out of a budget. Buffers of the sizes that jumps and streams use are kept for the next block of
 * their size, since fresh memory costs a page fault for every 4 KiB. What is kept counts as taken, and goes when another
 * size needs the room.
 */
export class BlockMemory {
  readonly #budget: BufferBudget
  /** The least size that is kept; the others are its doubles. */
  readonly #cellBytes: number
  readonly #spare = new Map<number, Buffer[]>()
  #spareBytes = 0
  #usedBytes = 0

  constructor(budget: BufferBudget, cellBytes: number) {
    this.#budget = budget
    this.#cellBytes = cellBytes
  }

  /** What blocks may take as long as the others who draw from the budget hold what they hold. */
  get maxBytes(): number {
    return Math.max(0, this.#budget.freeBytes + this.#usedBytes + this.#spareBytes)
  }

  get freeBytes(): number {
    return this.#budget.freeBytes
  }

  /** What blocks take. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  /** How much must be given back before blocks that cost so much together can be taken. */
  missingBytes(costBytes: number): number {
    return Math.max(0, costBytes - this.#spareBytes - this.#budget.freeBytes)
  }

  /** Memory for one block. The caller has made room, or holds nothing and must go on nevertheless. */
  take(sizeBytes: number): Buffer {
    const cost = costOf(sizeBytes)
    this.#usedBytes += cost
    const spare = this.#spare.get(sizeBytes)?.pop()
    if (spare !== undefined) {
      this.#spareBytes -= cost
      return spare
    }
    this.yield(cost - this.#budget.freeBytes)
    this.#budget.take(cost)
    return Buffer.allocUnsafeSlow(sizeBytes)
  }

  giveBack(memory: Buffer): void {
    const cost = costOf(memory.length)
    this.#usedBytes -= cost
    const cells = memory.length / this.#cellBytes
    if (!Number.isInteger(Math.log2(cells)) || this.#budget.freeBytes < 0) this.#budget.giveBack(cost)
    else {
      this.#spareBytes += cost
      const spare = this.#spare.get(memory.length)
      if (spare === undefined) this.#spare.set(memory.length, [memory])
      else spare.push(memory)
    }
  }

  /** Gives up spare buffers until the budget has so many bytes more, or there are none. */
  yield(missingBytes: number): void {
    let missing = missingBytes
    for (const [sizeBytes, buffers] of this.#spare) {
      const cost = costOf(sizeBytes)
      for (; missing > 0 && buffers.pop() !== undefined; missing -= cost) {
        this.#spareBytes -= cost
        this.#budget.giveBack(cost)
      }
    }
  }
}

/** What a block of so many bytes counts for. */
export function costOf(sizeBytes: number): number {
  return Math.max(sizeBytes, LEAST_COST_BYTES)
}
