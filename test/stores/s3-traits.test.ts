import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type S3Server, startS3Server } from '../../scripts/servers/s3/s3-server.js'
import { ReadOnlyLayer } from '../../src/backend/layers/read-only-layer.js'
import type { ObjectStore, ObjectTraits } from '../../src/backend/object-store.js'
import type { KnowledgeKeeper, S3Options } from '../../src/backend/s3/options.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { requestsDuring } from '../support/requests-during.js'
import { contentOf, kindOf, testBytes, text } from '../support/store-tools.js'

const credentials = { accessKeyId: 'test', secretAccessKey: 'testsecret' }
const ALL_USERS = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
const PUBLIC = { read: [ALL_USERS], fullControl: ['id="owner"'] }
const SPECIAL: ObjectTraits = {
  storageClass: 'STANDARD_IA',
  encryption: { algorithm: 'aws:kms', keyId: 'key-1' },
  tags: { colour: 'red' },
  grants: PUBLIC,
}
const MIB = 1024 ** 2

let server: S3Server
let kept: unknown
const knowledge: KnowledgeKeeper = {
  load: async () => kept,
  save: async value => {
    kept = JSON.parse(JSON.stringify(value))
  },
}
const opened: ObjectStore[] = []

beforeAll(async () => {
  server = await startS3Server({ buckets: ['bucket'] })
  return () => server.close()
})

beforeEach(() => {
  server.reset()
  kept = undefined
})

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})

async function open(options: S3Options = {}): Promise<ObjectStore> {
  const store = await openS3Store('bucket', { endpoint: server.url, credentials, knowledge, ...options })
  opened.push(store)
  return store
}

/** What a call asks the server for. */
function requestsOf(call: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
  return requestsDuring(server, call)
}

async function listed(store: ObjectStore, key: string) {
  return (await store.list({ prefix: key })).objects[0]
}

