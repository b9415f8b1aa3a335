import { expect, it } from 'vitest'
import type { Body, ByteRange, ObjectHeaders } from '../../../src/backend/object-store.js'
import { collect, contentOf, kindOf, PiecewiseSink, testBytes, text } from '../../support/store-tools.js'
import type { SuiteContext } from './suite-context.js'

const HEADERS = {
  contentType: 'text/plain; charset=utf-8',
  contentEncoding: 'gzip',
  contentDisposition: 'attachment; filename="x y.txt"',
  contentLanguage: 'de',
  cacheControl: 'max-age=60',
  expires: 'Thu, 01 Jan 2037 00:00:00 GMT',
} as const satisfies ObjectHeaders

/** Put, get, head and delete of single objects. */
export function objectTests(context: SuiteContext): void {
  attachmentTests(context)
  rangeTests(context)
  readPlanTests(context)
  bodyTests(context)
  deleteTests(context)
  abortTests(context)
}

function attachmentTests(context: SuiteContext): void {
  it('gives back bytes, metadata and headers as they were put', async () => {
    const key = `${context.folder()}object`
    const bytes = testBytes(100_003)
    const metadata = { mode: '33188', 'with-dash': 'a b  c', empty: '' }
    const { etag } = await context.store.put(key, bytes, { metadata, headers: HEADERS })
    const expectedHeaders = Object.fromEntries(
      Object.entries(HEADERS).filter(([name]) => !context.deviates(`drops-${name as keyof typeof HEADERS}`)),
    )
    const head = await context.store.head(key)
    expect(head).toMatchObject({ key, etag, sizeBytes: bytes.byteLength, metadata })
    expect(head.headers).toStrictEqual(expectedHeaders)
    const { info, body } = await context.store.get(key)
    const { checksums: _, ...told } = head
    expect(info).toStrictEqual(told)
    expect((await collect(body)).equals(bytes)).toBe(true)
  })

  it('keeps metadata that is not ASCII', async () => {
    const key = `${context.folder()}object`
    const metadata = { note: 'grün ✓ 日本 \u{1f600}' }
    const put = context.store.put(key, text('x'), { metadata })
    if (context.deviates('refuses-non-ascii-metadata')) {
      expect(await kindOf(put)).toBe('invalid')
      return
    }
    await put
    expect((await context.store.head(key)).metadata).toStrictEqual(metadata)
  })

  it('replaces an object as a whole: bytes, metadata and headers', async () => {
    const key = `${context.folder()}object`
    const first = await context.store.put(key, text('first'), {
      metadata: { a: '1' },
      headers: { contentLanguage: 'de' },
    })
    const second = await context.store.put(key, text('the second'), { metadata: { b: '2' } })
    expect(second.etag).not.toBe(first.etag)
    const head = await context.store.head(key)
    expect(head).toMatchObject({ etag: second.etag, sizeBytes: 10, metadata: { b: '2' } })
    expect(head.metadata).not.toHaveProperty('a')
    expect(head.headers.contentLanguage).toBeUndefined()
    expect((await contentOf(context.store, key)).toString()).toBe('the second')
  })

  it('answers not-found for a key that does not exist', async () => {
    const folder = context.folder()
    await context.store.put(`${folder}a/b`, text('x'))
    for (const key of [`${folder}missing`, `${folder}a`, `${folder}a/`, `${folder}a/b/c`]) {
      expect(await kindOf(context.store.head(key)), key).toBe('not-found')
      expect(await kindOf(context.store.get(key)), key).toBe('not-found')
    }
  })
}

