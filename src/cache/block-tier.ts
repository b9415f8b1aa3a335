import type { BlockSource } from './block.js'

/** A slower place for bytes of object versions, asked before the store is, and offered the blocks for which the store was asked. */
export interface BlockTier {
  /**
   * Puts what it has from `offset` on into `memory`, from the front; resolves with how many bytes, 0 for none. Never
   * rejects, and writes nothing any more once it has resolved.
   */
  read(source: BlockSource, offset: number, memory: Uint8Array): Promise<number>
  /**
   * `bytes` stay unchanged until it resolves, which it does soon, and at once where it takes none: then with false, and
   * they may be offered again. Never rejects.
   */
  write(source: BlockSource, offset: number, bytes: Uint8Array): Promise<boolean>
  /** Resolves soon, when what was taken so far is where it belongs. Never rejects. */
  settled(): Promise<void>
}