describe('what asking for traits costs', () => {
  it('asks for what is not known, and once only what concerns the whole bucket', async () => {
    const store = await open()
    await store.put('special', text('x'), { traits: SPECIAL })
    await store.put('plain', text('x'))
    const all = { HeadObject: 1, GetObjectTagging: 1, GetObjectAcl: 1 }
    expect(await requestsOf(() => store.traits('special'))).toStrictEqual({ ...all, GetBucketOwnershipControls: 1 })
    expect(await requestsOf(() => store.traits('special'))).toStrictEqual(all)
    await store.traits('plain')
    // The server counts tags, as is known by now: no count, no tags.
    expect(await requestsOf(() => store.traits('plain'))).toStrictEqual({ HeadObject: 1, GetObjectAcl: 1 })
    const info = await store.head('special')
    const { HeadObject: _, ...withoutHead } = all
    expect(await requestsOf(() => store.traits('special', { listed: info }))).toStrictEqual(withoutHead)
    expect(await store.traits('special', { listed: info })).toStrictEqual(SPECIAL)
  })

  it('asks for the ACL alone in brief', async () => {
    const store = await open()
    await store.put('special', text('x'), { traits: SPECIAL })
    await store.traits('special')
    const told = { listed: await listed(store, 'special'), brief: true }
    expect(await requestsOf(() => store.traits('special', told))).toStrictEqual({ GetObjectAcl: 1 })
    expect(await store.traits('special', told)).toStrictEqual({ storageClass: 'STANDARD_IA', grants: PUBLIC })
  })

  it('never asks for an ACL where the owner of the bucket owns all', async () => {
    const store = await open()
    await store.put('special', text('x'), { traits: { storageClass: 'STANDARD_IA' } })
    const told = { listed: await listed(store, 'special'), brief: true }
    server.setKnobs({ bucketOwnerEnforced: true })
    const first = await requestsOf(() => store.traits('special', told))
    expect(first).toStrictEqual({ GetBucketOwnershipControls: 1 })
    expect(await requestsOf(() => store.traits('special', told))).toStrictEqual({})
    expect(await store.traits('special', told)).toStrictEqual({ storageClass: 'STANDARD_IA' })
  })

  it('asks whether ACLs say anything only where an ACL does, or from the second object on', async () => {
    const store = await open()
    await store.put('special', text('x'), { traits: SPECIAL })
    await store.put('plain', text('x'))
    await store.traits('plain')
    const another = await open()
    expect(await requestsOf(() => another.traits('plain'))).toStrictEqual({ HeadObject: 1, GetObjectAcl: 1 })
    const second = { HeadObject: 1, GetObjectAcl: 1, GetBucketOwnershipControls: 1 }
    expect(await requestsOf(() => another.traits('plain'))).toStrictEqual(second)
    expect(await requestsOf(() => another.traits('plain'))).toStrictEqual({ HeadObject: 1, GetObjectAcl: 1 })
  })

  it('asks once for all objects that are asked for at the same time', async () => {
    const store = await open()
    await store.put('special', text('x'), { traits: SPECIAL })
    const told = { listed: await listed(store, 'special'), brief: true }
    const both = () => Promise.all([store.traits('special', told), store.traits('special', told)])
    expect(await requestsOf(both)).toStrictEqual({ GetBucketOwnershipControls: 1, GetObjectAcl: 2 })
  })

  it('takes nothing for the ACL of an object where ACLs say nothing and new objects need one', async () => {
    const store = await open({ acl: 'bucket-owner-full-control' })
    await store.put('plain', text('x'))
    server.setKnobs({ bucketOwnerEnforced: true })
    expect((await store.traits('plain')).grants).toBeUndefined()
  })

  it('finds out once for an endpoint that no count of tags means no tags', async () => {
    const store = await open()
    await store.put('plain', text('x'))
    expect(await store.traits('plain')).toStrictEqual({ grants: {} })
    expect((await store.list({ prefix: '.mount-bucket' })).objects).toStrictEqual([])
    const another = await open()
    expect(await requestsOf(() => another.traits('plain'))).toStrictEqual({ HeadObject: 1, GetObjectAcl: 1 })
  })

  it.each(['HeadObject', 'GetObject'] as const)('believes no missing count where %s tells none', async operation => {
    server.setKnobs({ hideTagCounts: [operation] })
    const store = await open()
    await store.put('plain', text('x'))
    await store.put('special', text('x'), { traits: SPECIAL })
    expect((await store.traits('plain')).tags).toBeUndefined()
    const { info, body } = await store.get('special', { range: { offset: 0, lengthBytes: 1 } })
    for await (const chunk of body) expect(chunk).toHaveLength(1)
    for (const told of [undefined, await store.head('special'), info])
      expect(await store.traits('special', { listed: told, only: 'others' })).toMatchObject({ tags: SPECIAL.tags })
  })

  it('asks for the ACL alone, or for all but the ACL', async () => {
    const store = await open()
    await store.put('special', text('x'), { traits: SPECIAL })
    await store.traits('special')
    const { grants, ...others } = SPECIAL
    const both = ['grants', 'others'] as const
    const [first, second] = await Promise.all(both.map(only => store.traits('special', { only })))
    expect([first, second]).toStrictEqual([{ grants }, others])
    const asked = { HeadObject: 1, GetObjectTagging: 1 }
    expect(await requestsOf(() => store.traits('special', { only: 'grants' }))).toStrictEqual({ GetObjectAcl: 1 })
    expect(await requestsOf(() => store.traits('special', { only: 'others' }))).toStrictEqual(asked)
  })

  it('finds nothing out with objects of its own where the store is read-only', async () => {
    const store = await open()
    await store.put('plain', text('x'))
    const readOnly = new ReadOnlyLayer(store)
    const asked = { HeadObject: 1, GetObjectTagging: 1, GetObjectAcl: 1 }
    expect(await requestsOf(() => readOnly.traits('plain'))).toStrictEqual(asked)
  })

  it('tells the traits of an object also where that can not be found out', async () => {
    const store = await open()
    await store.put('plain', text('x'))
    server.setKnobs({ faults: [{ operation: 'PutObject', error: { status: 503, code: 'SlowDown' } }] })
    expect(await store.traits('plain')).toStrictEqual({ grants: {} })
  })

  it('remembers what the server has not got', async () => {
    const refuse = (operation: string) => ({ operation, error: { status: 501, code: 'NotImplemented' } })
    const store = await open()
    await store.put('plain', text('x'))
    const refused = ['GetObjectTagging', 'GetObjectAcl'].map(refuse)
    server.setKnobs({ faults: refused, hideTagCounts: ['HeadObject', 'GetObject'] })
    const first = { GetObjectTagging: 1, GetObjectAcl: 1 }
    expect(await requestsOf(() => store.traits('plain'))).toMatchObject(first)
    expect(await requestsOf(() => store.traits('plain'))).toStrictEqual({ HeadObject: 1 })
    const another = await open()
    expect(await requestsOf(() => another.traits('plain'))).toStrictEqual({ HeadObject: 1 })
  })

  it('leaves out what is denied, without thinking that others are, too', async () => {
    const denied = { error: { status: 403, code: 'AccessDenied' } }
    const store = await open()
    await store.put('special', text('x'), { traits: SPECIAL })
    const operations = ['GetObjectTagging', 'GetObjectAcl', 'GetBucketOwnershipControls']
    server.setKnobs({ faults: operations.map(operation => ({ operation, ...denied })) })
    const { tags: _, grants: __, ...rest } = SPECIAL
    expect(await store.traits('special')).toStrictEqual(rest)
    server.setKnobs({ faults: [] })
    expect(await store.traits('special')).toStrictEqual(SPECIAL)
  })

  it('passes on any other failure', async () => {
    const store = await open()
    await store.put('special', text('x'), { traits: SPECIAL })
    for (const operation of ['GetBucketOwnershipControls', 'HeadObject', 'GetObjectTagging', 'GetObjectAcl']) {
      server.setKnobs({ faults: [{ operation, error: { status: 503, code: 'SlowDown' } }] })
      expect(await kindOf(store.traits('special')), operation).toBe('throttled')
    }
    server.setKnobs({ faults: [] })
    expect(await store.traits('special')).toStrictEqual(SPECIAL)
  })
})

