import type { BlockBuffers } from './block-buffers.js'
import type { BufferBudget } from './buffer-budget.js'

/** The memory of blocks, out of a budget. What is kept for the next blocks counts as taken, and goes when others need the room. */
export class BlockMemory {
  readonly #budget: BufferBudget
  readonly #buffers: BlockBuffers
  #usedBytes = 0

  constructor(budget: BufferBudget, buffers: BlockBuffers) {
    this.#budget = budget
    this.#buffers = buffers
  }

  /** What blocks may take as long as the others who draw from the budget hold what they hold. */
  get maxBytes(): number {
    return Math.max(0, this.#budget.freeBytes + this.#usedBytes + this.#buffers.spareBytes)
  }

  get freeBytes(): number {
    return this.#budget.freeBytes
  }

  /** What blocks take. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  /** What a block of so many bytes takes. */
  costOf(sizeBytes: number): number {
    return this.#buffers.costOf(sizeBytes)
  }

  /** How much must be given back before blocks that cost so much together can be taken. */
  missingBytes(costBytes: number): number {
    return Math.max(0, costBytes - this.#buffers.spareBytes - this.#budget.freeBytes)
  }

  /** Memory for one block. The caller has made room, or holds nothing and must go on nevertheless. */
  take(sizeBytes: number): Buffer {
    this.#usedBytes += this.#buffers.costOf(sizeBytes)
    const { memory, freshBytes } = this.#buffers.take(sizeBytes)
    if (freshBytes > 0) {
      this.yield(freshBytes - this.#budget.freeBytes)
      this.#budget.take(freshBytes)
    }
    return memory
  }

  giveBack(memory: Buffer): void {
    const cost = this.#buffers.costOf(memory.length)
    this.#usedBytes -= cost
    const freed = cost - this.#buffers.giveBack(memory, this.#budget.freeBytes >= 0)
    if (freed > 0) this.#budget.giveBack(freed)
  }

  /** Gives up spare buffers until the budget has so many bytes more, or there are none. */
  yield(missingBytes: number): void {
    if (missingBytes <= 0) return
    const freed = this.#buffers.drop(missingBytes)
    if (freed > 0) this.#budget.giveBack(freed)
  }
}
