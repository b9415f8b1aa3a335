import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CacheFolder } from '../../src/cache/disk/cache-folder.js'
import { DiskReader } from '../../src/cache/disk/disk-reader.js'
import { Pace } from '../../src/cache/disk/pace.js'
import { SegmentFiles } from '../../src/cache/disk/segment-files.js'
import { RunDelay } from '../../src/system/run-delay.js'
import { CELL, got, Heard, openCache, placeOfTest, put, sample } from '../support/disk-cache-harness.js'

describe('Pace', () => {
  it('leaves a disk out that is slower than the store, and tries it again after half a minute', () => {
    const pace = new Pace(() => 4)
    for (let i = 0; i < 20; i++) expect(pace.took(CELL, 10, 0)).toBe(false)
    expect(Array.from({ length: 20 }, () => pace.took(CELL, 40, 0))).toContain(true)
    expect(pace.isLeftOut(29_999)).toBe(true)
    expect(pace.isLeftOut(30_000)).toBe(false)
  })

  it('judges no disk by its first reads, and large reads apart from small ones', () => {
    const pace = new Pace(sizeBytes => (sizeBytes > CELL ? 100 : 4))
    for (let i = 0; i < 7; i++) expect(pace.took(CELL, 1000, 0)).toBe(false)
    for (let i = 0; i < 20; i++) expect(pace.took(4 * 1024 * 1024, 90, 0)).toBe(false)
    expect(pace.took(CELL, 1000, 0)).toBe(true)
  })

  it('takes a store that was never asked for a usual one', () => {
    const pace = new Pace(() => undefined)
    for (let i = 0; i < 20; i++) expect(pace.took(CELL, 25, 0)).toBe(false)
    expect(Array.from({ length: 20 }, () => pace.took(CELL, 100, 0))).toContain(true)
  })
})

it('a read that gets no answer in time is a miss, and so are those that wait behind it', async () => {
  const place = placeOfTest()
  const object = sample(CELL)
  await put(openCache(place), object)
  const log = new Heard()
  let nowMs = 0
  const deadlines: (() => void)[] = []
  const timers = {
    nowMs: () => nowMs,
    after: (delayMs: number, run: () => void) => {
      if (delayMs === 500) deadlines.push(run)
      return () => {}
    },
  }
  const cache = openCache(place, { log, timers })
  const memory = Buffer.alloc(CELL, 0xee)
  const reading = cache.read(object, 0, memory)
  // The disk is asked by another thread, and this one does not wait for it.
  nowMs = 500
  const [late] = deadlines
  late?.()
  const answered = await reading
  expect([0, CELL]).toContain(answered)
  expect(memory.equals(answered === 0 ? Buffer.alloc(CELL, 0xee) : object.bytes)).toBe(true)
  expect((await got(cache, object)).length).toBe(answered)
})

it('a disk that never answers holds up the first reads only', async () => {
  class Hung extends SegmentFiles {
    override find(): Promise<undefined> {
      return new Promise(() => {})
    }
  }
  const log = new Heard()
  let nowMs = 0
  const deadlines = new Set<() => void>()
  const timers = {
    nowMs: () => nowMs,
    after: (_delayMs: number, run: () => void) => {
      deadlines.add(run)
      return () => deadlines.delete(run)
    },
  }
  const reader = new DiskReader({
    store: { url: 's3://bucket', endpoint: undefined },
    files: new Hung(CacheFolder.open(placeOfTest(), log), { nowMs: () => nowMs }, log),
    pace: new Pace(() => 1000),
    timers,
    awakeMs: () => nowMs,
    log,
  })
  const read = () => reader.read(sample(CELL), 0, Buffer.alloc(CELL))
  const first = [read(), read(), read()]
  nowMs += 500
  for (const deadline of deadlines) deadline()
  expect(await Promise.all(first)).toEqual([0, 0, 0])
  // It is tried again, as far as there is anybody who could.
  nowMs += 30_001
  expect(await Promise.all([read(), read()])).toEqual([0, 0])
  expect(deadlines.size).toBe(0)
})

describe('a machine that is busy is no slow disk', () => {
  /** Reads that take `tookMs` each, in which the thread had a processor for `awakeMs`. */
  async function readsOf(tookMs: number, awakeMs: number) {
    const place = placeOfTest()
    const object = sample(CELL)
    await put(openCache(place), object)
    const log = new Heard()
    const deadlines: (() => void)[] = []
    const clock = { nowMs: 0, awakeMs: 0 }
    class Busy extends SegmentFiles {
      override async find(...given: Parameters<SegmentFiles['find']>) {
        const found = await super.find(...given)
        clock.nowMs += tookMs
        clock.awakeMs += awakeMs
        if (tookMs >= 500) deadlines.at(-1)?.()
        await new Promise(setImmediate)
        return found
      }
    }
    const files = new Busy(CacheFolder.open(place, log), { nowMs: () => clock.nowMs }, log)
    const reader = new DiskReader({
      store: { url: 's3://bucket', endpoint: undefined },
      files,
      pace: new Pace(() => 4),
      timers: {
        nowMs: () => clock.nowMs,
        after: (_delayMs, run) => {
          deadlines.push(run)
          return () => undefined
        },
      },
      awakeMs: () => clock.awakeMs,
      log,
    })
    const got: number[] = []
    for (let read = 0; read < 20; read++) got.push(await reader.read(object, 0, Buffer.alloc(CELL)))
    files.close()
    return { got, said: log.lines }
  }

  it('whose thread waits for a processor', async () => {
    expect(await readsOf(100, 5)).toEqual({ got: new Array(20).fill(CELL), said: [] })
    expect((await readsOf(100, 100)).said).toHaveLength(1)
  })

  it('whose thread waits so long that the time of a read is over', async () => {
    expect(await readsOf(600, 5)).toEqual({ got: new Array(20).fill(CELL), said: [] })
    const { got, said } = await readsOf(600, 600)
    expect({ got: got[0], said: said.length }).toEqual({ got: 0, said: 1 })
  })
})

it('tells how long its thread waited for a processor, where the system does', () => {
  const path = join(placeOfTest(), 'schedstat')
  writeFileSync(path, '123000 4567000 8\n')
  const delay = new RunDelay(path)
  expect(delay.ms).toBe(4.567)
  delay.close()
  expect(new RunDelay(join(path, 'none')).ms).toBe(0)
})