describe('traits and the options of the mount', () => {
  it('gives new objects what the options say, and others what they had', async () => {
    const plain = await open()
    const store = await open({ storageClass: 'ONEZONE_IA', sse: 'AES256', acl: 'public-read' })
    await plain.put('private', text('x'))
    await store.put('new', text('x'))
    const fromOptions = { storageClass: 'ONEZONE_IA', encryption: { algorithm: 'AES256' }, grants: PUBLIC }
    expect(await plain.traits('new')).toMatchObject(fromOptions)
    const traits = await store.traits('private')
    expect(traits).toStrictEqual({ storageClass: 'STANDARD', grants: {} })
    await store.put('private', text('y'), { traits })
    expect(await store.traits('private')).toMatchObject({ storageClass: 'STANDARD', grants: {} })
    await store.put('special', text('x'), { traits: SPECIAL })
    expect(await store.traits('special')).toStrictEqual(SPECIAL)
    await store.copy('special', 'copy', { traits: SPECIAL })
    expect(await store.traits('copy')).toStrictEqual(SPECIAL)
    const upload = await store.createUpload('uploaded', { traits: SPECIAL })
    await upload.complete([await upload.part(1, text('x'))])
    expect(await store.traits('uploaded')).toStrictEqual(SPECIAL)
  })

  it('fails with a word about what was asked for, and stores nothing', async () => {
    const store = await open()
    await expect(store.put('refused', text('x'), { traits: { storageClass: 'NO_SUCH' } })).rejects.toMatchObject({
      kind: 'invalid',
      code: 'InvalidStorageClass',
      message: expect.stringContaining('storage class NO_SUCH'),
    })
    server.setKnobs({ bucketOwnerEnforced: true })
    await store.put('source', text('x'))
    const traits = { grants: PUBLIC }
    for (const call of [
      () => store.put('refused', text('x'), { traits }),
      () => store.createUpload('refused', { traits }),
      () => store.copy('source', 'refused', { traits }),
    ])
      await expect(call()).rejects.toMatchObject({
        kind: 'unsupported',
        code: 'AccessControlListNotSupported',
        message: expect.stringContaining('grants'),
      })
    expect(await kindOf(store.head('refused'))).toBe('not-found')
  })
})

describe('tags on a server that loses them', () => {
  it('finds it out once, and puts them back', async () => {
    server.setKnobs({ loseTags: true })
    const store = await open()
    await store.put('tagged', text('x'), { traits: { tags: { colour: 'red' } } })
    await store.copy('tagged', 'tagged', { metadata: { note: '1' } })
    expect((await store.traits('tagged')).tags).toStrictEqual({ colour: 'red' })
    const change = { CopyObject: 1, GetObjectTagging: 1, PutObjectTagging: 1 }
    expect(await requestsOf(() => store.copy('tagged', 'tagged', { metadata: { note: '2' } }))).toStrictEqual(change)
    await store.put('plain', text('x'))
    const untagged = { CopyObject: 1, GetObjectTagging: 1 }
    expect(await requestsOf(() => store.copy('plain', 'plain', { metadata: { note: '2' } }))).toStrictEqual(untagged)
    expect((await store.list()).objects.filter(({ key }) => key.includes('probe'))).toStrictEqual([])
    expect(await store.listUploads()).toStrictEqual([])
  })

  it('says what was lost when they can not be put back', async () => {
    server.setKnobs({ loseTags: true })
    const store = await open()
    await store.put('tagged', text('x'), { traits: { tags: { colour: 'red' } } })
    await store.copy('tagged', 'other', { metadata: { note: '1' } })
    const upload = await store.createUpload('uploaded', { traits: { tags: { colour: 'red' } } })
    const part = await upload.part(1, text('x'))
    server.setKnobs({ faults: [{ operation: 'PutObjectTagging', error: { status: 503, code: 'SlowDown' } }] })
    const error = {
      kind: 'unavailable',
      code: 'TagsLost',
      retryable: false,
      ambiguous: true,
      message: expect.stringContaining('colour=red'),
    }
    await expect(store.copy('tagged', 'tagged', { metadata: { note: '2' } })).rejects.toMatchObject(error)
    await expect(upload.complete([part])).rejects.toMatchObject(error)
  })

  it('asks nothing more of a server that keeps them, once that is known', async () => {
    const store = await open()
    await store.put('tagged', text('x'), { traits: { tags: { colour: 'red' } } })
    await store.copy('tagged', 'tagged', { metadata: { note: '1' } })
    const again = await open()
    expect(await requestsOf(() => again.copy('tagged', 'tagged', { metadata: { note: '2' } }))).toStrictEqual({
      CopyObject: 1,
    })
    expect((await again.traits('tagged')).tags).toStrictEqual({ colour: 'red' })
  })

  it('copies without tags for those who may not write any', async () => {
    const store = await open()
    await store.put('plain', text('x'))
    const denied = { operation: 'PutObject', key: 'probe', error: { status: 403, code: 'AccessDenied' } }
    server.setKnobs({ faults: [denied] })
    await store.copy('plain', 'plain', { metadata: { note: '1' } })
    expect(await requestsOf(() => store.copy('plain', 'plain', { metadata: { note: '2' } }))).toStrictEqual({
      CopyObject: 1,
    })
  })
})

