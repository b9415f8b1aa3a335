import { type FileHandle, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StagedWrites } from '../../src/fs/staged-writes.js'
import { WritePace, type WriteWay } from '../../src/fs/write-pace.js'
import { ALIGNMENT_BYTES, alignedMemory, isAligned } from '../../src/system/aligned-memory.js'
import { testBytes } from '../support/store-tools.js'

const MIB = 1024 * 1024

describe('aligned memory', () => {
  it('is aligned where that was asked, and known by it', () => {
    for (const alignedAt of [0, 80, ALIGNMENT_BYTES - 1, ALIGNMENT_BYTES + 80]) {
      const memory = alignedMemory(MIB + 2 * ALIGNMENT_BYTES, alignedAt)
      expect(memory.length).toBe(MIB + 2 * ALIGNMENT_BYTES)
      expect(isAligned(memory.subarray(alignedAt, alignedAt + MIB))).toBe(true)
      expect(isAligned(memory.subarray(alignedAt + ALIGNMENT_BYTES, alignedAt + 2 * ALIGNMENT_BYTES))).toBe(true)
      expect(isAligned(memory.subarray(alignedAt + 512, alignedAt + 512 + ALIGNMENT_BYTES))).toBe(false)
    }
  })
})

/** A pace that has measured each way with so many milliseconds for a MiB. */
async function measured(ways: readonly (readonly [WriteWay, number])[]) {
  let nowMs = 0
  const pace = new WritePace(() => nowMs)
  const write = (way: WriteWay, msPerMib: number, mib = 1) =>
    pace.measure(way, mib * MIB, async () => {
      nowMs += mib * msPerMib
    })
  for (const [way, msPerMib] of ways) await write(way, msPerMib)
  return { pace, write }
}

describe('the pace of staging', () => {
  it.each<[string, readonly (readonly [WriteWay, number])[], WriteWay]>([
    ['when nothing is known', [], 'cached'],
    ['when the page cache is quick', [['cached', 0.2]], 'cached'],
    ['when the page cache is slow', [['cached', 2]], 'direct'],
    [
      'when the disk is quicker',
      [
        ['cached', 2],
        ['direct', 1],
      ],
      'direct',
    ],
    [
      'when the disk is slower',
      [
        ['cached', 2],
        ['direct', 8],
      ],
      'cached',
    ],
    [
      'when the page cache is quick though the disk was quicker',
      [
        ['direct', 0.1],
        ['cached', 0.2],
      ],
      'cached',
    ],
  ])('goes %s', async (_when, ways, expected) => {
    expect((await measured(ways)).pace.choose(MIB)).toBe(expected)
  })

  it('is not asked of small writes, and learns nothing from them', async () => {
    const { pace, write } = await measured([['cached', 2]])
    expect(pace.choose(MIB - 1)).toBe('cached')
    await write('direct', 100, 0.5)
    expect(pace.choose(MIB)).toBe('direct')
  })

  it.each<[WriteWay, number, WriteWay]>([
    ['direct', 1, 'cached'],
    ['cached', 8, 'direct'],
  ])('tries the slower way now and then (quicker: %s)', async (quicker, directMs, slower) => {
    const { pace, write } = await measured([
      ['cached', 2],
      ['direct', directMs],
    ])
    const ms = quicker === 'direct' ? directMs : 2
    for (let spentMs = 0; spentMs < 240; spentMs += 4 * ms) {
      expect(pace.choose(MIB)).toBe(quicker)
      await write(quicker, ms, 4)
    }
    await write(quicker, ms, 24)
    expect(pace.choose(MIB)).toBe(slower)
    await write(slower, 9, 4)
    expect(pace.choose(MIB)).toBe(quicker)
  })

  it('leaves the way that has become slow after little of it, whatever small writes said of the other one', async () => {
    const { pace, write } = await measured([
      ['cached', 2],
      ['direct', 4],
      ['direct', 4],
      ['cached', 0.2],
      ['cached', 0.2],
    ])
    let mib = 0
    for (; pace.choose(8 * MIB) === 'cached'; mib += 8) await write('cached', 3, 8)
    expect(mib).toBeLessThan(128)
    await write('direct', 0.7, 8)
    expect(pace.choose(8 * MIB)).toBe('direct')
  })

  it('learns nothing of a write that fails', async () => {
    const { pace } = await measured([['cached', 2]])
    await expect(pace.measure('direct', MIB, () => Promise.reject(new Error('full')))).rejects.toThrow('full')
    expect(pace.choose(MIB)).toBe('direct')
  })
})

describe('writes to a staging file', () => {
  let folder = ''
  let handle: FileHandle
  const path = () => join(folder, 'file')

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mount-bucket-test-'))
    handle = await open(path(), 'wx+')
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('are the same whichever way they go, in any order', async () => {
    const unit = ALIGNMENT_BYTES / 2
    const write = fc.record({
      at: fc.nat(3000),
      pieces: fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 4 }),
      way: fc.constantFrom<WriteWay>('cached', 'direct'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(write, { minLength: 1, maxLength: 12 }), async writes => {
        await handle.truncate(0)
        let way: WriteWay = 'cached'
        const used: WriteWay[] = []
        const writer = new StagedWrites(
          path(),
          await open(path(), 'r+'),
          pace(() => way, used),
        )
        let expected = Buffer.alloc(0)
        for (const [index, { at, pieces, way: wanted }] of writes.entries()) {
          way = wanted
          const size = pieces.reduce((sum, count) => sum + count, 0) * unit
          const bytes = Buffer.from(testBytes(size + index).subarray(index))
          const memory = alignedMemory(size)
          memory.set(bytes)
          let from = 0
          const views = pieces.map(count => {
            from += count * unit
            return memory.subarray(from - count * unit, from)
          })
          await writer.write(views, at * unit)
          const grown = Buffer.alloc(Math.max(expected.length, at * unit + size))
          expected.copy(grown)
          bytes.copy(grown, at * unit)
          expected = grown
          const isFit = at % 2 === 0 && pieces.every(count => count % 2 === 0)
          expect(used.at(-1)).toBe(isFit ? wanted : 'cached')
        }
        expect((await readFile(path())).equals(expected)).toBe(true)
        await writer.close()
      }),
      { numRuns: 15 },
    )
    await handle.close()
  })

  it('go through the page cache where the file takes none past it', async () => {
    const used: WriteWay[] = []
    const writer = new StagedWrites(
      path(),
      handle,
      pace(() => 'direct', used),
    )
    await rename(path(), `${path()}.elsewhere`)
    const memory = alignedMemory(MIB).fill('x')
    await writer.write([memory], 0)
    await writer.write([memory], MIB)
    expect(used).toEqual(['cached', 'cached'])
    expect((await readFile(`${path()}.elsewhere`)).equals(Buffer.alloc(2 * MIB, 'x'))).toBe(true)
    await writer.close()
  })
})

/** Goes the way that is wanted, and notes which was gone. */
function pace(way: () => WriteWay, used: WriteWay[]): WritePace {
  const real = new WritePace(() => 0)
  real.choose = way
  real.measure = async (gone, _sizeBytes, write) => {
    await write()
    used.push(gone)
  }
  return real
}
