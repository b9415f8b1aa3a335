import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { Meter } from '../../src/backend/layers/meter.js'
import { MeteringLayer } from '../../src/backend/layers/metering-layer.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { isStoreError } from '../../src/backend/store-error.js'
import { copyRange } from '../../src/fs/copy-range.js'
import type { FileWriter } from '../../src/fs/file-writer.js'
import { seekStored } from '../../src/fs/pieces.js'
import { pattern } from '../support/bytes.js'
import { endsWithTest } from '../support/ends-with-test.js'
import { GatedStore } from '../support/gated-store.js'
import { type Fate, LostAnswers } from '../support/lost-answers.js'
import { keeping, WriterHarness } from '../support/writer-harness.js'

/** Parts are so small here that a file of a few hundred bytes has many. */
const PART = 32
let buckets = 0

async function harness(options: { maxStagingBytes?: number } = {}) {
  buckets += 1
  const meter = new Meter()
  const answers = new LostAnswers(openMemoryStore(`writer-${buckets}`, { minPartBytes: PART }))
  const h = await WriterHarness.open(new MeteringLayer(answers, meter), { partBytes: PART, ...options })
  endsWithTest(h)
  return Object.assign(h, { meter, answers })
}

/** A commit whose answer never comes, where it sends something. */
async function commitUnheard(writer: FileWriter, answers: LostAnswers, fate: Fate): Promise<void> {
  answers.loseNext(fate)
  await writer.commit().catch((error: unknown) => {
    if (!isStoreError(error) || !error.ambiguous) throw error
  })
  answers.loseNone()
}

/** As a program reads that finds the version gone which the file was made from. */
async function bytesOf(h: WriterHarness, writer: FileWriter): Promise<Buffer> {
  try {
    return await h.bytesOf(writer)
  } catch (error) {
    if (!isStoreError(error, 'precondition-failed') || (await writer.settle()) === undefined) throw error
    return h.bytesOf(writer)
  }
}

function copyBetween(
  h: WriterHarness,
  from: FileWriter,
  to: FileWriter,
  offset: number,
  toOffset: number,
  size: number,
) {
  return copyRange({
    source: () => from.file,
    sourceOffset: offset,
    target: to,
    targetOffset: toOffset,
    sizeBytes: size,
    reader: h.reader,
    signal: new AbortController().signal,
  })
}

describe('a file that is being written', () => {
  it('is what a buffer would be after any changes, and so is what the bucket then holds', async () => {
    const place = fc.nat(400)
    const length = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 200 }))
    const flag = fc.boolean()
    const command = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), place, length }),
      fc.record({ kind: fc.constant('append' as const), length }),
      fc.record({ kind: fc.constant('truncate' as const), place }),
      fc.record({ kind: fc.constantFrom('allocate' as const, 'punch' as const, 'zero' as const), place, length, flag }),
      fc.record({ kind: fc.constant('borrow' as const), place, length, from: fc.nat(100) }),
      fc.record({ kind: fc.constant('copy' as const), place, length, from: place }),
      fc.record({ kind: fc.constantFrom('commit' as const, 'fetch' as const) }),
      fc.record({ kind: fc.constant('unheard' as const), fate: fc.constantFrom('carried out', 'not carried out') }),
    )
    let runs = 0
    const h = await harness()
    const source = pattern(300, 7)
    await h.store.put('source', source)
    const version = await h.version('source')
    if (version === undefined) throw new Error('the source is not there')
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 14 }), flag, async (commands, isNew) => {
        runs += 1
        const key = `file-${runs}`
        let model = isNew ? Buffer.alloc(0) : pattern(350)
        if (!isNew) await h.store.put(key, model)
        const writer = await h.writer(key)
        if (isNew) writer.create('believed')
        const put = (offset: number, data: Uint8Array) => {
          if (offset + data.length > model.length) model = Buffer.concat([model], offset + data.length)
          model.set(data, offset)
        }
        for (const [step, one] of commands.entries()) {
          if (one.kind === 'write' || one.kind === 'append') {
            const offset = one.kind === 'write' ? one.place : model.length
            const data = Buffer.alloc(one.length, step + 1)
            await (one.kind === 'write' ? writer.write(offset, data) : writer.append(data))
            put(offset, data)
          } else if (one.kind === 'truncate') {
            await writer.truncate(one.place)
            model = Buffer.concat([model], one.place)
          } else if (one.kind === 'allocate' || one.kind === 'punch' || one.kind === 'zero') {
            const end = one.place + one.length
            await writer.allocate(one.place, one.length, { kind: one.kind, keepSize: one.flag })
            if (one.kind !== 'punch' && !one.flag && end > model.length) model = Buffer.concat([model], end)
            if (one.kind !== 'allocate') model.fill(0, Math.min(one.place, model.length), Math.min(end, model.length))
          } else if (one.kind === 'borrow') {
            if (await writer.borrow(one.place, one.length, version, one.from))
              put(one.place, source.subarray(one.from, one.from + one.length))
          } else if (one.kind === 'copy') {
            await writer.settle()
            const isApart = one.from + one.length <= one.place || one.place + one.length <= one.from
            const copied = isApart ? await copyBetween(h, writer, writer, one.from, one.place, one.length) : 0
            const bytes = Buffer.from(model.subarray(one.from, one.from + one.length))
            if (isApart) expect(copied).toBe(bytes.length)
            if (copied > 0) put(one.place, bytes)
          } else if (one.kind === 'commit') await writer.commit()
          else if (one.kind === 'unheard') await commitUnheard(writer, h.answers, one.fate)
          else {
            await writer.settle()
            await writer.fetchAll()
          }
          expect(writer.sizeBytes).toBe(model.length)
          expect((await bytesOf(h, writer)).equals(model)).toBe(true)
          for (let at = 0; at < model.length; at += 37) {
            const hole = writer.seek(at, 'hole')
            expect(hole).toBeGreaterThanOrEqual(at)
            expect(model[hole] ?? 0).toBe(0)
            if (hole !== at) expect(writer.seek(at, 'data')).toBe(at)
          }
        }
        await writer.commit()
        expect(writer.isDirty).toBe(false)
        expect((await h.stored(key)).equals(model)).toBe(true)
        expect(await writer.close(keeping('closed'))).toBeUndefined()
      }),
      { numRuns: 150 },
    )
    expect(await h.store.listUploads()).toEqual([])
    expect(h.services.budget.takenBytes).toBe(0)
  }, 60_000)
})

