import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import {
  CreateBucketCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type S3Server, startS3Server } from '../../scripts/servers/s3/s3-server.js'
import { TLS_CERTIFICATE, TLS_KEY } from '../../scripts/servers/tls-certificate.js'
import { ownS3 } from '../support/servers.js'

/** What the suite over the store can't show of the own server: its refusals, its switches, and what the store never asks. */

let server: S3Server
let open: S3Server
let client: S3Client

beforeAll(async () => {
  server = await startS3Server({ region: 'eu-west-3' })
  open = await startS3Server({ buckets: ['bucket'], anonymous: true })
  client = clientOf(server.url, 'eu-west-3')
  await client.send(new CreateBucketCommand({ Bucket: 'first-bucket' }))
})

afterAll(async () => {
  client.destroy()
  await server.close()
  await open.close()
})

beforeEach(() => open.reset())

function clientOf(endpoint: string, region = 'us-east-1'): S3Client {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'testsecret' }
  return new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 })
}

interface RawReply {
  readonly status: number
  readonly body: string
}

/** A request as it is given, Host and all. */
function raw(method: string, url: string, headers: Record<string, string>, body = ''): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, reply => {
      let text = ''
      reply.setEncoding('utf8')
      reply.on('data', chunk => {
        text += chunk
      })
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body: text }))
      reply.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

it('knows its buckets and its region', async () => {
  const { Buckets } = await client.send(new ListBucketsCommand())
  expect(Buckets?.map(bucket => bucket.Name)).toStrictEqual(['first-bucket'])
  const location = await client.send(new GetBucketLocationCommand({ Bucket: 'first-bucket' }))
  expect(location.LocationConstraint).toBe('eu-west-3')
  const again = client.send(new CreateBucketCommand({ Bucket: 'first-bucket' }))
  await expect(again).rejects.toMatchObject({ name: 'BucketAlreadyOwnedByYou' })
})

it('refuses what is not signed, or signed for something else', async () => {
  expect(await raw('GET', `${server.url}/first-bucket`, {})).toMatchObject({ status: 403 })
  let headers: Record<string, string> = {}
  client.middlewareStack.add(
    next => args => {
      headers = { ...(args.request as { headers: Record<string, string> }).headers }
      return next(args)
    },
    { step: 'deserialize', priority: 'low', name: 'spy' },
  )
  await client.send(new PutObjectCommand({ Bucket: 'first-bucket', Key: 'signed', Body: 'x' }))
  client.middlewareStack.remove('spy')
  const url = `${server.url}/first-bucket/signed?x-id=PutObject`
  const other = `${server.url}/first-bucket/other?x-id=PutObject`
  expect(await raw('PUT', url, headers, 'x')).toMatchObject({ status: 200 })
  expect((await raw('PUT', other, headers, 'x')).body).toMatch(/SignatureDoesNotMatch/)
  expect((await raw('PUT', `${url}&x=1`, headers, 'x')).body).toMatch(/SignatureDoesNotMatch/)
  expect((await raw('PUT', url, { ...headers, 'x-amz-date': '20200101T000000Z' }, 'x')).body).toMatch(/TooSkewed/)
  expect((await raw('PUT', url, headers, 'y')).body).toMatch(/XAmzContentSHA256Mismatch|BadDigest/)
})

it('checks every digest that comes with a body', async () => {
  const url = `${open.url}/bucket/digest`
  const md5 = createHash('md5').update('right').digest('base64')
  expect(await raw('PUT', url, { 'content-md5': md5 }, 'right')).toMatchObject({ status: 200 })
  expect((await raw('PUT', url, { 'content-md5': md5 }, 'wrong')).body).toMatch(/BadDigest/)
  expect((await raw('PUT', url, { 'x-amz-checksum-crc32': 'AAAAAA==' }, 'wrong')).body).toMatch(/BadDigest/)
  const sha256 = createHash('sha256').update('right').digest('hex')
  expect((await raw('PUT', url, { 'x-amz-content-sha256': sha256 }, 'wrong')).body).toMatch(/ContentSHA256Mismatch/)
  expect(await raw('GET', url, {})).toMatchObject({ status: 200, body: 'right' })
})

it('takes chunked bodies with a trailer apart, and checks them', async () => {
  const headers = {
    'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'x-amz-decoded-content-length': '11',
    'x-amz-trailer': 'x-amz-checksum-crc32',
  }
  const body = (sum: string) => `6\r\nhello \r\n5\r\nworld\r\n0\r\nx-amz-checksum-crc32:${sum}\r\n\r\n`
  const url = `${open.url}/bucket/chunked`
  expect(await raw('PUT', url, headers, body('DUoRhQ=='))).toMatchObject({ status: 200 })
  expect(await raw('GET', url, {})).toMatchObject({ body: 'hello world' })
  expect((await raw('PUT', url, headers, body('AAAAAA=='))).body).toMatch(/BadDigest/)
  expect((await raw('PUT', url, headers, '6\r\nhello \r\n')).body).toMatch(/IncompleteBody/)
  const longer = { ...headers, 'x-amz-decoded-content-length': '12' }
  expect((await raw('PUT', url, longer, body('DUoRhQ=='))).body).toMatch(/IncompleteBody/)
})

