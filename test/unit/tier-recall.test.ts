import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { BlockSource } from '../../src/cache/block.js'
import { BlockCache } from '../../src/cache/block-cache.js'
import type { BlockTier, Seal, WhenBehind } from '../../src/cache/block-tier.js'
import { BufferBudget } from '../../src/cache/buffer-budget.js'
import { MainLane } from '../../src/cache/lanes/main-lane.js'
import { TierRecall } from '../../src/cache/tier-recall.js'
import { HeldTimers } from '../support/held-timers.js'

const KIB = 1024
const MIB = 1024 * KIB
const BLOCK_BYTES = 4 * KIB

/** Has only time to seal, or takes nothing at all. */
class SealingTier implements BlockTier {
  readonly offers: string[] = []
  readonly recalled: string[] = []
  takes = true

  read(): Promise<number> {
    return Promise.resolve(0)
  }

  write(_source: unknown, offset: number, _bytes: unknown, whenBehind: WhenBehind): Promise<boolean | Seal> {
    this.offers.push(`${whenBehind} ${offset}`)
    return Promise.resolve(whenBehind === 'seal' && { offset, sums: new Uint32Array() })
  }

  recall(source: BlockSource, offset: number, bytes: Uint8Array, seal: Seal): Promise<boolean> {
    this.recalled.push(`${source.key} ${offset}+${bytes.length} of ${seal.offset}: ${bytes[0]}`)
    return Promise.resolve(this.takes)
  }

  settled(): Promise<void> {
    return Promise.resolve()
  }
}

const source: BlockSource = { key: 'f', etag: 'e', sizeBytes: 64 * MIB }

function setUp(read: (offset: number, sizeBytes: number) => number | Promise<number> = (_, sizeBytes) => sizeBytes) {
  const tier = new SealingTier()
  const timers = new HeldTimers()
  const asked: string[] = []
  const state = { isBusy: false }
  const held = {
    read: async ({ key }: BlockSource, offset: number, memory: Uint8Array) => {
      asked.push(`${key} ${offset}+${memory.length}`)
      memory.fill(offset / MIB + 1)
      return read(offset, memory.length)
    },
  }
  const recall = new TierRecall({ tier, held, isBusy: () => state.isBusy, timers })
  const leaveOut = (offset: number, end: number) =>
    recall.leftOut.add({ source, offset, end, seal: { offset, sums: new Uint32Array() } })
  return { tier, timers, asked, state, recall, leaveOut }
}

