import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WriterThread, type WriterThreadOptions } from '../../src/cache/disk/writer-thread.js'
import { CELL, got, Heard, MIB, openCache, placeOfTest, type Sample, sample } from '../support/disk-cache-harness.js'

const PROGRAM = pathToFileURL(join(import.meta.dirname, '../../dist/cache/disk/writer-program.js'))

/** The thread with `before` run in it first: the program itself follows, unless that throws. */
function programAfter(place: string, before: string): URL {
  const path = join(place, 'program.mjs')
  writeFileSync(path, `${before}\nawait import('${PROGRAM.href}')\n`)
  return pathToFileURL(path)
}

function openThread(place: string, options: Partial<WriterThreadOptions> = {}) {
  const log = new Heard()
  const time = { nowMs: 0 }
  // Makes the folder, and reads what the thread has written.
  const reader = openCache(place)
  const thread = new WriterThread({
    place,
    maxBytes: 1024 * MIB,
    keepFree: { bytes: 0 },
    store: { url: 's3://bucket', endpoint: undefined },
    maxWaitingBytes: 64 * MIB,
    onWritten: () => undefined,
    program: PROGRAM,
    timers: { nowMs: () => time.nowMs, after: () => () => undefined },
    log,
    ...options,
  })
  onTestFinished(() => thread.close())
  return { thread, reader, log, time }
}

const write = (thread: WriterThread, object: Sample) => thread.write(object, 0, object.bytes)

describe('the thread that writes the disk cache', () => {
  it('writes memory that is shared, and other memory, which stays as it is', async () => {
    const { thread, reader, log } = openThread(placeOfTest())
    const own = sample(5 * MIB + 100, 'own')
    const other = sample(9 * MIB + 100, 'shared')
    const shared = new Uint8Array(new SharedArrayBuffer(other.sizeBytes + 16), 16)
    shared.set(other.bytes)
    const taken = [write(thread, own), thread.write(other, 0, shared)]
    await thread.settled()
    expect(await Promise.all(taken)).toEqual([true, true])
    for (const object of [own, other]) {
      expect((await got(reader, object)).equals(object.bytes)).toBe(true)
      expect(object.bytes.equals(sample(object.sizeBytes).bytes)).toBe(true)
    }
    expect(log.lines).toEqual([])
  })

  it('that dies is begun anew after a minute, and nobody waits for it', async () => {
    const place = placeOfTest()
    const first = `import { existsSync, writeFileSync } from 'node:fs'
      import { parentPort } from 'node:worker_threads'
      const mark = new URL('./died', import.meta.url)
      if (!existsSync(mark)) {
        parentPort.once('message', () => { writeFileSync(mark, ''); throw new Error('the disk is on fire') })
        await new Promise(() => undefined)
      }`
    const { thread, reader, log, time } = openThread(place, { program: programAfter(place, first) })
    const [lost, kept] = [sample(3 * CELL, 'lost'), sample(3 * CELL, 'kept')]
    const [one, other] = [write(thread, lost), write(thread, kept)]
    await thread.settled()
    expect([await one, await other]).toEqual([false, false])
    expect(log.lines).toEqual([
      'the thread that writes the disk cache failed',
      'the thread that writes the disk cache ended: nothing is added for a while',
    ])
    expect(await write(thread, kept)).toBe(false)
    time.nowMs += 60_000
    expect(await write(thread, kept)).toBe(true)
    expect((await got(reader, kept)).equals(kept.bytes)).toBe(true)
    expect((await got(reader, lost)).length).toBe(0)
    expect(log.lines).toHaveLength(2)
  })

  it('that is behind seals, and takes later what fits the seal', async () => {
    const place = placeOfTest()
    const { thread } = openThread(place, { maxWaitingBytes: 4 * MIB })
    const [first, object] = [sample(MIB, 'first'), sample(2 * MIB + 100, 'object')]
    const written = thread.write(first, 0, first.bytes, 'seal')
    const sealed = thread.write(object, 0, object.bytes, 'seal')
    expect(await thread.write(object, 0, object.bytes, 'refuse')).toBe(false)
    expect(await written).toBe(true)
    const seal = await sealed
    if (typeof seal === 'boolean') throw new Error(`it was not sealed: ${seal}`)
    expect({ offset: seal.offset, cells: seal.sums.length }).toEqual({ offset: 0, cells: 33 })
    const recall = async (offset: number, end: number, change?: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(object.bytes.subarray(offset, end))
      change?.(bytes)
      expect(await thread.recall(object, offset, bytes, seal)).toBe(true)
    }
    await recall(0, MIB, bytes => bytes.fill(0, 0, 1))
    expect((await got(openCache(place), object)).length).toBe(0)
    await recall(0, MIB, bytes => bytes.fill(0, 3 * CELL + 9, 3 * CELL + 10))
    await recall(MIB, MIB + CELL + 1)
    await recall(2 * MIB, object.sizeBytes)
    const fresh = openCache(place)
    expect((await got(fresh, object)).equals(object.bytes.subarray(0, 3 * CELL))).toBe(true)
    expect((await got(fresh, object, MIB)).equals(object.bytes.subarray(MIB, MIB + CELL))).toBe(true)
    expect((await got(fresh, object, 2 * MIB)).equals(object.bytes.subarray(2 * MIB))).toBe(true)
  })
})
