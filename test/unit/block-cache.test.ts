import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { Meter } from '../../src/backend/layers/meter.js'
import { MeteringLayer } from '../../src/backend/layers/metering-layer.js'
import { StoreLayer } from '../../src/backend/layers/store-layer.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ByteRange, PrepareReadOptions } from '../../src/backend/object-store.js'
import { BlockCache } from '../../src/cache/block-cache.js'
import type { BlockTier } from '../../src/cache/block-tier.js'
import { BufferBudget } from '../../src/cache/buffer-budget.js'
import type { AnsweringThreads } from '../../src/cache/lanes/answering-threads.js'
import { MainLane } from '../../src/cache/lanes/main-lane.js'

const KIB = 1024
let stores = 0

async function setUp(sizeBytes: number, rules = new FaultRules([])) {
  stores += 1
  const store = openMemoryStore(`block-cache-${stores}`)
  const bytes = Buffer.alloc(sizeBytes)
  for (let i = 0; i < sizeBytes; i++) bytes[i] = (i * 31 + (i >> 8)) & 0xff
  const { etag } = await store.put('f', bytes)
  const meter = new Meter()
  const lane = new MainLane(new MeteringLayer(new FaultLayer(store, rules), meter))
  const cache = new BlockCache({ lane, memory: new BufferBudget(64 * KIB), blockSizeBytes: 4 * KIB })
  const gets = () => meter.snapshot().get?.requests ?? 0
  return { lane, cache, source: { key: 'f', etag, sizeBytes }, bytes, gets, store }
}

