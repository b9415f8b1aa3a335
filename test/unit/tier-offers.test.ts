import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { Block } from '../../src/cache/block.js'
import { BlockCache } from '../../src/cache/block-cache.js'
import type { BlockTier, Seal } from '../../src/cache/block-tier.js'
import { BufferBudget } from '../../src/cache/buffer-budget.js'
import { MainLane } from '../../src/cache/lanes/main-lane.js'
import { TierOffers } from '../../src/cache/tier-offers.js'

const KIB = 1024
const BLOCK_BYTES = 4 * KIB

/** Takes one block at a time, and is done with it when it is told so. */
class NarrowTier implements BlockTier {
  readonly offsets: number[] = []
  #finish: (() => void) | undefined
  #settled = Promise.resolve()

  read(): Promise<number> {
    return Promise.resolve(0)
  }

  write(_source: unknown, offset: number): Promise<boolean> {
    if (this.#finish !== undefined) return Promise.resolve(false)
    this.offsets.push(offset)
    const written = new Promise<boolean>(resolve => {
      this.#finish = () => resolve(true)
    })
    this.#settled = written.then(() => undefined)
    return written
  }

  recall(): Promise<boolean> {
    return Promise.resolve(false)
  }

  settled(): Promise<void> {
    return this.#settled
  }

  finish(): void {
    const finish = this.#finish
    this.#finish = undefined
    finish?.()
  }
}

let stores = 0

async function setUp(budgetBytes: number) {
  const store = openMemoryStore(`tier-offers-${stores++}`)
  const sizeBytes = 10 * BLOCK_BYTES
  const { etag } = await store.put('f', Buffer.alloc(sizeBytes, 7))
  const tier = new NarrowTier()
  const memory = new BufferBudget(budgetBytes)
  const cache = new BlockCache({ lane: new MainLane(store), memory, blockSizeBytes: BLOCK_BYTES, tier })
  return { cache, tier, source: { key: 'f', etag, sizeBytes } }
}

describe('what a tier could not take at once', () => {
  it('is offered again while nobody reads, and settles', async () => {
    const { cache, tier, source } = await setUp(64 * KIB)
    const reader = {}
    for (let at = 0; at < source.sizeBytes; at += BLOCK_BYTES) {
      cache.readAhead(source, at, BLOCK_BYTES, reader)
      await cache.readBytes(source, at, BLOCK_BYTES)
    }
    expect(tier.offsets).toEqual([0])
    let isSettled = false
    const settled = cache.settled().then(() => {
      isSettled = true
    })
    for (let count = 1; count <= 10; count++) {
      await expect.poll(() => tier.offsets.length).toBe(count)
      expect(isSettled).toBe(false)
      tier.finish()
    }
    await settled
    const all = Array.from({ length: 10 }, (_, index) => index * BLOCK_BYTES)
    expect([...tier.offsets].sort((a, b) => a - b)).toEqual(all)
  })

  it('goes when others need the memory, and is offered no more', async () => {
    const { cache, tier, source } = await setUp(4 * BLOCK_BYTES)
    for (let at = 0; at < source.sizeBytes; at += BLOCK_BYTES) await cache.readBytes(source, at, BLOCK_BYTES)
    expect(cache.heldBytes).toBeLessThanOrEqual(4 * BLOCK_BYTES)
    const settled = cache.settled()
    for (let count = 1; count <= 4; count++) {
      await expect.poll(() => tier.offsets.length).toBe(count)
      tier.finish()
    }
    await settled
    expect(tier.offsets).toHaveLength(4)
  })

  it('comes from elsewhere where it was given up while it was on offer, and was sealed', async () => {
    const recalled: number[] = []
    let seal = (_outcome: Seal) => {}
    const offers = new TierOffers(
      {
        read: async () => 0,
        write: () =>
          new Promise(resolve => {
            seal = resolve
          }),
        recall: async (_source, offset) => recalled.push(offset) > 0,
        settled: async () => {},
      },
      () => {},
    )
    offers.recallFrom({ read: async (_source, _offset, memory) => memory.length })
    const source = { key: 'f', etag: 'e', sizeBytes: BLOCK_BYTES }
    const block = new Block(source, 0, Buffer.alloc(BLOCK_BYTES), undefined, () => {})
    offers.offer(block)
    block.drop()
    seal({ offset: 0, sums: new Uint32Array() })
    await setImmediate()
    await offers.settled()
    expect(recalled).toEqual([0])
  })
})