/** Until nothing goes on by itself. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await setImmediate()
}

describe('what a tier has left out', () => {
  it('is brought piece by piece from where it is held, when nobody has read for a moment', async () => {
    const { tier, timers, asked, recall, leaveOut } = setUp()
    leaveOut(0, 2 * MIB + 5)
    leaveOut(8 * MIB, 9 * MIB)
    recall.begin()
    await quiet()
    expect(asked).toEqual([])
    timers.run()
    await quiet()
    expect(asked).toEqual(['f 0+1048576', 'f 1048576+1048576', 'f 2097152+5', 'f 8388608+1048576'])
    expect(tier.recalled).toEqual([
      'f 0+1048576 of 0: 1',
      'f 1048576+1048576 of 0: 2',
      'f 2097152+5 of 0: 3',
      'f 8388608+1048576 of 8388608: 9',
    ])
    expect(recall.leftOut.isEmpty).toBe(true)
  })

  it('waits while the tier has something to do, and goes on where it was', async () => {
    const { timers, asked, state, recall, leaveOut } = setUp(offset => {
      state.isBusy = offset === 0
      return 100
    })
    leaveOut(0, 2 * MIB)
    recall.begin()
    timers.run()
    await quiet()
    expect(asked).toEqual(['f 0+1048576'])
    state.isBusy = false
    recall.begin()
    timers.run()
    await quiet()
    expect(asked).toEqual(['f 0+1048576', 'f 1048576+1048576'])
    expect(recall.leftOut.isEmpty).toBe(true)
  })

  it('is waited for no longer than it takes to bring what there was, whatever is left out meanwhile', async () => {
    const { asked, timers, recall, leaveOut } = setUp((offset, sizeBytes) => {
      if (offset < 1000 * MIB) leaveOut(offset + MIB, offset + 2 * MIB)
      return sizeBytes
    })
    leaveOut(0, MIB)
    await recall.all()
    expect(asked).toEqual(['f 0+1048576'])
    timers.run()
    await quiet()
    expect(asked).toEqual(['f 0+1048576', 'f 1048576+1048576'])
  })

  it('is brought at once for who waits for all of it, also while others read', async () => {
    const { tier, state, recall, leaveOut } = setUp()
    state.isBusy = true
    for (let at = 0; at < 8; at++) leaveOut(at * MIB, (at + 1) * MIB)
    await Promise.all([recall.all(), recall.all()])
    expect(tier.recalled).toHaveLength(8)
  })

  it('is left out where it is held no longer, or a part of it is', async () => {
    const { tier, recall, leaveOut } = setUp(offset => [100, 0, 64 * KIB][offset / MIB] ?? 0)
    leaveOut(0, 3 * MIB)
    await recall.all()
    expect(tier.recalled).toEqual(['f 0+100 of 0: 1', 'f 2097152+65536 of 0: 3'])
  })

  it('is given up when the tier takes nothing any more', async () => {
    const { tier, asked, recall, leaveOut } = setUp()
    tier.takes = false
    for (let at = 0; at < 8; at++) leaveOut(at * MIB, (at + 1) * MIB)
    await recall.all()
    expect(asked).toHaveLength(1)
    expect(recall.leftOut.isEmpty).toBe(true)
  })

  it('is given up when nobody answers', async () => {
    const { tier, timers, recall, leaveOut } = setUp(() => new Promise(() => {}))
    leaveOut(0, 2 * MIB)
    const all = recall.all()
    await quiet()
    timers.run()
    await all
    expect(tier.recalled).toEqual([])
  })

  it('is bounded: the oldest goes', async () => {
    const { asked, recall, leaveOut } = setUp(() => 0)
    for (let at = 0; at < 4097; at++) leaveOut(at, at + 1)
    await recall.all()
    expect(asked).toHaveLength(4096)
    expect(asked[0]).toBe('f 1+1')
  })
})

describe('a block that a tier has sealed', () => {
  const SIZE_BYTES = 10 * BLOCK_BYTES

  async function readThrough(isHeld: boolean) {
    const store = openMemoryStore(`tier-recall-${isHeld}`)
    const { etag } = await store.put('f', Buffer.alloc(SIZE_BYTES, 7))
    const tier = new SealingTier()
    const memory = new BufferBudget(8 * BLOCK_BYTES)
    const cache = new BlockCache({ lane: new MainLane(store), memory, blockSizeBytes: BLOCK_BYTES, tier })
    if (isHeld) cache.recallFrom({ read: async (_source, _offset, bytes) => bytes.fill(7).length })
    const file = { key: 'f', etag, sizeBytes: SIZE_BYTES }
    const reader = {}
    for (let at = 0; at < SIZE_BYTES; at += BLOCK_BYTES) {
      cache.readAhead(file, at, BLOCK_BYTES, reader)
      await cache.readBytes(file, at, BLOCK_BYTES)
    }
    return { cache, tier, file }
  }

  it('is asked for where else it is held as soon as memory holds it no longer, and not before', async () => {
    const { cache, tier, file } = await readThrough(true)
    await cache.settled()
    const places = Array.from({ length: 10 }, (_, index) => index * BLOCK_BYTES)
    // Half of the memory keeps what is not put away.
    expect(tier.recalled).toEqual(places.slice(0, 6).map(at => `f ${at}+${BLOCK_BYTES} of ${at}: 7`))
    expect(tier.offers.filter(offer => offer.startsWith('seal'))).toEqual(places.map(at => `seal ${at}`))
    // From there it is offered again, without hurry, when the tier has nothing to do, and when it is read.
    expect(tier.offers.filter(offer => offer.startsWith('refuse')).length).toBeGreaterThan(0)
    const count = tier.offers.length
    await cache.readBytes(file, 9 * BLOCK_BYTES, 1)
    expect(tier.offers.slice(count)).toEqual([`refuse ${9 * BLOCK_BYTES}`])
  })

  it('waits in memory where it is held nowhere else', async () => {
    const { cache, tier } = await readThrough(false)
    await cache.settled()
    expect(tier.recalled).toEqual([])
    expect(new Set(tier.offers.map(offer => offer.split(' ')[0]))).toEqual(new Set(['wait']))
  })
})