describe('BlockCache', () => {
  it('answers any range with views of its blocks and fetches no block twice', async () => {
    const { cache, source, bytes, gets } = await setUp(30_001)
    for (const [offset, size] of [
      [0, 1],
      [4095, 2],
      [0, 30_001],
      [29_999, 500],
    ] as const)
      expect((await cache.readBytes(source, offset, size)).equals(bytes.subarray(offset, offset + size))).toBe(true)
    // Block 0; block 1; the six that were still missing, with one request.
    expect(gets()).toBe(3)
  })

  it('sends nothing behind the end of the object', async () => {
    const { cache, source, gets } = await setUp(10)
    expect((await cache.readBytes(source, 10, 5)).length).toBe(0)
    expect(gets()).toBe(0)
  })

  it('shares one request among readers that come at the same time', async () => {
    const { cache, source, bytes, gets } = await setUp(20_000)
    const reads = await Promise.all(Array.from({ length: 10 }, () => cache.readBytes(source, 100, 15_000)))
    for (const read of reads) expect(read.equals(bytes.subarray(100, 15_100))).toBe(true)
    expect(gets()).toBe(1)
  })

  it('stays within its bound and asks again for what it had to drop', async () => {
    const { cache, source, bytes, gets } = await setUp(200_000)
    for (let at = 0; at < 200_000; at += 8192) await cache.readBytes(source, at, 8192)
    expect(cache.heldBytes).toBeLessThanOrEqual(64 * KIB)
    const before = gets()
    expect((await cache.readBytes(source, 0, 10)).equals(bytes.subarray(0, 10))).toBe(true)
    expect(gets()).toBe(before + 1)
  })

  it('does not reuse memory that a reply still looks at', async () => {
    const { cache, source, bytes } = await setUp(200_000)
    let views: readonly Uint8Array[] = []
    let release = () => {}
    const reply = {
      send: (sent: readonly Uint8Array[], done: () => void) => {
        views = sent
        release = done
      },
    }
    await cache.read(source, 0, 8192, reply)
    for (let at = 8192; at < 200_000; at += 8192) await cache.readBytes(source, at, 8192)
    expect(Buffer.concat(views).equals(bytes.subarray(0, 8192))).toBe(true)
    release()
  })

  it('rejects for everybody who waits, and asks anew the next time', async () => {
    const rules = new FaultRules([{ operations: ['get'], nth: 2, fault: { cutBodyAfterBytes: 5000 } }])
    const { cache, source, bytes } = await setUp(20_000, rules)
    const first = cache.readBytes(source, 0, 100)
    const both = await Promise.allSettled([cache.readBytes(source, 0, 20_000), cache.readBytes(source, 12_000, 10)])
    expect(both.map(one => one.status)).toEqual(['rejected', 'rejected'])
    expect((await first).equals(bytes.subarray(0, 100))).toBe(true)
    expect((await cache.readBytes(source, 0, 20_000)).equals(bytes)).toBe(true)
  })

  it('rejects when the object has changed', async () => {
    const { cache, source, store } = await setUp(100)
    await store.put('f', Buffer.from('other'))
    await expect(cache.readBytes(source, 0, 100)).rejects.toMatchObject({ kind: 'precondition-failed' })
  })

  it('reads ahead within its share, for which a later read sends no request', async () => {
    const { cache, source, gets } = await setUp(200_000)
    const owner = {}
    expect(cache.readAhead(source, 0, 16 * KIB, owner)).toBe(16 * KIB)
    expect(cache.readAhead(source, 16 * KIB, 64 * KIB, owner)).toBe(16 * KIB)
    await cache.readBytes(source, 1000, 10_000)
    expect(gets()).toBe(1)
  })

  it('ends read-ahead that nobody waits for, and serves later readers all the same', async () => {
    const rules = new FaultRules([{ operations: ['get'], nth: 1, fault: { delayMs: Number.POSITIVE_INFINITY } }])
    const { cache, source, bytes } = await setUp(20_000, rules)
    const owner = {}
    cache.readAhead(source, 0, 8 * KIB, owner)
    cache.cancelReadAhead(owner)
    expect((await cache.readBytes(source, 0, 100)).equals(bytes.subarray(0, 100))).toBe(true)
  })

  it('lets one reader give up while others go on waiting', async () => {
    const rules = new FaultRules([{ operations: ['get'], nth: 1, fault: { delayMs: 20 } }])
    const { cache, source, bytes } = await setUp(20_000, rules)
    const abort = new AbortController()
    const given = cache.readBytes(source, 0, 100, abort.signal)
    const kept = cache.readBytes(source, 0, 100)
    abort.abort()
    await expect(given).rejects.toMatchObject({ kind: 'aborted' })
    expect((await kept).equals(bytes.subarray(0, 100))).toBe(true)
  })

  it('ends the request of readers that have all given up, and asks anew for the next', async () => {
    const rules = new FaultRules([{ operations: ['get'], nth: 1, fault: { delayMs: Number.POSITIVE_INFINITY } }])
    const { cache, source, bytes } = await setUp(20_000, rules)
    const [one, other] = [new AbortController(), new AbortController()]
    const readers = [one, other].map(({ signal }) => cache.readBytes(source, 0, 100, signal))
    one.abort()
    other.abort()
    for (const reader of readers) await expect(reader).rejects.toMatchObject({ kind: 'aborted' })
    expect((await cache.readBytes(source, 0, 100)).equals(bytes.subarray(0, 100))).toBe(true)
    await expect.poll(() => cache.heldBytes).toBe(4 * KIB)
  })

  it('ends the request of who has opened a file and given up', async () => {
    const rules = new FaultRules([{ operations: ['get'], nth: 1, fault: { delayMs: Number.POSITIVE_INFINITY } }])
    const { cache, source } = await setUp(20_000, rules)
    const opening = new AbortController()
    const opened = cache.fetch(source, 0, 100, opening.signal)
    opening.abort(new Error('killed'))
    await expect(opened).rejects.toThrow('killed')
    await expect.poll(() => cache.heldBytes).toBe(0)
    await cache.fetch(source, 0, 100)
  })

  it('asks the tier first, the store for the rest, and offers the tier the whole block then', async () => {
    const { lane, source, bytes, gets } = await setUp(20_000)
    const written: { readonly offset: number; readonly bytes: Buffer }[] = []
    let letGo = () => {}
    const tier: BlockTier = {
      read: async (_source, offset, memory) => {
        // It has the first 6,000 bytes of the object.
        const part = bytes.subarray(offset, Math.min(offset + memory.length, 6000))
        memory.set(part)
        return part.length
      },
      write: (_source, offset, given) => {
        written.push({ offset, bytes: given as Buffer })
        if (written.length > 1) return Promise.resolve(true)
        return new Promise(resolve => {
          letGo = () => resolve(true)
        })
      },
      recall: async () => false,
      settled: () => Promise.resolve(),
    }
    const cache = new BlockCache({ lane, memory: new BufferBudget(16 * KIB), blockSizeBytes: 4 * KIB, tier })
    expect((await cache.readBytes(source, 0, 4096)).equals(bytes.subarray(0, 4096))).toBe(true)
    expect(gets()).toBe(0)
    expect((await cache.readBytes(source, 4096, 8192)).equals(bytes.subarray(4096, 12_288))).toBe(true)
    expect(gets()).toBe(1)
    // What it is writing stays as it is while other blocks come and go.
    for (let at = 12_288; at < 20_000; at += 100) await cache.readBytes(source, at, 100)
    expect(written[0]?.offset).toBe(4096)
    expect(written[0]?.bytes.equals(bytes.subarray(4096, 12_288))).toBe(true)
    letGo()
  })

  it('waits for room in line, and lets who gives up out of it', async () => {
    const { cache, source, bytes, gets } = await setUp(200_000)
    const held: (() => void)[] = []
    const reply = { send: (_views: readonly Uint8Array[], release: () => void) => void held.push(release) }
    for (let at = 0; at < 64 * KIB; at += 16 * KIB) await cache.read(source, at, 16 * KIB, reply)
    const abort = new AbortController()
    const given = cache.readBytes(source, 100_000, 8192, abort.signal)
    const waits = cache.readBytes(source, 120_000, 8192)
    // What is there is answered meanwhile.
    expect((await cache.readBytes(source, 10, 10)).equals(bytes.subarray(10, 20))).toBe(true)
    expect(gets()).toBe(4)
    abort.abort()
    await expect(given).rejects.toMatchObject({ kind: 'aborted' })
    held[0]?.()
    expect((await waits).equals(bytes.subarray(120_000, 128_192))).toBe(true)
    for (const release of held.slice(1)) release()
  })

  it('waits for what others give back, and does not give up for it what was brought ahead just now', async () => {
    let nowMs = 0
    const { lane, source, gets } = await setUp(200_000)
    const memory = new BufferBudget(64 * KIB)
    const cache = new BlockCache({ lane, memory, blockSizeBytes: 4 * KIB, nowMs: () => nowMs })
    const held: (() => void)[] = []
    const reply = { send: (_views: readonly Uint8Array[], release: () => void) => void held.push(release) }
    cache.readAhead(source, 0, 48 * KIB, {})
    await cache.read(source, 64 * KIB, 8 * KIB, reply)
    await cache.read(source, 72 * KIB, 8 * KIB, reply)
    const waits = cache.readBytes(source, 80 * KIB, 8 * KIB)
    await cache.readBytes(source, 0, 4 * KIB)
    expect(gets()).toBe(3)
    held[0]?.()
    await waits
    await cache.readBytes(source, 0, 48 * KIB)
    expect(gets()).toBe(4)
    // Whose reader has been slow goes before who waits has to.
    cache.readAhead(source, 100 * KIB, 40 * KIB, {})
    await cache.fetch(source, 100 * KIB, 40 * KIB)
    const late = cache.readBytes(source, 150 * KIB, 40 * KIB)
    expect(gets()).toBe(5)
    nowMs = 2001
    await late
    held[1]?.()
  })

  it('answers a read that is larger than its bound, alone', async () => {
    const { cache, source, bytes } = await setUp(200_000)
    const [large] = await Promise.all([cache.readBytes(source, 0, 200_000), cache.readBytes(source, 0, 100)])
    expect(large.equals(bytes)).toBe(true)
    await cache.readBytes(source, 0, 100)
    expect(cache.heldBytes).toBeLessThanOrEqual(200_000)
  })

  it('answers a read that is larger than its bound while the tier below is not done with what it was given', async () => {
    const { lane, source, bytes } = await setUp(200_000)
    const tier: BlockTier = {
      read: async () => 0,
      write: () => new Promise(() => {}),
      recall: async () => false,
      settled: () => Promise.resolve(),
    }
    const cache = new BlockCache({ lane, memory: new BufferBudget(64 * KIB), blockSizeBytes: 4 * KIB, tier })
    await cache.readBytes(source, 0, 1)
    expect((await cache.readBytes(source, 4096, 150_000)).equals(bytes.subarray(4096, 154_096))).toBe(true)
  })

  it('tells read-ahead that a program waits for it, also one that opens the file', async () => {
    const { source, store } = await setUp(20_000)
    const asked: PrepareReadOptions[] = []
    const watched = new (class extends StoreLayer {
      override prepareRead(key: string, range: ByteRange, options: PrepareReadOptions = {}) {
        asked.push(options)
        return super.prepareRead(key, range, options)
      }
    })(store)
    const cache = new BlockCache({
      lane: new MainLane(watched),
      memory: new BufferBudget(64 * KIB),
      blockSizeBytes: 4 * KIB,
    })
    cache.readAhead(source, 0, 8 * KIB, {})
    await cache.fetch(source, 0, 4 * KIB)
    expect(asked.map(({ urged }) => urged?.isUrged)).toEqual([true])
  })

  it('hands a read once more to a thread that gave it back, when its bytes have come meanwhile', async () => {
    const { lane, source } = await setUp(100_000)
    let handed = 0
    const threads: AnsweringThreads = {
      loadAnswerer: () => undefined,
      hand: (_unique, _parts, _whenGone, onEnd) => {
        handed += 1
        void cache.fetch(source, 0, 100_000).then(() => onEnd(handed === 2))
        return true
      },
    }
    const memory = new BufferBudget(256 * KIB)
    const cache = new BlockCache({ lane, memory, blockSizeBytes: 4 * KIB, threads })
    const did: string[] = []
    const send = () => did.push('sent')
    await cache.read(source, 0, 100_000, { send, ticket: { unique: 1, answered: () => did.push('answered') } })
    expect(did).toEqual(['answered'])
    expect(handed).toBe(2)
  })

  it('gives read-ahead up that nobody came for, when other readers need its share', async () => {
    let nowMs = 0
    const { lane, source, gets } = await setUp(200_000)
    const cache = new BlockCache({
      lane,
      memory: new BufferBudget(64 * KIB),
      blockSizeBytes: 4 * KIB,
      nowMs: () => nowMs,
    })
    for (let at = 0; at < 48; at += 12) cache.readAhead(source, at * KIB, 12 * KIB, { reader: at })
    await cache.readBytes(source, 100_000, 10)
    await expect.poll(gets).toBe(5)
    const late = {}
    expect(cache.readAhead(source, 120_000, 4096, late)).toBe(120_000)
    nowMs = 60_000
    expect(cache.readAhead(source, 120_000, 4096, late)).toBe(124_096)
  })

  it('keeps what was brought ahead for who reads it slowly', async () => {
    let nowMs = 0
    const { lane, source, gets } = await setUp(200_000)
    const memory = new BufferBudget(64 * KIB)
    const cache = new BlockCache({ lane, memory, blockSizeBytes: 4 * KIB, nowMs: () => nowMs })
    for (let at = 0; at < 48; at += 12) cache.readAhead(source, at * KIB, 12 * KIB, { reader: at })
    await expect.poll(gets).toBe(4)
    for (nowMs = 100; nowMs < 50_000; nowMs += 24_000) await cache.readBytes(source, 0, KIB)
    // The others have gone by then.
    expect(cache.readAhead(source, 120 * KIB, 24 * KIB, {})).toBe(144 * KIB)
    await expect.poll(gets).toBe(5)
    await cache.readBytes(source, 4 * KIB, 8 * KIB)
    expect(gets()).toBe(5)
    await cache.readBytes(source, 12 * KIB, 4 * KIB)
    expect(gets()).toBe(6)
  })
})
