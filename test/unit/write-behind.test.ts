import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BufferPool } from '../../src/fs/buffer-pool.js'
import { PartMemory } from '../../src/fs/part-memory.js'
import { WriteBehind } from '../../src/fs/write-behind.js'
import { pattern } from '../support/bytes.js'

/** A file in memory whose writes wait until they are let through, or fail. */
class GatedFile {
  readonly bytes = Buffer.alloc(4096)
  readonly sizes: number[] = []
  #waiting: { settle: (error?: Error) => void }[] = []

  readonly write = (pieces: readonly Uint8Array[], offset: number) =>
    new Promise<void>((resolve, reject) => {
      this.#waiting.push({
        settle: error => {
          if (error !== undefined) return reject(error)
          this.sizes.push(pieces.length)
          Buffer.concat(pieces).copy(this.bytes, offset)
          resolve()
        },
      })
    })

  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  async settle(error?: Error): Promise<void> {
    for (const { settle } of this.#waiting.splice(0)) settle(error)
    await new Promise(setImmediate)
  }
}

/** Bytes that become others when nobody holds them, as those of the kernel's buffers do. */
function lend(bytes: Buffer) {
  let users = 0
  const lent = {
    bytes,
    hold: () => {
      users += 1
      return () => {
        users -= 1
        if (users === 0) bytes.fill(0xee)
      }
    },
    get users() {
      return users
    },
  }
  return lent
}

describe('bytes that are written behind', () => {
  it('go out in order, many at once, and are held as long as they are needed', async () => {
    const file = new GatedFile()
    let idle = 0
    const behind = new WriteBehind(file.write, () => {
      idle += 1
    })
    const pieces = [1, 2, 3, 4].map(seed => lend(pattern(100, seed)))
    for (const [index, piece] of pieces.entries()) behind.add(index * 100, piece)
    expect([behind.isWriting, idle]).toEqual([true, 0])
    const read = behind.hold(150, 250)
    await file.settle()
    await file.settle()
    expect([behind.isWriting, idle]).toEqual([false, 1])
    expect(file.sizes).toEqual([1, 3])
    for (const seed of [1, 2, 3, 4])
      expect(file.bytes.subarray((seed - 1) * 100, seed * 100).equals(pattern(100, seed))).toBe(true)
    expect(pieces.map(({ users }) => users)).toEqual([0, 1, 1, 0])
    expect(
      read.pieces.map(({ offset, bytes }) => [offset, Buffer.from(bytes).equals(pattern(100, offset / 100 + 1))]),
    ).toEqual([
      [100, true],
      [200, true],
    ])
    read.release()
    expect(pieces.map(({ users }) => users)).toEqual([0, 0, 0, 0])
  })

  it('wait for another try when a write fails, but for what was cut meanwhile', async () => {
    const file = new GatedFile()
    const behind = new WriteBehind(file.write, () => {})
    const pieces = [lend(pattern(100, 1)), lend(pattern(100, 2)), lend(pattern(100, 3))]
    for (const [index, piece] of pieces.entries()) behind.add(index * 100, piece)
    behind.cut(50, 150)
    await file.settle(new Error('full'))
    expect([behind.isWriting, behind.hasFailed]).toEqual([false, true])
    behind.add(300, lend(pattern(100, 4)))
    expect(file.isWaiting).toBe(false)
    const flushed = behind.flush()
    for (let turn = 0; turn < 4; turn++) await file.settle()
    await flushed
    const expected = Buffer.concat([1, 2, 3, 4].map(seed => pattern(100, seed))).fill(0, 50, 150)
    expect(file.bytes.subarray(0, 400).equals(expected)).toBe(true)
    expect(pieces.map(({ users }) => users)).toEqual([0, 0, 0])
  })

  it('are told to have failed to who waits for them, and are given up at the end', async () => {
    const file = new GatedFile()
    const behind = new WriteBehind(file.write, () => {})
    const pieces = [lend(pattern(100, 1)), lend(pattern(100, 2))]
    for (const [index, piece] of pieces.entries()) behind.add(index * 500, piece)
    const flushed = expect(behind.flush()).rejects.toThrow('full')
    await file.settle(new Error('full'))
    await flushed
    await behind.end()
    expect(pieces.map(({ users }) => users)).toEqual([0, 0])
    expect(file.isWaiting).toBe(false)
  })

  it('are written too where they come just as the last ones before them have been, though nobody asks', async () => {
    let behind: WriteBehind | undefined
    const written: number[] = []
    const first = Promise.resolve()
    const write = async (_: readonly Uint8Array[], offset: number) => {
      written.push(offset)
      await first
    }
    const lent = () => ({ bytes: Buffer.alloc(10), hold: () => () => undefined })
    for (let ticks = 0; ticks < 12; ticks++) {
      behind = new WriteBehind(write, () => undefined)
      behind.add(0, lent())
      for (let tick = 0; tick < ticks; tick++) await first
      behind.add(100 + ticks, lent())
      await new Promise(setImmediate)
    }
    expect(written.filter(offset => offset > 0)).toEqual(Array.from({ length: 12 }, (_, ticks) => 100 + ticks))
  })
})

describe('the memory of a part', () => {
  it('is what was added, copied or lent, until nobody holds it', () => {
    const sizes = fc.array(fc.record({ size: fc.integer({ min: 1, max: 150 }), isLent: fc.boolean() }), {
      maxLength: 12,
    })
    fc.assert(
      fc.property(sizes, fc.boolean(), (adds, releasesFirst) => {
        let freed = 0
        const memory = new PartMemory(new BufferPool(64), () => {
          freed += 1
        })
        const sources = adds.map(({ size }, index) => lend(pattern(size, index)))
        const lent = sources.flatMap((source, index) => {
          const { isLent = false } = adds[index] ?? {}
          const placed = memory.add(source.bytes, isLent ? source.hold : undefined)
          if (!isLent) source.bytes.fill(0)
          return placed
        })
        const expected = Buffer.concat(adds.map(({ size }, index) => pattern(size, index)))
        expect(Buffer.concat(memory.body.inMemory ?? []).equals(expected)).toBe(true)
        expect([memory.body.sizeBytes, memory.filledBytes]).toEqual([expected.length, expected.length])
        const releases = lent.map(({ hold }) => hold())
        if (releasesFirst) memory.release()
        expect(Buffer.concat(lent.map(({ bytes }) => bytes)).equals(expected)).toBe(true)
        for (const release of releases) release()
        if (!releasesFirst) memory.release()
        expect(freed).toBe(1)
        expect(sources.map(({ users }) => users)).toEqual(sources.map(() => 0))
      }),
    )
  })
})

describe('a pool of buffers', () => {
  it('uses memory again, and gives up what was not needed for a while', () => {
    const timers: (() => void)[] = []
    const pool = new BufferPool(16, { after: (_delayMs, run) => timers.push(run) })
    const pass = () => timers.shift()?.()
    const taken = Array.from({ length: 20 }, () => pool.take())
    for (const buffer of taken) pool.give(buffer)
    const again = Array.from({ length: 20 }, () => pool.take())
    expect(new Set(again)).toEqual(new Set(taken))
    for (const buffer of again) pool.give(buffer)
    pass()
    expect(timers.length).toBe(1)
    pass()
    expect(timers.length).toBe(0)
    const left = Array.from({ length: 20 }, () => pool.take()).filter(buffer => taken.includes(buffer))
    expect(left.length).toBe(4)
  })
})