it('knows buckets by their host name', async () => {
  const host = { host: 'bucket.localhost' }
  expect(await raw('PUT', `${open.url}/by/host`, host, 'x')).toMatchObject({ status: 200 })
  expect(await raw('GET', `${open.url}/bucket/by/host`, {})).toMatchObject({ status: 200, body: 'x' })
})

it('gives ranges in all their forms, and 304', async () => {
  const url = `${open.url}/bucket/ranges`
  await raw('PUT', url, {}, '0123456789')
  expect(await raw('GET', url, { range: 'bytes=2-4' })).toMatchObject({ status: 206, body: '234' })
  expect(await raw('GET', url, { range: 'bytes=7-' })).toMatchObject({ status: 206, body: '789' })
  expect(await raw('GET', url, { range: 'bytes=-2' })).toMatchObject({ status: 206, body: '89' })
  expect(await raw('GET', url, { range: 'bytes=8-100' })).toMatchObject({ status: 206, body: '89' })
  expect(await raw('GET', url, { range: 'bytes=10-' })).toMatchObject({ status: 416 })
  expect(await raw('GET', url, { range: 'lines=1-2' })).toMatchObject({ status: 200 })
  const etag = createHash('md5').update('0123456789').digest('hex')
  expect(await raw('GET', url, { 'if-none-match': `"${etag}"` })).toMatchObject({ status: 304, body: '' })
})

it('lists by the first version of the listing, too', async () => {
  const reader = clientOf(open.url)
  for (const name of ['a/1', 'a/2', 'b', 'c/1']) await raw('PUT', `${open.url}/bucket/v1/${name}`, {}, 'x')
  const names: string[] = []
  let marker: string | undefined
  do {
    const page = await reader.send(
      new ListObjectsCommand({ Bucket: 'bucket', Prefix: 'v1/', Delimiter: '/', MaxKeys: 1, Marker: marker }),
    )
    names.push(...[...(page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix)])
    names.push(...[...(page.Contents ?? []).map(({ Key = '' }) => Key)])
    marker = page.IsTruncated ? page.NextMarker : undefined
  } while (marker !== undefined)
  expect(names).toStrictEqual(['v1/a/', 'v1/b', 'v1/c/'])
  reader.destroy()
})

it('answers what it has not got with NotImplemented, and not as if it were something else', async () => {
  for (const resource of ['retention', 'cors', 'versions', 'policy'])
    expect((await raw('GET', `${open.url}/bucket/first?${resource}`, {})).status).toBe(501)
})

it('ends while a client of HTTPS has not said hello, or has gone before', async () => {
  const secure = await startS3Server({ tls: { cert: TLS_CERTIFICATE, key: TLS_KEY } })
  const port = Number(new URL(secure.secureUrl ?? '').port)
  const [silent, gone] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  // The server may end with a reset.
  for (const socket of [silent, gone]) socket.on('error', () => socket.destroy())
  await Promise.all([once(silent, 'connect'), once(gone, 'connect')])
  gone.end()
  await secure.close()
  silent.destroy()
})

it('is switched and read over HTTP, as a process of its own', async () => {
  const own = await ownS3()
  const control = async (method: string, action: string, body?: unknown) => {
    const reply = await fetch(`${own.endpoint}/_control/${action}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return (await reply.json()) as { readonly requests: Readonly<Record<string, number>> }
  }
  const user = clientOf(own.endpoint)
  await user.send(new CreateBucketCommand({ Bucket: 'switched' }))
  await user.send(new PutObjectCommand({ Bucket: 'switched', Key: 'key', Body: 'x' }))
  await control('POST', 'reset')
  await control('POST', 'knobs', {
    faults: [{ operation: 'GetObject', error: { status: 503, code: 'SlowDown' }, times: 1 }],
  })
  const get = () => user.send(new GetObjectCommand({ Bucket: 'switched', Key: 'key' }))
  await expect(get()).rejects.toMatchObject({ name: 'SlowDown' })
  expect(await (await get()).Body?.transformToString()).toBe('x')
  expect((await control('GET', 'counters')).requests).toStrictEqual({ GetObject: 2 })
  await control('POST', 'reset')
  user.destroy()
})