describe('holes', () => {
  it('are found where nothing was ever written, and data where something was', async () => {
    const h = await harness()
    const writer = await h.writer('sparse')
    writer.create('believed')
    await writer.write(1000, Buffer.from('x'))
    await writer.allocate(2000, 500, { kind: 'allocate', keepSize: false })
    expect(writer.sizeBytes).toBe(2500)
    expect([writer.seek(0, 'hole'), writer.seek(0, 'data'), writer.seek(1000, 'hole')]).toEqual([0, 1000, 1001])
    expect(() => writer.seek(1001, 'data')).toThrow('ENXIO')
    expect(() => writer.seek(2500, 'hole')).toThrow('ENXIO')
    expect(writer.seek(2499, 'hole')).toBe(2499)
    await writer.close(keeping('closed'))
  })

  it('are not known of stored objects: those are data up to their end', () => {
    expect(seekStored(10, 3, 'data')).toBe(3)
    expect(seekStored(10, 3, 'hole')).toBe(10)
    expect(() => seekStored(10, 10, 'data')).toThrow('ENXIO')
    expect(() => seekStored(0, 0, 'hole')).toThrow('ENXIO')
  })

  it('take no room on the disk, and punching gives room back', async () => {
    const h = await harness({ maxStagingBytes: 1000 })
    await h.store.put('f', pattern(400))
    const writer = await h.writer('f')
    await writer.allocate(0, 1e9, { kind: 'zero', keepSize: false })
    for (let i = 0; i < 5; i++) {
      await writer.write(5000, pattern(900))
      await writer.allocate(5000, 900, { kind: 'punch', keepSize: true })
    }
    expect(writer.sizeBytes).toBe(1e9)
    expect(writer.seek(0, 'hole')).toBe(0)
    await expect(writer.allocate(2 ** 60, 1, { kind: 'allocate', keepSize: true })).rejects.toMatchObject({
      errno: 'EFBIG',
    })
    await expect(writer.write(2 ** 53 - 1, Buffer.from('xy'))).rejects.toMatchObject({ errno: 'EFBIG' })
    await writer.truncate(0)
    await writer.close(keeping('closed'))
  })

  it('in what is kept read as zeros, not as the bytes that were there', async () => {
    const h = await harness()
    await h.store.put('f', pattern(400))
    const writer = await h.writer('f')
    await writer.allocate(100, 50, { kind: 'punch', keepSize: true })
    await h.store.put('f', Buffer.from('theirs'))
    await expect(writer.commit()).rejects.toMatchObject({ kind: 'precondition-failed' })
    const keptAt = (await writer.close(keeping('lost'))) ?? ''
    const record: unknown = JSON.parse(await readFile(keptAt.replace('.data', '.json'), 'utf8'))
    expect(record).toMatchObject({ sizeBytes: 400, ranges: [[100, 150]] })
  })
})

