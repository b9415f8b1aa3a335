import { expect, it } from 'vitest'
import { collect, contentOf, kindOf, testBytes, text } from '../../support/store-tools.js'
import type { SuiteContext } from './suite-context.js'

/** Multipart uploads. */
export function uploadTests(context: SuiteContext): void {
  completionTests(context)
  pendingTests(context)
  copyPartTests(context)
  refusalTests(context)
}

function completionTests(context: SuiteContext): void {
  it('makes one object of parts that come in any order, one of them twice', async () => {
    const { store } = context
    const { minPartBytes } = store.capabilities.multipart
    const key = `${context.folder()}object`
    const metadata = { mode: '33188', note: 'kept' }
    const upload = await store.createUpload(key, { metadata, headers: { contentType: 'text/x-test' } })
    expect(upload).toMatchObject({ key })
    const [one, two, three] = [testBytes(minPartBytes, 1), testBytes(minPartBytes + 3, 2), testBytes(1001, 3)]
    const third = await upload.part(3, three)
    await upload.part(1, testBytes(minPartBytes, 4))
    const [second, first] = await Promise.all([upload.part(2, two), upload.part(1, one)])
    expect(first).toMatchObject({ number: 1, sizeBytes: minPartBytes })
    expect(await kindOf(store.head(key)), 'invisible before complete').toBe('not-found')
    const { etag } = await upload.complete([first, second, third])
    const head = await store.head(key)
    expect(head).toMatchObject({ key, etag, sizeBytes: 2 * minPartBytes + 1004, metadata })
    expect(head.headers.contentType).toBe('text/x-test')
    expect((await contentOf(store, key)).equals(Buffer.concat([one, two, three]))).toBe(true)
    const range = { offset: minPartBytes - 5, lengthBytes: 10 }
    const expected = Buffer.concat([one.subarray(-5), two.subarray(0, 5)])
    const { body } = await store.get(key, { range, ifMatch: etag })
    expect((await collect(body)).equals(expected)).toBe(true)
  })

  it('leaves out parts that complete does not name, and replaces the object', async () => {
    const { store } = context
    const key = `${context.folder()}object`
    await store.put(key, text('old'), { metadata: { old: '1' } })
    const upload = await store.createUpload(key)
    const kept = await upload.part(2, text('kept'))
    if (!context.deviates('complete-wants-every-part')) await upload.part(5, text('left out'))
    expect((await contentOf(store, key)).toString()).toBe('old')
    await upload.complete([kept])
    expect((await contentOf(store, key)).toString()).toBe('kept')
    expect((await store.head(key)).metadata).toStrictEqual({})
    expect(await store.listUploads({ prefix: key })).toStrictEqual([])
  })

  it('leaves nothing behind an abort', async () => {
    const { store } = context
    const key = `${context.folder()}object`
    const upload = await store.createUpload(key)
    const part = await upload.part(1, text('x'))
    await upload.abort()
    expect(await store.listUploads({ prefix: key })).toStrictEqual([])
    expect(await kindOf(store.head(key))).toBe('not-found')
    expect(await kindOf(upload.part(2, text('y')))).toBe('no-such-upload')
    expect(await kindOf(upload.complete([part]))).toBe('no-such-upload')
    expect(await kindOf(store.listParts(key, upload.uploadId))).toBe('no-such-upload')
    await upload.abort()
  })
}

