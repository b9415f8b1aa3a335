import type { Block } from './block.js'
import type { BlockTier } from './block-tier.js'

/**
 * What the tier below is offered. What it does not take at once, since more came than it could put away, is offered again
 * whenever it has put something away, as long as it is in memory, and when it is read.
 *
 * Invariant: a block is either on offer, and pinned, or `isOwed` and in `#owed`, or neither.
 */
export class TierOffers {
  readonly tier: BlockTier
  readonly #onEnd: (block: Block) => void
  /** The first offered first. */
  readonly #owed = new Set<Block>()
  #onOffer = 0
  #takenCount = 0

  /** `onEnd` is called when a block has been taken or refused. */
  constructor(tier: BlockTier, onEnd: (block: Block) => void) {
    this.tier = tier
    this.#onEnd = onEnd
  }

  /** Offers a complete block. Nobody waits for the tier to be done with it: it may take long. */
  offer(block: Block): void {
    this.forget(block)
    this.#onOffer += 1
    block.pin()
    void this.tier.write(block.source, block.offset, block.memory).then(isTaken => {
      this.#onOffer -= 1
      if (isTaken) this.#takenCount += 1
      else if (!block.isDropped) {
        block.isOwed = true
        this.#owed.add(block)
      }
      block.unpin()
      this.#onEnd(block)
      if (isTaken) this.#offerNext()
    })
  }

  /** The block is in memory no longer. */
  forget(block: Block): void {
    block.isOwed = false
    this.#owed.delete(block)
  }

  /** Resolves when the tier has put away all that it was offered, and when it gets no further. Never rejects. */
  async settled(): Promise<void> {
    let before: number
    do {
      before = this.#takenCount
      await this.tier.settled()
    } while (this.#onOffer > 0 && this.#takenCount > before)
  }

  #offerNext(): void {
    for (const block of this.#owed) {
      this.offer(block)
      return
    }
  }
}
