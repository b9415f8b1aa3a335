import type { Block, BlockSource } from './block.js'

/** A read for which there is no room yet. */
export interface WaitingRead {
  readonly source: BlockSource
  readonly offset: number
  readonly end: number
  readonly resolve: (blocks: readonly Block[]) => void
  readonly reject: (error: unknown) => void
  /** The reader's signal matters no more. */
  readonly forget: () => void
}
