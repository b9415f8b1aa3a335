import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CacheFolderError } from '../../src/cache/disk/cache-folder.js'
import { clear, sweep } from '../../src/cache/disk/sweep.js'
import {
  CELL,
  got,
  Heard,
  MIB,
  openCache,
  placeOfTest,
  put,
  sample,
  segmentsIn,
} from '../support/disk-cache-harness.js'

describe('DiskCache', () => {
  it('gives back what it was given, over the bounds of segments, and after a restart', async () => {
    const place = placeOfTest()
    const object = sample(9 * MIB + 12_345)
    const cache = openCache(place)
    expect((await got(cache, object)).length).toBe(0)
    await put(cache, object)
    expect((await got(cache, object)).equals(object.bytes)).toBe(true)
    expect(segmentsIn(place)).toHaveLength(3)
    await cache.close()
    const next = openCache(place)
    expect((await got(next, object)).equals(object.bytes)).toBe(true)
    const middle = await got(next, object, 3 * MIB, 2 * MIB)
    expect(middle.equals(object.bytes.subarray(3 * MIB, 5 * MIB))).toBe(true)
  })

  it('gives the front of what it has, up to the first cell that is missing', async () => {
    const cache = openCache(placeOfTest())
    const object = sample(10 * CELL)
    await put(cache, object, 0, 3 * CELL)
    await put(cache, object, 5 * CELL, 7 * CELL)
    expect((await got(cache, object)).length).toBe(3 * CELL)
    expect((await got(cache, object, 3 * CELL)).length).toBe(0)
    expect((await got(cache, object, 5 * CELL)).equals(object.bytes.subarray(5 * CELL, 7 * CELL))).toBe(true)
    await put(cache, object)
    expect((await got(cache, object)).equals(object.bytes)).toBe(true)
  })

  it('keeps whole cells only', async () => {
    const cache = openCache(placeOfTest())
    const object = sample(2 * CELL + 10)
    await cache.write(object, 100, object.bytes.subarray(100))
    await cache.write(object, 0, object.bytes.subarray(0, CELL + 100))
    await cache.settled()
    expect((await got(cache, object)).length).toBe(CELL)
    expect((await got(cache, object, 100)).length).toBe(0)
    await put(cache, object, 2 * CELL)
    expect((await got(cache, object, 2 * CELL)).equals(object.bytes.subarray(2 * CELL))).toBe(true)
  })

  it('knows versions, sizes, keys, buckets, endpoints and prefixes apart, and the same object through any prefix', async () => {
    const place = placeOfTest()
    const object = sample(1000, 'a/b', 'v1')
    const cache = openCache(place)
    await put(cache, object)
    for (const other of [{ etag: 'v2' }, { sizeBytes: 999 }, { key: 'a/c' }])
      expect((await got(cache, { ...object, ...other })).length).toBe(0)
    for (const store of [
      { url: 's3://other', endpoint: undefined },
      { url: 's3://bucket', endpoint: 'http://nas' },
    ])
      expect((await got(openCache(place, { store }), object)).length).toBe(0)
    const below = openCache(place, { prefix: 'a/' })
    expect((await got(below, object)).length).toBe(0)
    expect((await got(below, { ...object, key: 'b' })).equals(object.bytes)).toBe(true)
  })

  it('shares cells with another process, in the same segment too', async () => {
    const place = placeOfTest()
    const object = sample(6 * CELL)
    let nowMs = Date.now()
    const clock = { nowMs: () => nowMs }
    const [one, other] = [openCache(place, { clock }), openCache(place, { clock })]
    await put(one, object, 0, 2 * CELL)
    await put(other, object, 2 * CELL, 4 * CELL)
    expect((await got(other, object)).length).toBe(4 * CELL)
    await put(other, object)
    nowMs += 10_000
    expect((await got(one, object)).equals(object.bytes)).toBe(true)
    expect(segmentsIn(place)).toHaveLength(1)
  })

  it('takes nothing more than may wait, and everything again later', async () => {
    const object = sample(4 * CELL)
    const cache = openCache(placeOfTest(), { maxWaitingBytes: 2 * CELL })
    const release: string[] = []
    const taken = cache.write(object, 0, object.bytes.subarray(0, 2 * CELL)).then(() => release.push('taken'))
    await cache.write(object, 2 * CELL, object.bytes.subarray(2 * CELL)).then(() => release.push('refused'))
    await taken
    expect(release).toEqual(['refused', 'taken'])
    expect((await got(cache, object)).length).toBe(2 * CELL)
    await put(cache, object, 2 * CELL)
    expect((await got(cache, object)).equals(object.bytes)).toBe(true)
  })

  it('ends when all has come to the disk, and when that gets no further', async () => {
    const object = sample(4 * CELL)
    const impatient: (() => void)[] = []
    const timers = {
      nowMs: () => 0,
      after: (delayMs: number, run: () => void) => {
        if (delayMs === 5000) impatient.push(run)
        return () => {}
      },
    }
    const cache = openCache(placeOfTest(), { timers })
    let isClosed = false
    const closed = cache.close(new Promise(() => {})).then(() => {
      isClosed = true
    })
    for (let cell = 0; cell < 4; cell++) {
      const bytes = object.bytes.subarray(cell * CELL, (cell + 1) * CELL)
      expect(await cache.write(object, cell * CELL, bytes)).toBe(true)
      impatient.pop()?.()
      await expect.poll(() => impatient.length).toBe(1)
      expect(isClosed).toBe(false)
    }
    impatient.pop()?.()
    await closed
    expect(await cache.write(object, 0, object.bytes)).toBe(false)
  })

  it('leaves out versions whose names are too long for a header', async () => {
    const place = placeOfTest()
    const cache = openCache(place)
    const object = sample(10, 'k'.repeat(1024), 'e'.repeat(4000))
    await put(cache, object)
    expect((await got(cache, object)).length).toBe(0)
    expect(segmentsIn(place)).toEqual([])
  })
})

