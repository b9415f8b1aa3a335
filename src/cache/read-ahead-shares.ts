import type { Block } from './block.js'
import { costOf } from './block-buffers.js'

/** Who has brought how much that nobody has read yet. All together are bounded, and each has the same share. */
export class ReadAheadShares {
  readonly #maxBytes: () => number
  readonly #bytes = new Map<object, number>()
  #totalBytes = 0

  /** `maxBytes` is asked whenever it matters. */
  constructor(maxBytes: () => number) {
    this.#maxBytes = maxBytes
  }

  /** How much more an owner may bring. */
  room(owner: object): number {
    const own = this.#bytes.get(owner) ?? 0
    const owners = this.#bytes.size + (own === 0 ? 1 : 0)
    const maxBytes = this.#maxBytes()
    return Math.max(0, Math.min(maxBytes - this.#totalBytes, Math.floor(maxBytes / owners) - own))
  }

  has(owner: object): boolean {
    return this.#bytes.has(owner)
  }

  /** The block counts for its owner until it is `given`. */
  take(block: Block): void {
    if (block.owner !== undefined) this.#add(block.owner, costOf(block.memory.length))
  }

  /** The block has been read or given up: it is nobody's any more. */
  give(block: Block): void {
    if (block.owner === undefined) return
    this.#add(block.owner, -costOf(block.memory.length))
    block.owner = undefined
  }

  /** It counts for another owner. */
  hand(block: Block, owner: object): void {
    this.give(block)
    block.owner = owner
    this.take(block)
  }

  #add(owner: object, bytes: number): void {
    this.#totalBytes += bytes
    const own = (this.#bytes.get(owner) ?? 0) + bytes
    if (own === 0) this.#bytes.delete(owner)
    else this.#bytes.set(owner, own)
  }
}