function pendingTests(context: SuiteContext): void {
  it('lists unfinished uploads and their parts, and goes on with them by their id', async () => {
    const { store } = context
    const folder = context.folder()
    const uploads = [await store.createUpload(`${folder}b`), await store.createUpload(`${folder}a/+ü &`)]
    const other = await store.createUpload(`${folder}b`)
    const listed = await store.listUploads({ prefix: folder })
    const ids = (items: readonly { key: string; uploadId: string }[]) =>
      items.map(item => `${item.key} ${item.uploadId}`).sort()
    expect(ids(listed)).toStrictEqual(ids([...uploads, other]))
    for (const { startedMs } of listed) expect(Number.isFinite(startedMs)).toBe(true)
    expect(ids(await store.listUploads({ prefix: `${folder}a` }))).toStrictEqual(ids(uploads.slice(1)))
    const [upload] = uploads
    if (upload === undefined) return
    const second = await upload.part(2, text('second'))
    const first = await upload.part(1, testBytes(store.capabilities.multipart.minPartBytes))
    expect(await store.listParts(upload.key, upload.uploadId)).toStrictEqual([first, second])
    const again = store.resumeUpload(upload.key, upload.uploadId)
    expect(again).toMatchObject({ key: upload.key, uploadId: upload.uploadId })
    const third = await again.part(2, text('another second'))
    await again.complete([first, third])
    expect((await contentOf(store, upload.key)).subarray(-14).toString()).toBe('another second')
    for (const left of [...uploads.slice(1), other]) await left.abort()
    expect(await store.listUploads({ prefix: folder })).toStrictEqual([])
  })
}

function copyPartTests(context: SuiteContext): void {
  it('fills parts with ranges of stored objects', async ({ skip }) => {
    const { store } = context
    skip(context.deviates('no-copy-part'), 'unsupported')
    expect(store.capabilities.copyPart).toBe(true)
    const { minPartBytes } = store.capabilities.multipart
    const folder = context.folder()
    const source = testBytes(minPartBytes + 100)
    const key = `${folder}source %+ü`
    const { etag } = await store.put(key, source)
    const upload = await store.createUpload(key)
    const copied = await upload.copyPart(1, {
      key,
      range: { offset: 33, lengthBytes: minPartBytes },
      sourceIfMatch: etag,
    })
    expect(copied).toMatchObject({ number: 1, sizeBytes: minPartBytes })
    const wrong = { key, range: { offset: 0, lengthBytes: 10 }, sourceIfMatch: '0123456789abcdef0123456789abcdef' }
    expect(await kindOf(upload.copyPart(2, wrong))).toBe('precondition-failed')
    const missing = { key: `${folder}missing`, range: { offset: 0, lengthBytes: 10 } }
    expect(await kindOf(upload.copyPart(2, missing))).toBe('not-found')
    const written = await upload.part(2, text('the rest'))
    await upload.complete([copied, written], store.capabilities.conditions.complete === 'none' ? {} : { ifMatch: etag })
    const expected = Buffer.concat([source.subarray(33, 33 + minPartBytes), text('the rest')])
    expect((await contentOf(store, key)).equals(expected)).toBe(true)
  })

  it('says when it can not', async ({ skip }) => {
    skip(!context.deviates('no-copy-part'), 'it can')
    expect(context.store.capabilities.copyPart).toBe(false)
    const upload = await context.store.createUpload(`${context.folder()}object`)
    const range = { offset: 0, lengthBytes: 1 }
    expect(await kindOf(upload.copyPart(1, { key: 'x', range }))).toBe('unsupported')
    await upload.abort()
  })
}

function refusalTests(context: SuiteContext): void {
  it('refuses parts that do not fit', async () => {
    const { store } = context
    const key = `${context.folder()}object`
    const upload = await store.createUpload(key)
    const first = await upload.part(1, text('too small'))
    const second = await upload.part(2, text('the last'))
    const complete = (...parts: Parameters<typeof upload.complete>[0]) => kindOf(upload.complete(parts))
    expect(await complete()).toBe('invalid')
    if (!context.deviates('accepts-wrong-part-etags'))
      expect(await complete({ ...second, etag: '0123456789abcdef0123456789abcdef' })).toBe('invalid')
    expect(await complete(second, { number: 7, etag: second.etag, sizeBytes: 1 })).toBe('invalid')
    if (store.capabilities.multipart.minPartBytes > first.sizeBytes && !context.deviates('accepts-small-parts'))
      expect(await complete(first, second)).toBe('invalid')
    expect(await kindOf(upload.part(0, text('x')))).toBe('invalid')
    expect(await kindOf(upload.part(store.capabilities.multipart.maxParts + 1, text('x')))).toBe('invalid')
    expect(await kindOf(store.head(key))).toBe('not-found')
    await upload.abort()
  })
}