describe('the folder of the disk cache', () => {
  it('is for its user alone, and so is all in it', async () => {
    const place = placeOfTest()
    const cache = openCache(join(place, 'a', 'b'))
    await put(cache, sample(10))
    const [segment = ''] = segmentsIn(place)
    expect(statSync(segment).mode & 0o777).toBe(0o600)
    expect(statSync(dirname(segment)).mode & 0o777).toBe(0o700)
    expect(statSync(dirname(dirname(segment))).mode & 0o777).toBe(0o700)
    expect(statSync(join(place, 'a', 'b')).mode & 0o777).toBe(0o700)
  })

  it('is refused where others may write to it, or where it is no folder', () => {
    const place = placeOfTest()
    const path = join(place, 'mount-bucket-cache-1')
    mkdirSync(path)
    chmodSync(path, 0o777)
    expect(() => openCache(place)).toThrow(CacheFolderError)
    rmSync(path, { recursive: true })
    symlinkSync(placeOfTest(), path)
    expect(() => openCache(place)).toThrow(CacheFolderError)
  })

  it('lies beside those of other versions, which are left alone', () => {
    const place = placeOfTest()
    mkdirSync(join(place, 'mount-bucket-cache-2', 'ab'), { recursive: true })
    const log = new Heard()
    openCache(place, { log })
    expect(log.lines).toEqual(['disk caches of other versions are left alone'])
    clear(place, Date.now())
    expect(readdirSync(place).sort()).toEqual(['mount-bucket-cache-1', 'mount-bucket-cache-2'])
  })

  it('is cleared of what the cache made and of nothing else, while mounts use it', async () => {
    const place = placeOfTest()
    const cache = openCache(place)
    const object = sample(CELL)
    await put(cache, object)
    const [segment = ''] = segmentsIn(place)
    const others = [join(place, 'notes'), join(dirname(segment), 'notes'), join(dirname(dirname(segment)), 'notes')]
    for (const path of others) writeFileSync(path, 'mine')
    expect(clear(place, Date.now())).toBe(CELL + 4096)
    expect(segmentsIn(place)).toEqual(expect.arrayContaining(others))
    expect(segmentsIn(place)).toHaveLength(others.length)
    const next = openCache(place)
    expect((await got(next, object)).length).toBe(0)
    await put(next, object)
    expect((await got(next, object)).equals(object.bytes)).toBe(true)
  })

  it('may be removed while it is used', async () => {
    const place = placeOfTest()
    const object = sample(2 * CELL)
    let nowMs = Date.now()
    const cache = openCache(place, { clock: { nowMs: () => nowMs } })
    await put(cache, object)
    rmSync(join(place, 'mount-bucket-cache-1'), { recursive: true })
    nowMs += 10_000
    expect((await got(cache, object)).length).toBe(0)
    await put(cache, object)
    expect((await got(cache, object)).equals(object.bytes)).toBe(true)
  })
})

