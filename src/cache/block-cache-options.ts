import type { BlockBuffers } from './block-buffers.js'
import type { BlockTier } from './block-tier.js'
import type { BufferBudget } from './buffer-budget.js'
import type { AnsweringThreads } from './lanes/answering-threads.js'
import type { MainLane } from './lanes/main-lane.js'

export interface BlockCacheOptions {
  readonly lane: MainLane
  /** What all blocks are drawn from. A read that finds no room goes beyond it, alone, with the blocks that it touches. */
  readonly memory: BufferBudget
  /** The grid on which blocks begin and end. */
  readonly blockSizeBytes: number
  /** Where the memory of blocks comes from; default: this thread's own. */
  readonly buffers?: BlockBuffers | undefined
  /** Who else may answer reads from it. */
  readonly threads?: AnsweringThreads | undefined
  /** Where bytes are looked for before the store is asked. */
  readonly tier?: BlockTier | undefined
  readonly nowMs?: (() => number) | undefined
}
