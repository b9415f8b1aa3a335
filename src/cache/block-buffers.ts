/** What holding a block takes at the least, however few bytes it has. */
const LEAST_COST_BYTES = 1024

/** Where the memory of blocks comes from. What is kept for the next block is `spareBytes`. */
export interface BlockBuffers {
  readonly spareBytes: number
  /** What a block of so many bytes takes. */
  costOf(sizeBytes: number): number
  /** `freshBytes` of what it takes were not spare. */
  take(sizeBytes: number): { readonly memory: Buffer; readonly freshBytes: number }
  /** Keeps it, or not; answers with how much is spare by that. */
  giveBack(memory: Buffer, mayKeep: boolean): number
  /** Gives spare memory up, at least so much unless there is less; answers with how much. */
  drop(bytes: number): number
}

/** What a block of so many bytes counts for. */
export function costOf(sizeBytes: number): number {
  return Math.max(sizeBytes, LEAST_COST_BYTES)
}

/**
 * Memory of this thread alone. Buffers of the sizes that jumps and streams use are kept for the next block of their size,
 * since fresh memory costs a page fault for every 4 KiB.
 */
export class OwnBuffers implements BlockBuffers {
  /** The least size that is kept; the others are its doubles. */
  readonly #cellBytes: number
  readonly #spare = new Map<number, Buffer[]>()
  #spareBytes = 0

  constructor(cellBytes: number) {
    this.#cellBytes = cellBytes
  }

  get spareBytes(): number {
    return this.#spareBytes
  }

  costOf(sizeBytes: number): number {
    return costOf(sizeBytes)
  }

  take(sizeBytes: number): { readonly memory: Buffer; readonly freshBytes: number } {
    const cost = costOf(sizeBytes)
    const spare = this.#spare.get(sizeBytes)?.pop()
    if (spare === undefined) return { memory: Buffer.allocUnsafeSlow(sizeBytes), freshBytes: cost }
    this.#spareBytes -= cost
    return { memory: spare, freshBytes: 0 }
  }

  giveBack(memory: Buffer, mayKeep: boolean): number {
    const cells = memory.length / this.#cellBytes
    if (!mayKeep || !Number.isInteger(Math.log2(cells))) return 0
    const spare = this.#spare.get(memory.length)
    if (spare === undefined) this.#spare.set(memory.length, [memory])
    else spare.push(memory)
    const cost = costOf(memory.length)
    this.#spareBytes += cost
    return cost
  }

  drop(bytes: number): number {
    let dropped = 0
    for (const [sizeBytes, buffers] of this.#spare)
      while (dropped < bytes && buffers.pop() !== undefined) dropped += costOf(sizeBytes)
    this.#spareBytes -= dropped
    return dropped
  }
}
