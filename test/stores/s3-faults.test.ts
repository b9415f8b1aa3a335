import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { FaultRule } from '../../scripts/servers/s3/knobs.js'
import { type S3Server, startS3Server } from '../../scripts/servers/s3/s3-server.js'
import { RetryLayer } from '../../src/backend/layers/retry/retry-layer.js'
import type { ObjectStore } from '../../src/backend/object-store.js'
import type { S3Options } from '../../src/backend/s3/options.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { isStoreError, type StoreError } from '../../src/backend/store-error.js'
import { collect, contentOf, PiecewiseSink, testBytes, text } from '../support/store-tools.js'

const credentials = { accessKeyId: 'test', secretAccessKey: 'testsecret' }
const MIB = 1024 ** 2

let server: S3Server
let bare: ObjectStore
let store: ObjectStore

beforeAll(async () => {
  server = await startS3Server({ buckets: ['bucket'] })
  bare = await open()
  store = new RetryLayer(bare, { baseDelayMs: 1, timeoutMs: 20_000 })
  // Finds out now how the server keeps conditions, so that the counts of the tests hold.
  await store.put('first', text('first'), { ifNoneMatch: '*' })
  const upload = await store.createUpload('second')
  await upload.complete([await upload.part(1, text('second'))], { ifNoneMatch: '*' })
  await store.copy('first', 'third', { ifNoneMatch: '*' })
  expect(store.capabilities.conditions).toMatchObject({ put: 'atomic', complete: 'atomic', copy: 'atomic' })
})

afterAll(async () => {
  await store.close()
  await server.close()
})

beforeEach(() => server.reset())

function open(options: S3Options = {}): Promise<ObjectStore> {
  return openS3Store('bucket', { endpoint: server.url, credentials, ...options })
}

function fault(...faults: FaultRule[]): void {
  server.setKnobs({ faults })
}

async function errorOf(call: Promise<unknown>): Promise<StoreError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!isStoreError(error)) throw new Error('no StoreError', { cause: error })
  return error
}

function requests(): Readonly<Record<string, number>> {
  return server.counters().requests
}

describe('what the store makes of a misbehaving server', () => {
  it.each([
    [503, 'SlowDown', 'throttled', false],
    [503, 'ServiceUnavailable', 'throttled', false],
    [429, 'TooManyRequests', 'throttled', false],
    [500, 'InternalError', 'unavailable', true],
    [502, 'BadGateway', 'unavailable', true],
    [504, 'GatewayTimeout', 'unavailable', true],
    [403, 'AccessDenied', 'denied', false],
    [403, 'ExpiredToken', 'denied', false],
    [409, 'ConditionalRequestConflict', 'precondition-failed', false],
    [400, 'BadDigest', 'corrupt', false],
    [400, 'RequestTimeout', 'unavailable', true],
    [404, 'NoSuchBucket', 'unavailable', false],
  ] as const)('%i %s on PUT is %s', async (status, code, kind, ambiguous) => {
    fault({ operation: 'PutObject', error: { status, code } })
    expect(await errorOf(bare.put('faulty', text('x')))).toMatchObject({ kind, code, ambiguous, key: 'faulty' })
  })

  it('passes on how long to wait', async () => {
    fault({ error: { status: 503, code: 'SlowDown', retryAfterSeconds: 3 } })
    expect(await errorOf(bare.head('first'))).toMatchObject({ kind: 'throttled', retryAfterMs: 3000 })
  })

  it('notices bodies that are cut off, too long or of another length', async () => {
    await bare.put('body', testBytes(3 * MIB))
    for (const rule of [{ cutAfterBytes: MIB }, { wrongLengthBytes: 10 }, { dropRequest: true }]) {
      fault({ operation: 'GetObject', ...rule })
      const read = async () => collect((await bare.get('body')).body)
      expect(await errorOf(read()), JSON.stringify(rule)).toMatchObject({ retryable: true })
    }
  })

  it('notices a whole object in the place of a range', async () => {
    await bare.put('body', testBytes(1000))
    fault({ operation: 'GetObject', ignoreRange: true })
    const range = { offset: 0, lengthBytes: 10 }
    expect(await errorOf(bare.get('body', { range }))).toMatchObject({ kind: 'corrupt' })
    const all = await bare.get('body', { range: { offset: 0, lengthBytes: 1000 } })
    expect((await collect(all.body)).equals(testBytes(1000))).toBe(true)
  })

  it('notices wrong bytes where a checksum comes with them', async () => {
    const checking = await open({ checksums: 'on' })
    await checking.put('summed', testBytes(1000))
    expect((await contentOf(checking, 'summed')).equals(testBytes(1000))).toBe(true)
    fault({ operation: 'GetObject', wrongBytes: true })
    expect(await errorOf(contentOf(checking, 'summed'))).toMatchObject({ kind: 'corrupt', retryable: true })
    await checking.close()
  })

  it('takes an error in a 200 for the error that it is', async () => {
    const upload = await bare.createUpload('inside')
    const part = await upload.part(1, text('x'))
    fault({ errorInside: 'InternalError' })
    expect(await errorOf(bare.copy('first', 'copy'))).toMatchObject({ kind: 'unavailable', ambiguous: true })
    expect(await errorOf(upload.complete([part]))).toMatchObject({ kind: 'unavailable', ambiguous: true })
    server.reset()
    await upload.abort()
    expect(await errorOf(bare.head('inside'))).toMatchObject({ kind: 'not-found' })
  })

  it('leaves the console alone', async () => {
    const said = vi.spyOn(console, 'warn')
    const source = {
      sizeBytes: 4,
      async *open() {
        yield text('text')
      },
    }
    fault({ operation: 'PutObject', error: { status: 403, code: 'AccessDenied' } })
    await errorOf(bare.put('silent', source))
    expect(said).not.toHaveBeenCalled()
    said.mockRestore()
  })

  it('ends a request that stands still', async () => {
    const impatient = await open({ idleTimeoutMs: 200 })
    fault({ stallMs: 10_000 })
    expect(await errorOf(impatient.head('first'))).toMatchObject({ kind: 'unavailable', code: 'TimeoutError' })
    const read = async () => collect((await impatient.get('first')).body)
    expect(await errorOf(read())).toMatchObject({ kind: 'unavailable' })
    await impatient.close()
  })
})

