import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type S3Server, startS3Server } from '../../scripts/servers/s3/s3-server.js'
import { RetryLayer } from '../../src/backend/layers/retry/retry-layer.js'
import type { ObjectStore, ObjectTraits, Upload } from '../../src/backend/object-store.js'
import type { KnowledgeKeeper } from '../../src/backend/s3/options.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { requestsDuring } from '../support/requests-during.js'
import { contentOf, kindOf, testBytes, text } from '../support/store-tools.js'

const MIB = 1024 ** 2
const credentials = { accessKeyId: 'test', secretAccessKey: 'testsecret' }

let server: S3Server
let store: ObjectStore
let kept: unknown
const knowledge: KnowledgeKeeper = {
  load: async () => kept,
  save: async value => {
    kept = JSON.parse(JSON.stringify(value))
  },
}

beforeAll(async () => {
  server = await startS3Server({ buckets: ['bucket'] })
  return () => server.close()
})

beforeEach(async () => {
  server.reset()
  kept = undefined
  store = await openS3Store('bucket', { endpoint: server.url, credentials, knowledge })
})

afterEach(async () => {
  const { objects } = await store.list()
  expect(objects.filter(({ key }) => key.includes('probe'))).toStrictEqual([])
  expect(await store.listUploads()).toStrictEqual([])
  await store.close()
})

/** What a call asks the server for. */
function requestsOf(call: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
  return requestsDuring(server, call)
}

describe('the condition of a completion', () => {
  async function completed(ifMatch: string): Promise<unknown> {
    const upload = await store.createUpload('object')
    const part = await upload.part(1, text('new'))
    return upload.complete([part], { ifMatch }).catch(async (error: unknown) => {
      await upload.abort()
      throw error
    })
  }

  it('is found out with one upload where the server keeps it', async () => {
    const { etag } = await store.put('object', text('old'))
    const own = { CreateMultipartUpload: 1, UploadPart: 1, CompleteMultipartUpload: 1 }
    const probe = { PutObject: 1, CreateMultipartUpload: 1, UploadPart: 1, CompleteMultipartUpload: 3, DeleteObject: 1 }
    const both = { ...probe, CreateMultipartUpload: 2, UploadPart: 2, CompleteMultipartUpload: 4 }
    expect(await requestsOf(() => completed(etag))).toStrictEqual(both)
    expect(store.capabilities.conditions.complete).toBe('atomic')
    const { etag: present } = await store.head('object')
    expect(await requestsOf(() => completed(present))).toStrictEqual(own)
    expect(await kindOf(completed(etag))).toBe('precondition-failed')
  })

  it('is found out with others where a refusal ends the upload', async () => {
    const { etag } = await store.put('object', text('old'))
    const error = { status: 404, code: 'NoSuchUpload' }
    server.setKnobs({ faults: [{ operation: 'CompleteMultipartUpload', key: 'probe', from: 2, times: 1, error }] })
    await completed(etag)
    expect(store.capabilities.conditions.complete).toBe('atomic')
  })

  it('is not believed for what is answered of an upload that is gone', async () => {
    const { etag } = await store.put('object', text('old'))
    const fault = { operation: 'CompleteMultipartUpload', key: 'probe' }
    server.setKnobs({
      ignoreConditions: ['complete'],
      faults: [
        { ...fault, from: 1, times: 2, error: { status: 412, code: 'PreconditionFailed' } },
        { ...fault, from: 3, times: 1, error: { status: 404, code: 'NoSuchUpload' } },
      ],
    })
    await completed(etag)
    expect(store.capabilities.conditions.complete).toBe('checked')
    expect(await kindOf(completed(etag))).toBe('precondition-failed')
  })

  it.each([
    ['ignored', { ignoreConditions: ['complete' as const] }],
    ['refused', { refuseConditions: ['complete' as const] }],
  ])('is found to be %s', async (_what, knobs) => {
    const { etag } = await store.put('object', text('old'))
    server.setKnobs(knobs)
    await completed(etag)
    expect(store.capabilities.conditions.complete).toBe('checked')
    expect(await kindOf(completed(etag))).toBe('precondition-failed')
  })
})

describe('the condition of a part that is copied from what the upload is to replace', () => {
  const range = { offset: 0, lengthBytes: 5 * MIB }
  let etag: string
  let upload: Upload

  beforeEach(async () => {
    etag = (await store.put('object', testBytes(6 * MIB))).etag
    upload = await store.createUpload('object')
  })

  afterEach(() => upload.abort())

  const copy = (sourceIfMatch: string, isAskedAgain = true) =>
    upload.copyPart(1, { key: 'object', range, sourceIfMatch, isAskedAgain })

  it('costs nothing to find out while it holds', async () => {
    expect(await requestsOf(() => copy(etag))).toStrictEqual({ UploadPartCopy: 1 })
    expect(store.capabilities.conditions.copy).toBe('unknown')
    expect(await kindOf(copy('another'))).toBe('precondition-failed')
    expect(store.capabilities.conditions.copy).toBe('atomic')
    expect(await kindOf(copy('another'))).toBe('precondition-failed')
  })

  it.each([
    ['to be another version', { status: 412, code: 'PreconditionFailed' }],
    ['not to be understood', { status: 501, code: 'NotImplemented' }],
    ['to be malformed', { status: 400, code: 'InvalidArgument' }],
  ])('is left out where the server says the source %s, and probes show that it keeps none', async (_how, error) => {
    const faults = [
      { operation: 'UploadPartCopy', times: 1, error },
      { operation: 'CopyObject', error: { status: 501, code: 'NotImplemented' }, from: 2 },
    ]
    server.setKnobs({ faults })
    const part = await copy(etag)
    expect(store.capabilities.conditions.copy).toBe('checked')
    await upload.complete([part])
    expect((await contentOf(store, 'object')).equals(testBytes(6 * MIB).subarray(0, 5 * MIB))).toBe(true)
  })

  it('is left out without a question where the server is known to ignore it', async () => {
    server.setKnobs({ ignoreConditions: ['copy'] })
    expect(await requestsOf(() => copy(etag, false))).toMatchObject({ HeadObject: 1, UploadPartCopy: 1 })
    expect(store.capabilities.conditions.copy).toBe('checked')
    expect(await requestsOf(() => copy(etag, false))).toStrictEqual({ HeadObject: 1, UploadPartCopy: 1 })
    expect(await requestsOf(() => copy(etag))).toStrictEqual({ UploadPartCopy: 1 })
  })
})

