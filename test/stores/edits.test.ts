import { PutObjectTaggingCommand, S3Client } from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import { type S3Server, startS3Server } from '../../scripts/servers/s3/s3-server.js'
import { openLocalStore } from '../../src/backend/local/local-store.js'
import type { ObjectStore, ObjectTraits } from '../../src/backend/object-store.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { pattern } from '../support/bytes.js'
import { Harness } from '../support/filesystem-harness.js'
import { cephS3, createBucket } from '../support/servers.js'
import { temporaryFolder } from '../support/store-folders.js'

const MIB = 1024 * 1024
const SIZE = 32 * MIB

const PUBLIC = { read: ['uri="http://acs.amazonaws.com/groups/global/AllUsers"'], fullControl: ['id="owner"'] }
const credentials = { accessKeyId: 'test', secretAccessKey: 'testsecret' }
const ceph = await cephS3()

interface Place {
  readonly store: ObjectStore
  dispose(): Promise<void>
}

async function onFolder(): Promise<Place> {
  const folder = await temporaryFolder()
  return { store: await openLocalStore(folder.path), dispose: folder.remove }
}

async function onOwnS3(): Promise<Place> {
  const server = await startS3Server({ buckets: ['bucket'] })
  const store = await openS3Store('bucket', { endpoint: server.url, credentials })
  return { store, dispose: () => store.close().then(() => server.close()) }
}

async function onCeph(): Promise<Place> {
  if (ceph === undefined) throw new Error('skipped')
  const store = await openS3Store(await createBucket(ceph), ceph)
  return { store, dispose: () => store.close() }
}

const PLACES: readonly (readonly [string, () => Promise<Place>, boolean])[] = [
  ['a local folder', onFolder, true],
  ['the own S3', onOwnS3, true],
  ['Ceph RGW', onCeph, ceph !== undefined],
]

describe.each(PLACES)('on %s', (_name, openPlace, isThere) => {
  it.skipIf(!isThere)('edits, appends and copies of large objects leave the bytes to the server', async () => {
    const { store, dispose } = await openPlace()
    const h = await Harness.open({ store })
    const bytes = pattern(SIZE)
    const expected = Buffer.concat([bytes, Buffer.from('tail')])
    expected.set(Buffer.from('edit'), 16 * MIB)
    await store.put('big', bytes, { metadata: { owner: 'somebody' }, headers: { contentType: 'video/mp4' } })
    const sentBytes = () => (h.meter.snapshot().part?.sentBytes ?? 0) + (h.meter.snapshot().put?.sentBytes ?? 0)

    const edited = await h.open('big', { write: true })
    await h.write(edited, 16 * MIB, Buffer.from('edit'))
    await h.closeFile(edited)
    const requests = h.requests()
    expect(requests).toMatchObject({ createUpload: 1, copyPart: 2, part: 1, complete: 1 })
    expect(sentBytes()).toBeLessThanOrEqual(5 * MIB)

    const appended = await h.open('big', { write: true, append: true })
    await h.write(appended, 0, Buffer.from('tail'))
    await h.closeFile(appended)
    expect(h.requests()).toMatchObject({ copyPart: 1, part: 1, complete: 1 })
    expect(sentBytes()).toBeLessThanOrEqual(5 * MIB + 4)

    const from = await h.open('big')
    const { handle } = await h.create('copy')
    expect(await h.filesystem.copyFileRange(from, 0, handle, 0, SIZE + 4, h.context())).toBe(SIZE + 4)
    await h.closeFile(handle)
    await h.closeFile(from)
    expect(sentBytes()).toBeLessThanOrEqual(5 * MIB + 4)

    for (const key of ['big', 'copy'])
      expect(Buffer.from((await h.stored(key)) ?? '', 'latin1').equals(expected)).toBe(true)
    expect(await store.head('big')).toMatchObject({
      metadata: { owner: 'somebody' },
      headers: { contentType: 'video/mp4' },
    })
    expect(await store.listUploads()).toEqual([])
    await h.close()
    await dispose()
  })
})