describe('what the server does by itself', () => {
  it('may be silent for longer', async () => {
    const impatient = await open({ idleTimeoutMs: 200 })
    const upload = await impatient.createUpload('patient')
    const range = { offset: 0, lengthBytes: 5 }
    fault({ stallMs: 600 })
    await impatient.copy('first', 'patient copy')
    const part = await upload.copyPart(1, { key: 'first', range })
    const { etag } = await upload.complete([part])
    expect(await errorOf(impatient.head('patient'))).toMatchObject({ code: 'TimeoutError' })
    server.reset()
    expect(await impatient.head('patient')).toMatchObject({ etag })
    await impatient.close()
  })
})

describe('what the retry layer makes of it', () => {
  it('asks again after a refusal, and gets through', async () => {
    fault({ error: { status: 503, code: 'SlowDown' }, times: 2 })
    expect((await contentOf(store, 'first')).toString()).toBe('first')
    expect(requests()).toStrictEqual({ GetObject: 3 })
    server.reset()
    fault({ error: { status: 503, code: 'SlowDown' }, times: 2 })
    await store.put('put', text('x'))
    expect(requests()).toStrictEqual({ PutObject: 3 })
  })

  it('does not ask again what is denied', async () => {
    fault({ error: { status: 403, code: 'AccessDenied' } })
    expect(await errorOf(store.head('first'))).toMatchObject({ kind: 'denied' })
    expect(requests()).toStrictEqual({ HeadObject: 1 })
  })

  it('goes on with a body where it was cut off', async () => {
    const bytes = testBytes(4 * MIB)
    await store.put('cut', bytes)
    server.reset()
    fault({ operation: 'GetObject', cutAfterBytes: MIB, times: 2 })
    expect((await contentOf(store, 'cut')).equals(bytes)).toBe(true)
    expect(requests()).toStrictEqual({ GetObject: 3 })
    expect(server.counters().bytesOut.GetObject).toBe(4 * MIB)
  })

  it('fills a sink over a connection that breaks', async () => {
    const bytes = testBytes(4 * MIB)
    const { etag } = await store.put('plan', bytes)
    fault({ operation: 'GetObject', cutAfterBytes: MIB, times: 2 })
    const plan = await store.prepareRead('plan', { offset: 5, lengthBytes: 3 * MIB }, { ifMatch: etag })
    const sink = new PiecewiseSink(3 * MIB, [65_536])
    await plan.run(sink)
    expect(sink.bytes().equals(bytes.subarray(5, 5 + 3 * MIB))).toBe(true)
  })

  it('settles a conditional PUT whose reply was lost', async () => {
    fault({ operation: 'PutObject', loseReply: true, times: 1 })
    const { etag } = await store.put('lost', text('mine'), { ifNoneMatch: '*' })
    expect(await store.head('lost')).toMatchObject({ etag })
    expect((await contentOf(store, 'lost')).toString()).toBe('mine')
    server.reset()
    fault({ operation: 'PutObject', loseReply: true, times: 1 })
    await store.put('lost', text('mine again'), { ifMatch: etag })
    expect(requests().PutObject).toBe(2)
    expect((await contentOf(store, 'lost')).toString()).toBe('mine again')
  })

  it('reports the conflict with another writer after a request that was lost', async () => {
    await store.put('theirs', text('theirs'))
    fault({ operation: 'PutObject', dropRequest: true, times: 1 })
    expect(await errorOf(store.put('theirs', text('mine'), { ifNoneMatch: '*' }))).toMatchObject({
      kind: 'precondition-failed',
    })
    expect((await contentOf(store, 'theirs')).toString()).toBe('theirs')
  })

  it('settles a Complete whose reply was lost', async () => {
    const upload = await store.createUpload('completed')
    const part = await upload.part(1, text('completed'))
    fault({ operation: 'CompleteMultipartUpload', loseReply: true, times: 1 })
    const { etag } = await upload.complete([part], { ifNoneMatch: '*' })
    expect(await store.head('completed')).toMatchObject({ etag, sizeBytes: 9 })
  })

  it('repeats a Complete that was answered with an error in a 200', async () => {
    const upload = await store.createUpload('completed-too')
    const part = await upload.part(1, text('x'))
    fault({ operation: 'CompleteMultipartUpload', errorInside: 'InternalError', times: 1 })
    const { etag } = await upload.complete([part])
    expect(await store.head('completed-too')).toMatchObject({ etag })
    expect(requests().CompleteMultipartUpload).toBe(2)
  })

  it('repeats a part from its beginning', async () => {
    const bytes = testBytes(6 * MIB)
    const source = {
      sizeBytes: bytes.byteLength,
      async *open() {
        for (let at = 0; at < bytes.byteLength; at += MIB) yield bytes.subarray(at, at + MIB)
      },
    }
    const upload = await store.createUpload('parts')
    fault(
      { operation: 'UploadPart', dropRequest: true, times: 1 },
      { operation: 'UploadPart', from: 2, times: 1, loseReply: true },
    )
    const part = await upload.part(1, source)
    await upload.complete([part])
    expect((await contentOf(store, 'parts')).equals(bytes)).toBe(true)
    expect(requests().UploadPart).toBe(3)
  })

  it('comes through a server that fails one request in five', async () => {
    server.setKnobs({ seed: 7, faults: [{ probability: 0.2, error: { status: 503, code: 'SlowDown' } }] })
    const keys = Array.from({ length: 50 }, (_, n) => `many/${n}`)
    for (const key of keys) await store.put(key, text(key))
    for (const key of keys) expect((await contentOf(store, key)).toString()).toBe(key)
    const results = await store.delete(keys.map(key => ({ key })))
    expect(results).toStrictEqual(keys.map(key => ({ key })))
    expect((await store.list({ prefix: 'many/' })).objects).toStrictEqual([])
    expect(server.counters().statuses['503']).toBeGreaterThan(10)
  })
})