describe('copies by parts', () => {
  const huge = 81 * 64 * MIB

  /** More than one CopyObject may copy, made of zeros that the server keeps once. */
  async function putHuge(store: ObjectStore, key: string): Promise<void> {
    const small = await store.createUpload('64 MiB')
    await small.complete([await small.part(1, new Uint8Array(64 * MIB))])
    const upload = await store.createUpload(key, {
      metadata: { colour: 'red' },
      headers: { contentType: 'a/b', cacheControl: 'no-store' },
      traits: SPECIAL,
    })
    const parts = []
    const range = { offset: 0, lengthBytes: 64 * MIB }
    for (let number = 1; number <= 81; number++) parts.push(await upload.copyPart(number, { key: '64 MiB', range }))
    await upload.complete(parts)
  }

  it('keeps what CopyObject keeps, and takes what is given in its place', async () => {
    const store = await open()
    await putHuge(store, 'huge')
    const { etag } = await store.head('huge')
    await store.copy('huge', 'same', { sourceIfMatch: etag, ifNoneMatch: '*', traits: SPECIAL })
    expect(await store.head('same')).toMatchObject({
      sizeBytes: huge,
      metadata: { colour: 'red' },
      headers: { contentType: 'a/b', cacheControl: 'no-store' },
    })
    expect(await store.traits('same')).toStrictEqual(SPECIAL)
    const changes = { metadata: { colour: 'blue' }, sizeBytes: huge, traits: { grants: {} } }
    const requests = await requestsOf(() => store.copy('huge', 'huge', { ...changes, ifMatch: etag }))
    expect(requests).toMatchObject({ HeadObject: 1, UploadPartCopy: Math.ceil(huge / (512 * MIB)) })
    expect(requests).not.toHaveProperty('CopyObject')
    const head = await store.head('huge')
    expect(head.metadata).toStrictEqual({ colour: 'blue' })
    expect(head.headers.cacheControl).toBeUndefined()
    expect(await store.traits('huge')).toStrictEqual({ tags: { colour: 'red' }, grants: {} })
    const stale = store.copy('same', 'huge', { ifMatch: etag, sizeBytes: huge })
    expect(await kindOf(stale)).toBe('precondition-failed')
    expect(await kindOf(store.copy('huge', 'x', { sourceIfMatch: etag, sizeBytes: huge }))).toBe('precondition-failed')
    expect(await store.listUploads()).toStrictEqual([])
  })

  it('sends no bytes with a part that the server copies', async () => {
    const store = await open()
    await store.put('source', testBytes(6 * MIB))
    server.reset()
    const upload = await store.createUpload('target')
    const parts = [await upload.copyPart(1, { key: 'source', range: { offset: 0, lengthBytes: 5 * MIB } })]
    parts.push(await upload.part(2, text('the rest')))
    await upload.complete(parts)
    const { requests, bytesIn } = server.counters()
    expect(requests).toMatchObject({ UploadPartCopy: 1, UploadPart: 1 })
    expect({ copied: bytesIn.UploadPartCopy ?? 0, sent: bytesIn.UploadPart }).toStrictEqual({ copied: 0, sent: 8 })
    expect((await contentOf(store, 'target')).subarray(5 * MIB).toString()).toBe('the rest')
  })
})

it('tells the checksum that the server keeps', async () => {
  const store = await open({ checksums: 'on' })
  await store.put('summed', text('hello world'))
  expect((await store.head('summed')).checksums).toStrictEqual({ crc32: 'DUoRhQ==' })
})
