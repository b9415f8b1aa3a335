import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ByteRange } from '../../src/backend/object-store.js'
import { BlockCache } from '../../src/cache/block-cache.js'
import { BufferBudget } from '../../src/cache/buffer-budget.js'
import type { AnsweringThreads } from '../../src/cache/lanes/answering-threads.js'
import { MainLane } from '../../src/cache/lanes/main-lane.js'
import type { ReadReply } from '../../src/cache/lanes/read-reply.js'
import { FileReads } from '../../src/fs/file-reads.js'
import { Reader } from '../../src/fs/reader.js'
import { FarStore, VirtualTime, type Way } from '../support/far-store.js'

const MIB = 1024 ** 2
const GIB = 1024 ** 3
const CELL_BYTES = 64 * 1024

/** One connection is as fast as all together. */
const NEAR: Way = { latencyMs: 0.5, connectionBytesPerMs: 1_500_000, bytesPerMs: 1_500_000 }
const FAR: Way = { latencyMs: 20, connectionBytesPerMs: 90_000, bytesPerMs: 3_000_000 }

const REPLY: ReadReply = { send: (_views, release) => release() }
const NEVER = new AbortController()

/** They give every read back. */
const THREADS: AnsweringThreads = { loadAnswerer: () => undefined, hand: () => false }

function setUp(way: Way, maxBytes = 128 * MIB, maxWindowBytes = 96 * MIB, threads?: AnsweringThreads) {
  const time = new VirtualTime()
  const store = new FarStore(time, way)
  const nowMs = () => time.nowMs
  const cache = new BlockCache({
    lane: new MainLane(store, undefined, nowMs),
    memory: new BufferBudget(maxBytes),
    blockSizeBytes: CELL_BYTES,
    threads,
    nowMs,
  })
  const reader = new Reader(cache, maxWindowBytes, nowMs)
  return { time, store, cache, reader }
}

interface Reading {
  readonly key: string
  readonly sizeBytes: number
  readonly pieceBytes: number
  /** What the program does with each piece. */
  readonly msPerPiece: number
}

/** As the kernel reads for a program: two pieces are on their way at a time. */
async function readThrough(time: VirtualTime, reader: Reader, reading: Reading): Promise<void> {
  const { sizeBytes, pieceBytes } = reading
  const { ask, end } = opened(reader, reading.key, sizeBytes, pieceBytes)
  let next = ask(0)
  for (let offset = 0; offset < sizeBytes; offset += pieceBytes) {
    await next
    next = ask(offset + pieceBytes)
    await time.sleep(reading.msPerPiece)
  }
  await next
  end()
}

/**
 * As the kernel reads one file for programs side by side: whoever comes to a piece first asks for it, and for the next
 * one, and all others find it there. `pausesMs` has what each program does with the pieces, over and over.
 */
async function readSideBySide(time: VirtualTime, reader: Reader, reading: Reading, pausesMs: readonly number[][]) {
  const { sizeBytes, pieceBytes } = reading
  const file = new FileReads()
  const pages = new Map<number, Promise<void>>()
  const readAll = async (pauses: readonly number[]) => {
    const { ask, end } = opened(reader, reading.key, sizeBytes, pieceBytes, file)
    const page = (offset: number) => {
      const known = pages.get(offset) ?? (offset < sizeBytes ? ask(offset) : Promise.resolve())
      pages.set(offset, known)
      return known
    }
    for (let offset = 0; offset < sizeBytes; offset += pieceBytes) {
      await time.sleep(pauses[(offset / pieceBytes) % pauses.length] ?? 0)
      await Promise.all([page(offset), page(offset + pieceBytes)])
    }
    end()
  }
  await time.until(Promise.all(pausesMs.map(readAll)))
}

function opened(reader: Reader, key: string, sizeBytes: number, pieceBytes: number, file = new FileReads()) {
  const source = { key, etag: 'e', sizeBytes }
  const reads = file.open()
  return {
    ask: (offset: number) => reader.read(source, offset, pieceBytes, reads, REPLY, NEVER),
    end: () => reader.end(source, reads),
  }
}