function rangeTests(context: SuiteContext): void {
  it('reads ranges', async () => {
    const key = `${context.folder()}object`
    const bytes = testBytes(300_001)
    const { etag } = await context.store.put(key, bytes)
    const ranges: readonly ByteRange[] = [
      { offset: 0, lengthBytes: 1 },
      { offset: 1, lengthBytes: 65_537 },
      { offset: 131_071, lengthBytes: 3 },
      { offset: 300_000, lengthBytes: 1 },
      { offset: 299_990, lengthBytes: 1000 },
      { offset: 0, lengthBytes: 300_001 },
    ]
    for (const range of ranges) {
      const { info, body } = await context.store.get(key, { range })
      expect(info).toMatchObject({ etag, sizeBytes: bytes.byteLength })
      const expected = bytes.subarray(range.offset, range.offset + range.lengthBytes)
      expect((await collect(body)).equals(expected), JSON.stringify(range)).toBe(true)
    }
  })

  it('refuses a range that begins at or behind the end', async () => {
    const folder = context.folder()
    await context.store.put(`${folder}ten`, testBytes(10))
    await context.store.put(`${folder}empty`, testBytes(0))
    const get = (name: string, offset: number) =>
      context.store.get(folder + name, { range: { offset, lengthBytes: 5 } })
    expect(await kindOf(get('ten', 10))).toBe('invalid')
    expect(await kindOf(get('ten', 1000))).toBe('invalid')
    expect(await kindOf(get('empty', 0))).toBe('invalid')
    expect((await contentOf(context.store, `${folder}empty`)).byteLength).toBe(0)
  })

  it('gets only the version that is asked for', async () => {
    const key = `${context.folder()}object`
    const { etag: old } = await context.store.put(key, text('old'))
    expect((await collect((await context.store.get(key, { ifMatch: old })).body)).toString()).toBe('old')
    await context.store.put(key, text('new'))
    expect(await kindOf(context.store.get(key, { ifMatch: old }))).toBe('precondition-failed')
    const range = { offset: 0, lengthBytes: 1 }
    expect(await kindOf(context.store.get(key, { ifMatch: old, range }))).toBe('precondition-failed')
  })
}

function readPlanTests(context: SuiteContext): void {
  it('runs read plans into sinks of odd sizes', async () => {
    const key = `${context.folder()}object`
    const bytes = testBytes(700_001)
    const { etag } = await context.store.put(key, bytes)
    for (const [offset, lengthBytes] of [
      [0, 700_001],
      [3, 262_144],
      [699_999, 2],
    ] as const) {
      const plan = await context.store.prepareRead(key, { offset, lengthBytes }, { ifMatch: etag })
      expect(plan).toMatchObject({ key, range: { offset, lengthBytes } })
      const sink = new PiecewiseSink(lengthBytes, [1, 4095, 65_537, 7])
      expect(await plan.run(sink)).toMatchObject({ etag, sizeBytes: bytes.byteLength })
      expect(sink.bytes().equals(bytes.subarray(offset, offset + lengthBytes)), `${offset}`).toBe(true)
    }
  })

  it('rejects a read plan of another version, of a missing object and over the end', async () => {
    const key = `${context.folder()}object`
    const { etag } = await context.store.put(key, testBytes(100))
    await context.store.put(key, testBytes(100, 2))
    const run = async (target: string, lengthBytes: number, ifMatch?: string) => {
      const plan = await context.store.prepareRead(target, { offset: 0, lengthBytes }, { ifMatch })
      await plan.run(new PiecewiseSink(lengthBytes, [1000]))
    }
    expect(await kindOf(run(key, 100, etag))).toBe('precondition-failed')
    expect(await kindOf(run(`${key}-missing`, 100))).toBe('not-found')
    expect(await kindOf(run(key, 101))).toBe('corrupt')
    expect(await kindOf(run(key, 100))).toBe('resolved')
  })
}