describe('copy_file_range', () => {
  it('copies whole parts on the server, and only what lies between them is sent', async () => {
    const h = await harness()
    await h.store.put('a', pattern(1000))
    const [from, to] = [await h.writer('a'), await h.writer('b')]
    to.create('believed')
    expect(await copyBetween(h, from, to, 0, 0, 5000)).toBe(1000)
    await to.write(500, Buffer.from('edit'))
    const before = h.meter.snapshot()
    await to.commit()
    const expected = pattern(1000)
    expected.set(Buffer.from('edit'), 500)
    expect((await h.stored('b')).equals(expected)).toBe(true)
    const after = h.meter.snapshot()
    expect(after.copyPart?.requests).toBe(2)
    expect(after.part?.sentBytes).toBe(PART)
    expect((after.get?.receivedBytes ?? 0) - (before.get?.receivedBytes ?? 0)).toBeLessThan(1200)
  })

  it('keeps what was taken when this mount changes the source before the copy is stored', async () => {
    const h = await harness()
    await h.store.put('a', pattern(1000))
    const [from, to] = [await h.writer('a'), await h.writer('b')]
    to.create('believed')
    await copyBetween(h, from, to, 0, 0, 1000)
    await from.truncate(10)
    await from.commit()
    await h.services.loans.settle('a')
    await h.store.delete([{ key: 'a' }])
    await to.commit()
    expect((await h.stored('b')).equals(pattern(1000))).toBe(true)
  })

  it('is ESTALE at the commit when others have changed the source, and O_EXCL does not hide that', async () => {
    const h = await harness()
    await h.store.put('a', pattern(1000))
    const [from, to] = [await h.writer('a'), await h.writer('b')]
    to.create('exclusive')
    await copyBetween(h, from, to, 0, 0, 1000)
    await h.store.put('a', pattern(1000, 2))
    await expect(to.commit()).rejects.toMatchObject({ errno: 'ESTALE' })
    expect(await h.version('b')).toBeUndefined()
    expect(await h.store.listUploads()).toEqual([])
    await to.close(keeping('lost'))
  })

  it('copies what is not stored yet, and leaves holes holes', async () => {
    const h = await harness()
    const [from, to] = [await h.writer('a'), await h.writer('b')]
    from.create('believed')
    to.create('believed')
    await from.write(10, Buffer.from('ten'))
    await from.write(900, Buffer.from('end'))
    expect(await copyBetween(h, from, to, 5, 100, 5000)).toBe(898)
    expect(to.sizeBytes).toBe(998)
    expect([to.seek(0, 'data'), to.seek(105, 'hole'), to.seek(108, 'data')]).toEqual([105, 108, 995])
    await to.commit()
    expect((await h.stored('b')).subarray(105, 108).toString()).toBe('ten')
    await from.close(keeping('closed'))
  })
})

