import { type Timers, within } from '../backend/timers.js'
import { ALIGNMENT_BYTES, alignedView } from '../system/aligned-memory.js'
import type { BlockSource } from './block.js'
import type { BlockTier } from './block-tier.js'
import { LeftOut, type SealedRange } from './left-out.js'

/** Where bytes of versions may be besides. */
export interface HeldBytes {
  /**
   * Puts what is held from `offset` on into `memory`, from the front; resolves with how many bytes, 0 for none. They may
   * be wrong. Never rejects.
   */
  read(source: BlockSource, offset: number, memory: Uint8Array): Promise<number>
}

export interface TierRecallOptions {
  readonly tier: BlockTier
  readonly held: HeldBytes
  /** The tier is given something new. */
  readonly isBusy: () => boolean
  readonly timers: Timers
}

/** The tier has had nothing to do for so long: nobody reads at the moment. */
const QUIET_MS = 50

/** As much as the kernel hands out at once. */
const PIECE_BYTES = 1024 * 1024

/** Who does not answer for so long is asked no more. */
const PATIENCE_MS = 5000

/**
 * Brings what a tier had to leave out from where else it is held, when nobody reads, and piece by piece: who reads then
 * waits for one piece at the most.
 *
 * Invariant: `#memory` is used by the one run that is under way.
 */
export class TierRecall {
  readonly leftOut = new LeftOut()
  readonly #options: TierRecallOptions
  #memory: Uint8Array | undefined
  #running: Promise<void> | undefined
  /** How many wait for all of it, whoever reads meanwhile. */
  #urgent = 0
  #cancelStart = () => {}

  constructor(options: TierRecallOptions) {
    this.#options = options
  }

  /** The tier has nothing to do. */
  begin(): void {
    if (this.leftOut.isEmpty) return
    this.#cancelStart()
    this.#cancelStart = this.#options.timers.after(QUIET_MS, () => void this.#start())
  }

  /** Resolves when nothing is left of what has been left out so far and could be brought. Never rejects. */
  async all(): Promise<void> {
    this.#urgent += 1
    try {
      await this.#running
      await this.#start()
    } finally {
      this.#urgent -= 1
    }
  }

  #start(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (!this.#options.isBusy()) this.begin()
    })
    return this.#running
  }

  /** What is left out meanwhile is another run's: readers may leave out more for as long as they like. */
  async #run(): Promise<void> {
    for (let left = this.leftOut.count; left > 0 && !this.#mustWait(); left--) {
      const range = this.leftOut.take()
      if (range === undefined) return
      if (!(await this.#bring(range))) {
        this.leftOut.clear()
        this.#memory = undefined
        return
      }
    }
  }

  #mustWait(): boolean {
    return this.#urgent === 0 && this.#options.isBusy()
  }

  /** False: nobody takes anything any more. */
  async #bring(range: SealedRange): Promise<boolean> {
    const { source, seal, end } = range
    const { tier, held, timers } = this.#options
    this.#memory ??= alignedView(new SharedArrayBuffer(PIECE_BYTES + ALIGNMENT_BYTES), PIECE_BYTES)
    for (let offset = range.offset; offset < end; offset += PIECE_BYTES) {
      if (this.#mustWait()) {
        this.leftOut.add({ ...range, offset })
        return true
      }
      const memory = this.#memory.subarray(0, Math.min(PIECE_BYTES, end - offset))
      const gotBytes = await within(timers, PATIENCE_MS, held.read(source, offset, memory))
      if (gotBytes === undefined) return false
      if (gotBytes === 0) continue
      const isTaken = await within(timers, PATIENCE_MS, tier.recall(source, offset, memory.subarray(0, gotBytes), seal))
      if (isTaken !== true) return false
    }
    return true
  }
}