describe('the bound of the disk cache', () => {
  const objects = Array.from({ length: 40 }, (_, i) => sample(2 * CELL, `key-${i}`))

  it('holds at every moment, with room for what comes next', async () => {
    const place = placeOfTest()
    const maxBytes = 3 * MIB
    const caches = [openCache(place, { maxBytes }), openCache(place, { maxBytes })]
    for (const [index, object] of objects.entries()) {
      const cache = caches[index % 2] ?? openCache(place)
      await put(cache, object)
      expect(usedBytes(place)).toBeLessThanOrEqual(maxBytes)
      expect((await got(cache, object)).equals(object.bytes)).toBe(true)
    }
    expect(usedBytes(place)).toBeGreaterThan(maxBytes / 2)
  })

  it('lets go first what was used least recently, by reads too', async () => {
    const place = placeOfTest()
    const cache = openCache(place)
    for (const object of objects) await put(cache, object)
    await cache.close()
    for (const path of segmentsIn(place)) utimesSync(path, 1000, 1000)
    const used = objects.slice(0, 5)
    const reader = openCache(place)
    for (const object of used) expect((await got(reader, object)).equals(object.bytes)).toBe(true)
    const request = { place, keepFree: { bytes: 0 }, nowMs: Date.now() }
    const counted = sweep({ ...request, maxBytes: 1024 * MIB })
    expect(counted).toEqual({ usedBytes: usedBytes(place), removedBytes: 0, roomBytes: 1024 * MIB - usedBytes(place) })
    const swept = sweep({ ...request, maxBytes: MIB })
    expect(swept.usedBytes).toBe(usedBytes(place))
    expect(swept.removedBytes).toBe(counted.usedBytes - swept.usedBytes)
    expect(swept.usedBytes).toBeLessThanOrEqual(MIB * 0.9)
    const next = openCache(place)
    for (const object of used) expect((await got(next, object)).equals(object.bytes)).toBe(true)
  })

  it('is lower where the disk must keep more free', async () => {
    const place = placeOfTest()
    const cache = openCache(place)
    for (const object of objects) await put(cache, object)
    const keepAll = { place, maxBytes: 1024 * MIB, keepFree: { share: 1 }, nowMs: Date.now() }
    expect(sweep(keepAll)).toMatchObject({ usedBytes: 0, roomBytes: 0 })
    expect(segmentsIn(place)).toEqual([])
    const full = openCache(place, { keepFree: { share: 1 } })
    await put(full, objects[0] ?? sample(1))
    expect(segmentsIn(place)).toEqual([])
    // Until it has looked again nothing is taken, and no file made in vain.
    expect(await full.write(sample(CELL), 0, sample(CELL).bytes)).toBe(false)
  })

  it('counts files that were never finished, and removes old ones', () => {
    const place = placeOfTest()
    openCache(place)
    const shelf = join(place, 'mount-bucket-cache-1', 'ab')
    mkdirSync(shelf)
    const [old, young] = ['0', '1'].map(digit => join(shelf, `${digit.repeat(38)}.12-0.new`))
    if (old === undefined || young === undefined) throw new Error('no names')
    for (const path of [old, young]) writeFileSync(path, Buffer.alloc(4096))
    utimesSync(old, 1000, 1000)
    const { usedBytes } = sweep({ place, maxBytes: MIB, keepFree: { bytes: 0 }, nowMs: Date.now() })
    expect(usedBytes).toBe(4096)
    expect(segmentsIn(place)).toEqual([young])
  })
})

function usedBytes(place: string): number {
  return segmentsIn(place).reduce((sum, path) => sum + statSync(path).blocks * 512, 0)
}