describe('appends to what others change at the same time', () => {
  it('go behind it, once', async () => {
    const h = await harness()
    await h.store.put('log', pattern(200))
    const writer = await h.writer('log')
    await writer.append(Buffer.from('mine1 '))
    await writer.append(Buffer.from('mine2 '))
    const theirs = Buffer.concat([pattern(200), Buffer.from('theirs ')])
    await h.store.put('log', theirs)
    await writer.commit()
    const both = Buffer.concat([theirs, Buffer.from('mine1 mine2 ')])
    expect((await h.stored('log')).equals(both)).toBe(true)
    expect((await h.bytesOf(writer)).equals(both)).toBe(true)
    await writer.append(Buffer.from('more'))
    await writer.commit()
    expect((await h.stored('log')).equals(Buffer.concat([both, Buffer.from('more')]))).toBe(true)
    await writer.close(keeping('closed'))
  })

  it('begin a file together', async () => {
    const h = await harness()
    const [a, b] = [await h.writer('new.log'), await h.writer('new.log')]
    for (const [writer, text] of [
      [a, 'a\n'],
      [b, 'b\n'],
    ] as const) {
      writer.create('believed')
      await writer.append(Buffer.from(text))
    }
    await a.commit()
    await b.commit()
    expect((await h.stored('new.log')).toString()).toBe('a\nb\n')
    for (const writer of [a, b]) await writer.close(keeping('closed'))
  })

  it('move also when they were being streamed', async () => {
    const h = await harness()
    const writer = await h.writer('stream.log')
    writer.create('believed')
    const mine = pattern(500, 3)
    for (let at = 0; at < mine.length; at += 50) await writer.append(mine.subarray(at, at + 50))
    await h.store.put('stream.log', Buffer.from('theirs\n'))
    await writer.commit()
    expect((await h.stored('stream.log')).equals(Buffer.concat([Buffer.from('theirs\n'), mine]))).toBe(true)
    expect(await h.store.listUploads()).toEqual([])
    await writer.close(keeping('closed'))
    expect(h.services.budget.takenBytes).toBe(0)
  })

  it('are lost like any edit where something else was changed too, and where the file is gone or must be new', async () => {
    const h = await harness()
    await h.store.put('edited', Buffer.from('old'))
    await h.store.put('gone', Buffer.from('old'))
    const [edited, gone, excl] = [await h.writer('edited'), await h.writer('gone'), await h.writer('excl')]
    excl.create('exclusive')
    await edited.write(0, Buffer.from('X'))
    for (const writer of [edited, gone, excl]) await writer.append(Buffer.from('tail'))
    await h.store.put('edited', Buffer.from('theirs'))
    await h.store.delete([{ key: 'gone' }])
    await h.store.put('excl', Buffer.from('theirs'))
    await expect(edited.commit()).rejects.toMatchObject({ kind: 'precondition-failed' })
    await expect(gone.commit()).rejects.toMatchObject({ kind: 'precondition-failed' })
    await expect(excl.commit()).rejects.toMatchObject({ errno: 'EEXIST' })
    for (const writer of [edited, gone, excl]) expect(await writer.close(keeping('lost'))).toMatch(/kept/)
  })

  it('are not made twice when the answer to the first was lost', async () => {
    buckets += 1
    const rules = new FaultRules([{ operations: ['put'], nth: 2, fault: { kind: 'unavailable', when: 'after' } }])
    const inner = openMemoryStore(`writer-${buckets}`, { minPartBytes: PART })
    const h = endsWithTest(await WriterHarness.open(new FaultLayer(inner, rules), { partBytes: PART }))
    await h.store.put('log', Buffer.from('old '))
    const writer = await h.writer('log')
    await writer.append(Buffer.from('mine'))
    await expect(writer.commit()).rejects.toMatchObject({ kind: 'unavailable', ambiguous: true })
    await writer.commit()
    expect((await h.stored('log')).toString()).toBe('old mine')
    await writer.append(Buffer.from(' and more'))
    await writer.commit()
    expect((await h.stored('log')).toString()).toBe('old mine and more')
    await writer.close(undefined)
  })

  it('are given up at the second refusal', async () => {
    buckets += 1
    const inner = openMemoryStore(`writer-${buckets}`, { minPartBytes: PART })
    const gated = new GatedStore(inner)
    const h = endsWithTest(await WriterHarness.open(gated, { partBytes: PART }))
    await inner.put('log', Buffer.from('old'))
    const writer = await h.writer('log')
    await writer.append(Buffer.from('mine'))
    const first = gated.hold('put', 'before')
    const refused = writer.commit().catch((error: unknown) => error)
    await first.reached
    await inner.put('log', Buffer.from('theirs'))
    const second = gated.hold('put', 'before')
    first.open()
    await second.reached
    await inner.put('log', Buffer.from('theirs again'))
    second.open()
    expect(await refused).toMatchObject({ kind: 'precondition-failed' })
    expect((await h.stored('log')).toString()).toBe('theirs again')
    expect(await writer.close(keeping('lost'))).toMatch(/kept/)
  })
})

describe('fetchAll', () => {
  it('makes a file independent of its object', async () => {
    const h = await harness()
    const bytes = pattern(500)
    await h.store.put('f', bytes)
    const writer = await h.writer('f')
    await writer.write(100, Buffer.from('local'))
    bytes.set(Buffer.from('local'), 100)
    await writer.fetchAll()
    await h.store.delete([{ key: 'f' }])
    expect((await h.bytesOf(writer)).equals(bytes)).toBe(true)
    await writer.close(keeping('closed'))
  })

  it('is ENOSPC where staging has no room, and the file stays what it is', async () => {
    const h = await harness({ maxStagingBytes: 300 })
    await h.store.put('f', pattern(500))
    const writer = await h.writer('f')
    await expect(writer.fetchAll()).rejects.toMatchObject({ errno: 'ENOSPC' })
    expect((await h.bytesOf(writer)).equals(pattern(500))).toBe(true)
    await writer.close(keeping('closed'))
  })
})
