import type { BlockSource } from '../cache/block.js'
import type { HeldBytes } from '../cache/tier-recall.js'
import type { Inodes } from './inodes.js'
import type { Node } from './node.js'
import type { KernelCache } from './operations.js'

/**
 * Bytes of versions as the kernel holds them for programs. Only of files that nobody has written to in this mount: their
 * pages have never been anything but the one version that the node shows.
 */
export class KernelPages implements HeldBytes {
  readonly #inodes: Inodes
  readonly #kernelCache: KernelCache

  constructor(inodes: Inodes, kernelCache: KernelCache) {
    this.#inodes = inodes
    this.#kernelCache = kernelCache
  }

  async read(source: BlockSource, offset: number, memory: Uint8Array): Promise<number> {
    const node = this.#find(source)
    if (node === undefined) return 0
    const gotBytes = await this.#kernelCache.retrieve?.(node.id, offset, memory)
    // Who has opened it for writing meanwhile may have changed pages before this answer was made.
    return this.#find(source) === node ? (gotBytes ?? 0) : 0
  }

  #find({ key, etag, sizeBytes }: BlockSource): Node | undefined {
    const node = this.#inodes.file(key)
    const version = node?.version
    if (version === undefined || node?.hasHadWriter !== false) return undefined
    return version.key === key && version.etag === etag && version.sizeBytes === sizeBytes ? node : undefined
  }
}
