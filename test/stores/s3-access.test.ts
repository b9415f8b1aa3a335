import { createServer } from 'node:net'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type S3Server, startS3Server } from '../../scripts/servers/s3/s3-server.js'
import { regionOfBucket } from '../../src/backend/s3/client.js'
import type { KnowledgeKeeper, S3Options } from '../../src/backend/s3/options.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { isStoreError, type StoreError } from '../../src/backend/store-error.js'
import { verifyAccess } from '../../src/backend/verify-access.js'
import { contentOf, text } from '../support/store-tools.js'

const credentials = { accessKeyId: 'test', secretAccessKey: 'testsecret' }
const readOnly = { accessKeyId: 'reader', secretAccessKey: 'readersecret', readOnly: true }

let server: S3Server
let frankfurt: S3Server

beforeAll(async () => {
  server = await startS3Server({ buckets: ['bucket'], keys: [credentials, readOnly] })
  frankfurt = await startS3Server({ buckets: ['bucket'], region: 'eu-central-1' })
})

afterAll(async () => {
  await server.close()
  await frankfurt.close()
})

async function refusal(options: S3Options, bucket = 'bucket', write = true): Promise<StoreError> {
  const store = await openS3Store(bucket, { endpoint: server.url, credentials, ...options })
  const error: unknown = await verifyAccess(store, { write }).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  await store.close()
  if (!isStoreError(error)) throw new Error('not refused', { cause: error })
  return error
}

it('has nothing against what works, and leaves nothing behind', async () => {
  const store = await openS3Store('bucket', { endpoint: server.url, credentials })
  await verifyAccess(store, { write: true })
  expect((await store.list()).objects).toStrictEqual([])
  expect(await store.listUploads()).toStrictEqual([])
  await store.close()
})

it('names the credentials when the key is unknown or its secret is wrong', async () => {
  const unknown = await refusal({ credentials: { ...credentials, accessKeyId: 'nobody' } })
  expect(unknown).toMatchObject({ kind: 'denied', code: 'InvalidAccessKeyId' })
  expect(unknown.message).toMatch(/--profile, AWS_ACCESS_KEY_ID/)
  const wrong = await refusal({ credentials: { ...credentials, secretAccessKey: 'wrong' } })
  expect(wrong).toMatchObject({ kind: 'denied', code: 'SignatureDoesNotMatch' })
  const unsigned = await refusal({ anonymous: true })
  expect(unsigned).toMatchObject({ kind: 'denied', code: 'AccessDenied' })
})

it('names --read-only when the credentials may only read', async () => {
  const error = await refusal({ credentials: readOnly })
  expect(error).toMatchObject({ kind: 'denied' })
  expect(error.message).toMatch(/--read-only/)
  const store = await openS3Store('bucket', { endpoint: server.url, credentials: readOnly })
  await verifyAccess(store, { write: false })
  await store.close()
})

it('says that there is no such bucket', async () => {
  const error = await refusal({}, 'another-bucket')
  expect(error).toMatchObject({ kind: 'unavailable', code: 'NoSuchBucket', retryable: false })
  expect(error.message).toMatch(/no such bucket/)
})

it('names --endpoint where nothing listens', async () => {
  const error = await refusal({ endpoint: `http://127.0.0.1:${await unusedPort()}` })
  expect(error).toMatchObject({ kind: 'unavailable', code: 'ECONNREFUSED', retryable: true })
  expect(error.message).toMatch(/--endpoint/)
})

it('names the right region', async () => {
  const error = await refusal({ endpoint: frankfurt.url, region: 'eu-west-3' })
  expect(error).toMatchObject({ kind: 'invalid' })
  expect(error.message).toMatch(/--region eu-central-1/)
  const store = await openS3Store('bucket', { endpoint: frankfurt.url, credentials, region: 'eu-central-1' })
  await verifyAccess(store, { write: true })
  await store.close()
})

it('finds out the region of a bucket, signed for the right one or not', async () => {
  const options = { endpoint: frankfurt.url, credentials, forcePathStyle: true }
  expect(await regionOfBucket('bucket', { ...options, region: 'us-east-1' })).toBe('eu-central-1')
  expect(await regionOfBucket('bucket', { ...options, region: 'eu-central-1' })).toBe('eu-central-1')
})

it('reads without credentials where that is allowed', async () => {
  const open = await startS3Server({ buckets: ['bucket'], anonymous: true })
  const store = await openS3Store('bucket', { endpoint: open.url, anonymous: true })
  await store.put('public', text('for all'))
  expect((await contentOf(store, 'public')).toString()).toBe('for all')
  await store.close()
  await open.close()
})

it('goes where the environment of the SDK says, as to any endpoint that is not AWS', async () => {
  vi.stubEnv('AWS_ENDPOINT_URL_S3', server.url)
  const store = await openS3Store('bucket', { credentials })
  vi.unstubAllEnvs()
  await verifyAccess(store, { write: true })
  expect(store.capabilities.conditions.put).toBe('unknown')
  await store.close()
})

it('knows without asking how AWS keeps conditions', async () => {
  vi.stubEnv('AWS_ENDPOINT_URL_S3', undefined)
  const store = await openS3Store('bucket', { credentials, region: 'eu-west-3' })
  vi.unstubAllEnvs()
  const atomic = { put: 'atomic', complete: 'atomic', copy: 'atomic', delete: 'atomic' }
  expect({ ...store.capabilities.conditions }).toStrictEqual(atomic)
  await store.close()
})

it('finds out once how conditions are kept, and keeps it', async () => {
  let kept: unknown
  const knowledge: KnowledgeKeeper = {
    load: async () => kept,
    save: async value => {
      kept = JSON.parse(JSON.stringify(value))
    },
  }
  server.setKnobs({ ignoreConditions: ['put'], refuseConditions: ['delete'] })
  const first = await openS3Store('bucket', { endpoint: server.url, credentials, knowledge })
  expect(first.capabilities.conditions).toMatchObject({ put: 'unknown', delete: 'unknown' })
  const { etag } = await first.put('conditional', text('x'), { ifNoneMatch: '*' })
  await expect(first.put('conditional', text('y'), { ifNoneMatch: '*' })).rejects.toMatchObject({
    kind: 'precondition-failed',
  })
  expect((await first.delete([{ key: 'conditional', ifMatch: 'another' }]))[0]?.error?.kind).toBe('precondition-failed')
  expect(first.capabilities.conditions).toMatchObject({ put: 'checked', delete: 'checked' })
  await first.close()
  const second = await openS3Store('bucket', { endpoint: server.url, credentials, knowledge })
  expect(second.capabilities.conditions).toMatchObject({ put: 'checked', delete: 'checked', copy: 'unknown' })
  const before = server.counters().requests.PutObject
  await second.put('conditional', text('z'), { ifMatch: etag })
  expect(server.counters().requests.PutObject).toBe((before ?? 0) + 1)
  expect((await second.delete([{ key: 'conditional' }]))[0]).toStrictEqual({ key: 'conditional' })
  expect((await second.list()).objects).toStrictEqual([])
  await second.close()
  server.reset()
})

async function unusedPort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>(resolve => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise<void>(resolve => probe.close(() => resolve()))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