describe('what a server does with tags', () => {
  const ALL_USERS = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
  const SPECIAL: ObjectTraits = {
    storageClass: 'STANDARD_IA',
    tags: { colour: 'red' },
    grants: { read: [ALL_USERS], fullControl: ['id="owner"'] },
  }

  it.each([
    ['invalid', { status: 400, code: 'InvalidTag' }, 'uncounted'],
    ['not implemented', { status: 501, code: 'NotImplemented' }, 'uncounted'],
  ])('does not take a PUT with tags that is %s for a server without tags', async (_how, error, tags) => {
    await store.put('special', text('x'), { traits: SPECIAL })
    const faults = [{ operation: 'PutObject', key: 'probe', times: 1, error }]
    server.setKnobs({ faults, hideTagCounts: ['HeadObject', 'GetObject'] })
    const another = await openS3Store('bucket', { endpoint: server.url, credentials, knowledge })
    for (const reader of [store, store, another])
      expect((await reader.traits('special')).tags).toStrictEqual(SPECIAL.tags)
    await another.close()
    expect(kept).toMatchObject({ tags })
  })

  it('takes a server for one without tags that has no way to put any', async () => {
    await store.put('plain', text('x'))
    const error = { status: 501, code: 'NotImplemented' }
    const probed = { key: 'probe', error }
    server.setKnobs({
      faults: [
        { ...probed, operation: 'PutObject', times: 1 },
        { ...probed, operation: 'PutObjectTagging' },
      ],
    })
    await store.traits('plain')
    expect(kept).toMatchObject({ tags: 'none' })
    expect(await requestsOf(() => store.traits('plain', { only: 'others' }))).toStrictEqual({ HeadObject: 1 })
  })

  it('takes what is not allowed for one object for nothing more', async () => {
    await store.put('special', text('x'), { traits: SPECIAL })
    await store.put('odd', text('x'), { traits: SPECIAL })
    const refused = { key: 'odd', error: { status: 405, code: 'MethodNotAllowed' } }
    const operations = ['GetObjectTagging', 'GetObjectAcl']
    server.setKnobs({ faults: operations.map(operation => ({ operation, ...refused })) })
    expect(await store.traits('odd')).toStrictEqual({ storageClass: SPECIAL.storageClass })
    expect(await store.traits('special')).toStrictEqual(SPECIAL)
  })

  it('is not waited for by a copy that is given up', async () => {
    await store.put('special', text('x'), { traits: SPECIAL })
    server.setKnobs({ faults: [{ operation: 'PutObject', key: 'probe', stallMs: 3_600_000 }] })
    const given = new AbortController()
    const { signal } = given
    const copied = kindOf(new RetryLayer(store).copy('special', 'other', { metadata: {}, traits: SPECIAL, signal }))
    await vi.waitUntil(() => server.counters().active > 0)
    given.abort()
    expect(await copied).toBe('aborted')
    expect(server.counters().active).toBe(1)
    const { objects } = await store.list()
    await store.delete(objects.filter(({ key }) => key.includes('probe')))
  })

  it('is found out anew where an older version has kept less of it', async () => {
    await store.put('special', text('x'), { traits: SPECIAL })
    server.setKnobs({ hideTagCounts: ['GetObject'] })
    kept = { format: 1, conditions: {}, bareIfMatch: false, tags: 'counted' }
    const another = await openS3Store('bucket', { endpoint: server.url, credentials, knowledge })
    const { info, body } = await another.get('special')
    for await (const chunk of body) expect(chunk).toBeDefined()
    expect((await another.traits('special', { listed: info, only: 'others' })).tags).toStrictEqual(SPECIAL.tags)
    await another.close()
    expect(kept).toMatchObject({ format: 2, tags: 'uncounted' })
  })

  it('tries ever more seldom to find out what can not be found out', async () => {
    await store.put('plain', text('x'))
    server.setKnobs({ faults: [{ operation: 'PutObject', error: { status: 503, code: 'SlowDown' } }] })
    const asked = async (times: number) => {
      for (let time = 0; time < times; time++) await store.traits('plain', { only: 'others' })
    }
    // The 1st, 4th, 9th, 18th and 35th.
    expect(await requestsOf(() => asked(40))).toMatchObject({ PutObject: 5, GetObjectTagging: 40 })
    server.setKnobs({ faults: [] })
    await asked(30)
    expect(kept).toMatchObject({ tags: 'counted' })
  })
})
