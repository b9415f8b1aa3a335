import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CacheFolder } from '../../src/cache/disk/cache-folder.js'
import { SegmentFile } from '../../src/cache/disk/segment-file.js'
import { SegmentFiles } from '../../src/cache/disk/segment-files.js'
import { CELL, got, Heard, openCache, placeOfTest, put, sample, segmentsIn } from '../support/disk-cache-harness.js'

const object = sample(3 * CELL + 777)

/** A whole segment of `object`, and where it is. */
async function segment() {
  const place = placeOfTest()
  const cache = openCache(place)
  await put(cache, object)
  await cache.close()
  const [path = ''] = segmentsIn(place)
  return { place, path, whole: readFileSync(path) }
}

/** What a new process finds: never wrong bytes. Then it comes from the store again, and all is well. */
async function checkDamaged(place: string, log = new Heard()): Promise<number> {
  const cache = openCache(place, { log })
  let rightBytes = 0
  for (let offset = 0; offset < object.sizeBytes; offset += CELL) {
    const bytes = await got(cache, object, offset, CELL)
    expect(bytes.equals(object.bytes.subarray(offset, offset + bytes.length))).toBe(true)
    rightBytes += bytes.length
  }
  await put(cache, object)
  expect((await got(cache, object)).equals(object.bytes)).toBe(true)
  expect(log.lines.length).toBeLessThanOrEqual(1)
  await cache.close()
  return rightBytes
}

describe('a damaged segment', () => {
  it('that ends anywhere gives what it has of right bytes', async () => {
    const { place, path, whole } = await segment()
    const property = fc.asyncProperty(fc.nat(whole.length - 1), async sizeBytes => {
      writeFileSync(path, whole.subarray(0, sizeBytes))
      expect(await checkDamaged(place)).toBeLessThanOrEqual(Math.max(0, sizeBytes - 4096))
    })
    await fc.assert(property, { numRuns: 100, examples: [[0], [1], [4095], [4096], [4096 + CELL], [whole.length - 1]] })
  })

  it('of which bits have changed gives the cells that are whole', async () => {
    const { place, path, whole } = await segment()
    const flips = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(7)), { minLength: 1, maxLength: 4 })
    const inHeader = fc.array(fc.tuple(fc.nat(4095), fc.nat(7)), { minLength: 1, maxLength: 4 })
    const property = fc.asyncProperty(fc.oneof(flips, inHeader), async places => {
      const damaged = Buffer.from(whole)
      for (const [at, bit] of places) damaged[at] = (damaged[at] ?? 0) ^ (1 << bit)
      writeFileSync(path, damaged)
      await checkDamaged(place)
    })
    await fc.assert(property, { numRuns: 150 })
  })

  it('in which ranges were lost or moved gives the cells that are whole', async () => {
    const { place, path, whole } = await segment()
    const range = fc.tuple(fc.nat(whole.length), fc.nat(2 * CELL), fc.option(fc.nat(whole.length)))
    const property = fc.asyncProperty(fc.array(range, { minLength: 1, maxLength: 3 }), async ranges => {
      const damaged = Buffer.from(whole)
      for (const [at, sizeBytes, from] of ranges) {
        if (from === null) damaged.fill(0, at, Math.min(damaged.length, at + sizeBytes))
        else whole.copy(damaged, at, from, from + sizeBytes)
      }
      writeFileSync(path, damaged)
      await checkDamaged(place)
    })
    await fc.assert(property, { numRuns: 100 })
  })

  it('is said once, and one with the name of another is a miss', async () => {
    const { place, path, whole } = await segment()
    const log = new Heard()
    const damaged = Buffer.from(whole)
    damaged[4096] = (damaged[4096] ?? 0) ^ 1
    damaged[4096 + CELL] = (damaged[4096 + CELL] ?? 0) ^ 1
    writeFileSync(path, damaged)
    expect(await checkDamaged(place, log)).toBe(object.sizeBytes - 2 * CELL)
    expect(log.lines).toHaveLength(1)

    const other = { ...object, key: 'other' }
    const cache = openCache(place)
    await put(cache, other)
    await cache.close()
    const otherPath = segmentsIn(place).find(each => each !== path) ?? ''
    writeFileSync(otherPath, readFileSync(path))
    const next = openCache(place)
    expect((await got(next, other)).length).toBe(0)
  })

  it('that is cut while it is open gives no wrong bytes either', async () => {
    const { place, path } = await segment()
    const cache = openCache(place)
    expect((await got(cache, object)).length).toBe(object.sizeBytes)
    truncateSync(path, 4096 + CELL + 5)
    expect((await got(cache, object)).equals(object.bytes.subarray(0, CELL))).toBe(true)
    await put(cache, object)
    expect((await got(cache, object)).equals(object.bytes)).toBe(true)
  })
})

describe('a disk that fails', () => {
  it('is left out: reads are misses and writes are dropped, and each is said once', async () => {
    const { place, path } = await segment()
    rmSync(path)
    // Opening it fails, though it is there.
    mkdirSync(path)
    const log = new Heard()
    const cache = openCache(place, { log })
    expect((await got(cache, object)).length).toBe(0)
    expect((await got(cache, object)).length).toBe(0)
    await put(cache, object)
    await put(cache, object)
    expect(log.lines).toEqual([
      'the disk of the cache fails and is left out for a while',
      'the disk cache takes no more for a while',
    ])
  })

  it('leaves nothing behind of a segment that was never written', async () => {
    const { place, path } = await segment()
    rmSync(dirname(path), { recursive: true })
    writeFileSync(dirname(path), 'no folder')
    const cache = openCache(place)
    await put(cache, object)
    expect(segmentsIn(place)).toEqual([dirname(path)])
    expect(await SegmentFile.open(path, identity(), 0)).toBe(undefined)
  })

  it('keeps no file open that somebody removed before it was in its place', async () => {
    const place = placeOfTest()
    const log = new Heard()
    const folder = CacheFolder.open(place, log)
    const files = new SegmentFiles(folder, { nowMs: () => 0 }, log)
    const file = await files.make({ ...identity(), name: 'ab'.padEnd(40, '0') })
    expect(openBelow(place)).toHaveLength(1)
    rmSync(folder.path, { recursive: true })
    await expect(files.wrote(file)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect.poll(() => openBelow(place)).toEqual([])
  })
})

/** What this process has open below a folder. */
function openBelow(place: string): readonly string[] {
  const open = readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      // The one of the listing itself is closed by now.
      return []
    }
  })
  return open.filter(path => path.startsWith(place))
}

function identity() {
  return { text: Buffer.from('x'), name: 'x', sizeBytes: 1, segment: 0 }
}