function bodyTests(context: SuiteContext): void {
  it('stores bodies from a source, and an empty one', async () => {
    const folder = context.folder()
    const bytes = testBytes(1_000_003)
    const source: Body = {
      sizeBytes: bytes.byteLength,
      async *open() {
        for (let at = 0; at < bytes.byteLength; at += 65_537) yield bytes.subarray(at, at + 65_537)
      },
    }
    await context.store.put(`${folder}source`, source)
    expect((await contentOf(context.store, `${folder}source`)).equals(bytes)).toBe(true)
    await context.store.put(`${folder}empty`, { sizeBytes: 0, async *open() {} })
    expect(await context.store.head(`${folder}empty`)).toMatchObject({ sizeBytes: 0 })
  })

  it('stores nothing when the source fails or has another length', async () => {
    const key = `${context.folder()}object`
    const short: Body = { sizeBytes: 10, open: () => failingSource(5) }
    const failing: Body = { sizeBytes: 10, open: () => failingSource(5, new Error('the disk is gone')) }
    const long: Body = { sizeBytes: 10, open: () => failingSource(11) }
    for (const body of [short, failing, long]) expect(await kindOf(context.store.put(key, body))).not.toBe('resolved')
    expect(await kindOf(context.store.head(key))).toBe('not-found')
  })

  it('gives up a body that is left early', async () => {
    const key = `${context.folder()}object`
    const bytes = testBytes(3_000_000)
    await context.store.put(key, bytes)
    for await (const chunk of (await context.store.get(key)).body) {
      expect(Buffer.from(chunk).equals(bytes.subarray(0, chunk.byteLength))).toBe(true)
      break
    }
    expect((await contentOf(context.store, key)).equals(bytes)).toBe(true)
  })
}

async function* failingSource(sizeBytes: number, error?: Error): AsyncGenerator<Uint8Array> {
  yield testBytes(sizeBytes)
  if (error !== undefined) throw error
}

function deleteTests(context: SuiteContext): void {
  it('deletes many keys at once, missing ones too', async () => {
    const folder = context.folder()
    const there = [1, 2, 3, 4, 5].map(n => `${folder}there ${n} & <more>`)
    for (const key of there) await context.store.put(key, text(key))
    await context.store.put(`${folder}kept`, text('kept'))
    const entries = [...there.slice(0, 3), `${folder}missing`, ...there.slice(3), `${folder}missing/2`].map(key => ({
      key,
    }))
    const results = await context.store.delete(entries)
    expect(results).toStrictEqual(entries.map(({ key }) => ({ key })))
    const left = await context.store.list({ prefix: folder })
    expect(left.objects.map(object => object.key)).toStrictEqual([`${folder}kept`])
    expect(await context.store.delete([])).toStrictEqual([])
  })
}

function abortTests(context: SuiteContext): void {
  it('rejects every call with aborted when the signal has fired', async () => {
    const folder = context.folder()
    const key = `${folder}object`
    await context.store.put(key, text('x'))
    const upload = await context.store.createUpload(key)
    const signal = AbortSignal.abort(new Error('no longer wanted'))
    const run = async () => {
      const plan = await context.store.prepareRead(key, { offset: 0, lengthBytes: 1 })
      await plan.run(new PiecewiseSink(1, [1]), signal)
    }
    const calls: Record<string, Promise<unknown>> = {
      head: context.store.head(key, { signal }),
      list: context.store.list({ prefix: folder, signal }),
      get: context.store.get(key, { signal }),
      run: run(),
      put: context.store.put(`${folder}new`, text('x'), { signal }),
      createUpload: context.store.createUpload(key, { signal }),
      part: upload.part(1, text('x'), { signal }),
      complete: upload.complete([{ number: 1, etag: 'x', sizeBytes: 1 }], { signal }),
      listUploads: context.store.listUploads({ prefix: folder, signal }),
      listParts: context.store.listParts(key, upload.uploadId, { signal }),
      copy: context.store.copy(key, `${folder}new`, { signal }),
      traits: context.store.traits(key, { signal }),
      delete: context.store.delete([{ key }], { signal }),
    }
    const names = Object.keys(calls)
    const kinds = await Promise.all(Object.values(calls).map(kindOf))
    const pairs = (values: readonly string[]) => names.map((name, i) => `${name}: ${values[i]}`)
    expect(pairs(kinds)).toStrictEqual(pairs(names.map(() => 'aborted')))
    await upload.abort()
    expect((await context.store.list({ prefix: folder })).objects.map(object => object.key)).toStrictEqual([key])
  })

  it('ends a body with aborted when the signal fires in its middle', async () => {
    const key = `${context.folder()}object`
    await context.store.put(key, testBytes(8_000_000))
    const controller = new AbortController()
    const { body } = await context.store.get(key, { signal: controller.signal })
    const readAll = async () => {
      for await (const _ of body) controller.abort()
    }
    expect(await kindOf(readAll())).toBe('aborted')
  })
}
