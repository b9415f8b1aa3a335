import type { BlockSource } from './block.js'

/** By what a tier knows bytes again that it had no time for. */
export interface Seal {
  /** Where they begin in the object. */
  readonly offset: number
  /** CRC32 of each of the tier's cells. */
  readonly sums: Uint32Array
}

/** What a tier that is behind does with what it is offered: lets it wait its turn, seals it, or takes it not at all. */
export type WhenBehind = 'wait' | 'seal' | 'refuse'

/** A slower place for bytes of object versions, asked before the store is, and offered the blocks for which the store was asked. */
export interface BlockTier {
  /**
   * Puts what it has from `offset` on into `memory`, from the front; resolves with how many bytes, 0 for none. Never
   * rejects, and writes nothing any more once it has resolved.
   */
  read(source: BlockSource, offset: number, memory: Uint8Array): Promise<number>
  /**
   * `bytes` stay unchanged until it resolves, which it does soon, and at once where it takes none: then with false, and
   * they may be offered again; so they may where it had only time to seal them. Never rejects.
   */
  write(source: BlockSource, offset: number, bytes: Uint8Array, whenBehind: WhenBehind): Promise<boolean | Seal>
  /**
   * As `write`, of bytes that may be other ones than those that were sealed: what does not fit is left out. False: it
   * takes none at all for now.
   */
  recall(source: BlockSource, offset: number, bytes: Uint8Array, seal: Seal): Promise<boolean>
  /** Resolves soon, when what was taken so far is where it belongs. Never rejects. */
  settled(): Promise<void>
}