describe('what is asked', () => {
  it('takes one request for each ordinary call', async () => {
    await bare.put('one', testBytes(100))
    await bare.head('one')
    await contentOf(bare, 'one')
    await bare.list({ prefix: 'one' })
    await bare.copy('one', 'two')
    await bare.delete([{ key: 'one' }, { key: 'two' }])
    await bare.delete([{ key: 'one' }])
    expect(requests()).toStrictEqual({
      PutObject: 1,
      HeadObject: 1,
      GetObject: 1,
      ListObjectsV2: 1,
      CopyObject: 1,
      DeleteObjects: 1,
      DeleteObject: 1,
    })
    expect(server.counters().bytesIn.PutObject).toBe(100)
  })

  it('copies what is too large for CopyObject by parts, with what is kept beside it', async () => {
    const upload = await bare.createUpload('large', { metadata: { colour: 'red' }, headers: { contentType: 'a/b' } })
    const first = await upload.part(1, new Uint8Array(64 * MIB))
    await upload.complete([first])
    const more = await bare.createUpload('huge', { metadata: { colour: 'red' }, headers: { contentType: 'a/b' } })
    const range = { offset: 0, lengthBytes: 64 * MIB }
    const parts = []
    for (let number = 1; number <= 81; number++) parts.push(await more.copyPart(number, { key: 'large', range }))
    await more.complete(parts)
    const { etag } = await bare.head('huge')
    await bare.copy('huge', 'copy of huge', { sourceIfMatch: etag, ifNoneMatch: '*' })
    expect(await bare.head('copy of huge')).toMatchObject({
      sizeBytes: 81 * 64 * MIB,
      metadata: { colour: 'red' },
      headers: { contentType: 'a/b' },
    })
    const again = bare.copy('huge', 'copy of huge', { ifNoneMatch: '*' })
    expect(await errorOf(again)).toMatchObject({ kind: 'precondition-failed' })
    expect(await bare.listUploads()).toStrictEqual([])
  })
})
