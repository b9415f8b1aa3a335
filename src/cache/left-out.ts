import type { BlockSource } from './block.js'
import type { Seal } from './block-tier.js'

/** A range of a version that a tier has sealed and not put away. */
export interface SealedRange {
  readonly source: BlockSource
  readonly offset: number
  readonly end: number
  readonly seal: Seal
}

/** 16 GiB of a stream's blocks; each takes less than a kilobyte. */
const MAX_RANGES = 4096

/** What a tier had to leave out when memory was needed for something else. The oldest go first. */
export class LeftOut {
  readonly #ranges = new Set<SealedRange>()

  get isEmpty(): boolean {
    return this.#ranges.size === 0
  }

  get count(): number {
    return this.#ranges.size
  }

  add(range: SealedRange): void {
    this.#ranges.add(range)
    for (const oldest of this.#ranges) {
      if (this.#ranges.size <= MAX_RANGES) return
      this.#ranges.delete(oldest)
    }
  }

  /** The oldest, which is in it no longer. */
  take(): SealedRange | undefined {
    for (const oldest of this.#ranges) {
      this.#ranges.delete(oldest)
      return oldest
    }
    return undefined
  }

  clear(): void {
    this.#ranges.clear()
  }
}
