import { SYSTEM_TIMERS } from '../backend/timers.js'
import type { Block } from './block.js'
import type { BlockTier, WhenBehind } from './block-tier.js'
import { type HeldBytes, TierRecall } from './tier-recall.js'

/**
 * What the tier below is offered. What it does not take at once, since more came than it could put away, is offered again
 * whenever it has been able to do something, as long as it is in memory, and when it is read. What it has sealed by then
 * and is in memory no longer is brought from where else it is held, when the tier has nothing to do.
 *
 * Invariant: a block is either on offer, and pinned, or `isOwed` and in `#owed` or `#sealed`, or neither.
 */
export class TierOffers {
  readonly tier: BlockTier
  readonly #onEnd: (block: Block) => void
  /** The first offered first. */
  readonly #owed = new Set<Block>()
  /** Owed, and known again by the tier: they can wait. */
  readonly #sealed = new Set<Block>()
  #recall: TierRecall | undefined
  #onOffer = 0
  #takenCount = 0

  /** `onEnd` is called when a block has been taken or refused. */
  constructor(tier: BlockTier, onEnd: (block: Block) => void) {
    this.tier = tier
    this.#onEnd = onEnd
  }

  /** Where bytes are held that are in memory no longer. */
  recallFrom(held: HeldBytes): void {
    const { tier } = this
    this.#recall = new TierRecall({ tier, held, isBusy: () => this.#onOffer > 0, timers: SYSTEM_TIMERS })
  }

  /** Offers a complete block. Nobody waits for the tier to be done with it: it may take long. */
  offer(block: Block): void {
    this.#settle(block)
    this.#onOffer += 1
    block.pin()
    void this.tier.write(block.source, block.offset, block.memory, this.#whenBehind(block)).then(outcome => {
      this.#onOffer -= 1
      if (outcome === true) this.#takenCount += 1
      else {
        if (outcome !== false) block.seal = outcome
        if (block.isDropped) this.#leaveOut(block)
        else {
          block.isOwed = true
          this.#placeOf(block).add(block)
        }
      }
      block.unpin()
      this.#onEnd(block)
      if (outcome !== false) this.#offerNext(outcome === true || this.#onOffer === 0)
      if (this.#onOffer === 0) this.#recall?.begin()
    })
  }

  /** The block is in memory no longer. */
  forget(block: Block): void {
    if (block.isOwed) this.#leaveOut(block)
    this.#settle(block)
  }

  /** It can come from elsewhere where the tier knows it again. */
  #leaveOut({ source, offset, end, seal }: Block): void {
    if (seal !== undefined) this.#recall?.leftOut.add({ source, offset, end, seal })
  }

  /** Without a place from where it could come later, it waits as long as its memory is not needed. */
  #whenBehind({ seal }: Block): WhenBehind {
    if (this.#recall === undefined) return 'wait'
    return seal === undefined ? 'seal' : 'refuse'
  }

  #settle(block: Block): void {
    block.isOwed = false
    this.#placeOf(block).delete(block)
  }

  #placeOf({ seal }: Block): Set<Block> {
    return seal === undefined ? this.#owed : this.#sealed
  }

  /** Resolves when the tier has put away all that it was offered, and when it gets no further. Never rejects. */
  async settled(): Promise<void> {
    let before: number
    do {
      before = this.#takenCount
      await this.tier.settled()
    } while (this.#onOffer > 0 && this.#takenCount > before)
    await this.#recall?.all()
  }

  #offerNext(hasTime: boolean): void {
    const [next] = this.#owed.size > 0 || !hasTime ? this.#owed : this.#sealed
    if (next !== undefined) this.offer(next)
  }
}