describe('tags that others put on an object', () => {
  it.each(['looked up', 'read', 'renamed'])('after it was %s outlast an edit', async how => {
    const server = await startS3Server({ buckets: ['bucket'] })
    const store = await openS3Store('bucket', { endpoint: server.url, credentials })
    const h = await Harness.open({ store })
    await store.put('file', pattern(10))
    // By now it is known that the endpoint counts tags.
    await store.put('other', pattern(10))
    await store.traits('other')
    await h.walk('file')
    if (how === 'read') await h.readFile('file')
    const Tagging = { TagSet: [{ Key: 'colour', Value: 'red' }] }
    await sdkOf(server).send(new PutObjectTaggingCommand({ Bucket: 'bucket', Key: 'file', Tagging }))
    if (how === 'renamed') await h.rename('file', 'moved')
    const key = how === 'renamed' ? 'moved' : 'file'
    const handle = await h.open(key, { write: true })
    await h.write(handle, 0, Buffer.from('edit'))
    await h.closeFile(handle)
    expect((await store.traits(key)).tags).toEqual({ colour: 'red' })
    await h.close()
    await store.close()
    await server.close()
  })

  it.each([
    ['opened', 'whole', 10],
    ['written to', 'whole', 10],
    ['opened', 'by parts', SIZE],
    ['written to', 'by parts', SIZE],
  ])('after it was %s outlast an edit that is stored %s', async (when, _how, sizeBytes) => {
    const server = await startS3Server({ buckets: ['bucket'] })
    const store = await openS3Store('bucket', { endpoint: server.url, credentials })
    const h = await Harness.open({ store })
    const traits: ObjectTraits = { storageClass: 'STANDARD_IA', encryption: { algorithm: 'AES256' }, grants: PUBLIC }
    await store.put('file', pattern(sizeBytes), { traits })
    const tag = (name: string) => {
      const Tagging = { TagSet: [{ Key: 'colour', Value: name }] }
      return sdkOf(server).send(new PutObjectTaggingCommand({ Bucket: 'bucket', Key: 'file', Tagging }))
    }
    const handle = await h.open('file', { write: true })
    if (when === 'opened') await tag('red')
    await h.write(handle, 2, Buffer.from('edit'))
    if (when === 'written to') await tag('red')
    await h.filesystem.fsync(handle, h.context())
    expect(await store.traits('file')).toEqual({ ...traits, tags: { colour: 'red' } })
    await tag('blue')
    // Who still has all bytes of a small file fetches none that would tell it.
    if (sizeBytes !== SIZE) h.nowMs += 10_001
    await h.write(handle, 3, Buffer.from('again'))
    await h.closeFile(handle)
    expect(await store.traits('file')).toEqual({ ...traits, tags: { colour: 'blue' } })
    expect((server.counters().requests.UploadPartCopy ?? 0) > 0).toBe(sizeBytes === SIZE)
    await h.close()
    await store.close()
    await server.close()
  })

  it('outlast an edit where GET does not count them, as HEAD does', async () => {
    const server = await startS3Server({ buckets: ['bucket'] })
    server.setKnobs({ hideTagCounts: ['GetObject'] })
    const store = await openS3Store('bucket', { endpoint: server.url, credentials })
    const h = await Harness.open({ store })
    await store.put('file', pattern(10), { traits: { tags: { colour: 'red' } } })
    for (const bytes of ['edit', 'again']) {
      const handle = await h.open('file', { write: true })
      await h.write(handle, 2, Buffer.from(bytes))
      await h.closeFile(handle)
      expect((await store.traits('file')).tags).toEqual({ colour: 'red' })
    }
    await h.close()
    await store.close()
    await server.close()
  })

  it('after this mount had edited it outlast its next edit, when names are looked up anew', async () => {
    const server = await startS3Server({ buckets: ['bucket'] })
    const store = await openS3Store('bucket', { endpoint: server.url, credentials })
    const h = await Harness.open({ store })
    const edit = async (bytes: string) => {
      const handle = await h.open('file', { write: true })
      await h.write(handle, 0, Buffer.from(bytes))
      await h.closeFile(handle)
    }
    await store.put('file', pattern(10))
    await edit('first')
    const Tagging = { TagSet: [{ Key: 'colour', Value: 'red' }] }
    await sdkOf(server).send(new PutObjectTaggingCommand({ Bucket: 'bucket', Key: 'file', Tagging }))
    h.nowMs += 10_001
    await edit('again')
    expect((await store.traits('file')).tags).toEqual({ colour: 'red' })
    await h.close()
    await store.close()
    await server.close()
  })
})

function sdkOf({ url }: S3Server): S3Client {
  return new S3Client({ endpoint: url, region: 'us-east-1', forcePathStyle: true, credentials })
}

function total(requests: Readonly<Record<string, number>>): number {
  return Object.values(requests).reduce((sum, count) => sum + count, 0)
}

it('an edit that needs none of the stored bytes asks for grants once', async () => {
  const server = await startS3Server({ buckets: ['bucket'] })
  const store = await openS3Store('bucket', { endpoint: server.url, credentials })
  const h = await Harness.open({ store })
  const traits: ObjectTraits = { storageClass: 'STANDARD_IA', grants: PUBLIC }
  await store.put('file', pattern(10), { traits })
  const handle = await h.open('file', { write: true })
  await h.write(handle, 0, Buffer.alloc(10, 'x'))
  await h.closeFile(handle)
  expect(server.counters().requests.GetObjectAcl).toBe(1)
  expect(await store.traits('file')).toEqual(traits)
  await h.close()
  await store.close()
  await server.close()
})

it('an edit of a large object costs ten requests, and eleven more at an endpoint that was never seen', async () => {
  const server = await startS3Server({ buckets: ['bucket'] })
  let kept: unknown
  const knowledge = {
    load: async () => kept,
    save: async (value: unknown) => {
      kept = value
    },
  }
  for (const isKnown of [false, true]) {
    const store = await openS3Store('bucket', { endpoint: server.url, credentials, knowledge })
    const h = await Harness.open({ store })
    await store.put('big', pattern(SIZE))
    const before = total(server.counters().requests)
    const handle = await h.open('big', { write: true })
    await h.write(handle, 16 * MIB, Buffer.alloc(4096, 'x'))
    await h.filesystem.fsync(handle, h.context())
    expect(total(server.counters().requests) - before).toBeLessThanOrEqual(isKnown ? 10 : 21)
    await h.closeFile(handle)
    await h.close()
    await store.close()
  }
  await server.close()
})