describe('reading ahead', () => {
  it.for([MIB, MIB / 8])(
    'of a stream far away is as fast as the bounds allow, by pieces of %i bytes',
    async pieceBytes => {
      const { time, store, reader } = setUp(FAR)
      const reading = { key: 'f', sizeBytes: GIB, pieceBytes, msPerPiece: (0.5 * pieceBytes) / MIB }
      await time.until(readThrough(time, reader, reading))
      expect(GIB / time.nowMs).toBeGreaterThan(1_100_000)
      expect(store.sentBytes).toBe(GIB)
      expect(store.mostOpen).toBeLessThanOrEqual(24)
      expect(store.ranges.length).toBeLessThan(300)
    },
  )

  it('of a stream from near by takes few large requests and little memory', async () => {
    const { time, store, cache, reader } = setUp(NEAR)
    let mostBytes = 0
    const look = () => {
      mostBytes = Math.max(mostBytes, cache.heldBytes)
    }
    await time.until(readThrough(time, reader, { key: 'f', sizeBytes: GIB, pieceBytes: MIB, msPerPiece: 0.5 }), look)
    expect(store.sentBytes).toBe(GIB)
    expect(store.ranges.length).toBeLessThan(280)
    expect(mostBytes).toBeLessThan(64 * MIB)
    expect(GIB / time.nowMs).toBeGreaterThan(1_400_000)
  })

  it('takes a quarter as many where threads receive them, unless the store is far or the reader slow', async () => {
    const requestsFor = async (way: Way, msPerPiece: number) => {
      const { time, store, cache, reader } = setUp(way, 128 * MIB, 96 * MIB, THREADS)
      const check = () => expect(cache.heldBytes).toBeLessThanOrEqual(way === FAR ? 128 * MIB : 120 * MIB)
      await time.until(readThrough(time, reader, { key: 'f', sizeBytes: GIB, pieceBytes: MIB, msPerPiece }), check)
      return store.ranges.length
    }
    expect(await requestsFor(NEAR, 0.5)).toBeLessThan(85)
    expect(await requestsFor(FAR, 0.5)).toBeGreaterThan(250)
    expect(await requestsFor(NEAR, 10)).toBeGreaterThan(250)
  })

  it('goes no further than a slow reader needs', async () => {
    const { time, store, reader } = setUp(FAR)
    const { ask } = opened(reader, 'f', GIB, MIB / 8)
    const readBytes = 64 * MIB
    const readSlowly = async () => {
      for (let offset = 0; offset < readBytes; offset += MIB / 8) {
        await ask(offset)
        await time.sleep(100)
      }
    }
    await time.until(readSlowly())
    expect(store.sentBytes - readBytes).toBeLessThanOrEqual(12 * MIB)
  })

  it('shares the bounds between readers of several files, who are as fast together as one alone', async () => {
    const { time, store, cache, reader } = setUp(FAR)
    const check = () => expect(cache.heldBytes).toBeLessThanOrEqual(128 * MIB)
    const readings = ['a', 'b', 'c', 'd'].map(key => ({ key, sizeBytes: GIB / 4, pieceBytes: MIB, msPerPiece: 0.5 }))
    await time.until(Promise.all(readings.map(reading => readThrough(time, reader, reading))), check)
    expect(store.sentBytes).toBe(GIB)
    expect(GIB / time.nowMs).toBeGreaterThan(1_100_000)
  })

  it('serves more readers than there is memory for, all of them to the end, and fetches nothing twice', async () => {
    const { time, store, cache, reader } = setUp(FAR, 8 * MIB, 6 * MIB)
    const check = () => expect(cache.heldBytes).toBeLessThanOrEqual(8 * MIB)
    const sizeBytes = 4 * MIB
    const readings = Array.from({ length: 64 }, (_, i) => ({ key: `f${i}`, sizeBytes, pieceBytes: MIB, msPerPiece: 1 }))
    await time.until(Promise.all(readings.map(reading => readThrough(time, reader, reading))), check)
    expect(store.sentBytes).toBe(64 * sizeBytes)
  })

  it('lets two readers of one file share what is fetched', async () => {
    const { time, store, reader } = setUp(FAR)
    const reading = { key: 'f', sizeBytes: 64 * MIB, pieceBytes: MIB, msPerPiece: 1 }
    await time.until(Promise.all([readThrough(time, reader, reading), readThrough(time, reader, reading)]))
    expect(store.sentBytes).toBe(reading.sizeBytes)
  })

  it('lets programs that read one file side by side share a stream, whoever of them comes first to a place', async () => {
    const pauses = fc.array(fc.oneof(fc.constant(1), fc.nat(60)), { minLength: 1, maxLength: 20 })
    const property = fc.asyncProperty(
      fc.array(pauses, { minLength: 2, maxLength: 6 }),
      fc.constantFrom(MIB, MIB / 8),
      async (pausesMs, pieceBytes) => {
        const { time, store, reader } = setUp(FAR)
        const reading = { key: 'f', sizeBytes: 48 * MIB + 12_345, pieceBytes, msPerPiece: 0 }
        await readSideBySide(time, reader, reading, pausesMs)
        expect(store.sentBytes).toBe(reading.sizeBytes)
      },
    )
    await fc.assert(property, { numRuns: 30 })
  })

  it('goes on for who reads behind another that closes the file', async () => {
    const { time, store, reader } = setUp(FAR)
    const file = new FileReads()
    const sizeBytes = 64 * MIB
    const [first, second] = [1, 2].map(() => opened(reader, 'f', sizeBytes, MIB, file))
    const readBoth = async () => {
      for (let i = 0; i < 12; i++) await first?.ask(i * MIB)
      for (let i = 0; i < 3; i++) await second?.ask(i * MIB)
      expect(store.open).toBeGreaterThan(0)
      first?.end()
      expect(store.open).toBeGreaterThan(0)
      for (let offset = 3 * MIB; offset < sizeBytes; offset += MIB) await second?.ask(offset)
    }
    await time.until(readBoth())
    expect(store.sentBytes).toBe(sizeBytes)
  })

  it('does not give up what its reader skips to', async () => {
    const { time, store, reader } = setUp(FAR)
    const { ask } = opened(reader, 'f', GIB, MIB)
    const skip = async () => {
      for (let i = 0; i < 16; i++) await ask(i * MIB)
      // On its way, and farther than reads overtake each other.
      const target = 24 * MIB
      const bringing = store.ranges.filter(range => covers(range, target))
      expect(bringing.length).toBe(1)
      await ask(target)
      expect(store.ranges.filter(range => covers(range, target))).toEqual(bringing)
    }
    await time.until(skip())
  })

  it('never begins for one read, and fetches what was asked for and no more of who reads backwards or in strides', async () => {
    const { time, store, reader } = setUp(FAR)
    const orders = {
      backwards: Array.from({ length: 64 }, (_, i) => (63 - i) * MIB),
      strides: Array.from({ length: 64 }, (_, i) => i * 4 * MIB),
      one: [0],
    }
    for (const [key, offsets] of Object.entries(orders)) {
      const before = store.sentBytes
      const { ask } = opened(reader, key, GIB, MIB / 8)
      const readAll = async () => {
        for (const offset of offsets) await ask(offset)
      }
      await time.until(readAll())
      expect(store.sentBytes - before).toBe((offsets.length * MIB) / 8)
    }
  })

  it('fetches a cell and sends one request for each of many small reads here and there', async () => {
    const { time, store, reader } = setUp(FAR)
    const { ask } = opened(reader, 'f', GIB, 4096)
    const offsets = Array.from({ length: 200 }, (_, i) => 4096 * ((i * 104_729) % 262_144))
    const readAll = async () => {
      for (const offset of offsets) await ask(offset)
    }
    await time.until(readAll())
    const cells = new Set(offsets.map(offset => Math.floor(offset / CELL_BYTES)))
    expect(store.ranges.length).toBe(cells.size)
    expect(store.sentBytes).toBe(cells.size * CELL_BYTES)
  })

  it('ends when its reader goes elsewhere, or closes the file', async () => {
    const { time, store, cache, reader } = setUp(FAR)
    const { ask, end } = opened(reader, 'f', GIB, MIB)
    const readSome = async () => {
      for (let i = 0; i < 16; i++) await ask(i * MIB)
      expect(store.open).toBeGreaterThan(2)
      await ask(GIB / 2)
      expect(store.open).toBe(0)
      for (let i = 1; i < 16; i++) await ask(GIB / 2 + i * MIB)
      end()
      await time.sleep(100)
    }
    await time.until(readSome())
    expect(store.open).toBe(0)
    expect(cache.heldBytes).toBeLessThanOrEqual(128 * MIB)
  })
})

function covers({ offset, lengthBytes }: ByteRange, at: number): boolean {
  return offset <= at && at < offset + lengthBytes
}
