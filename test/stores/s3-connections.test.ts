import { connect, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type S3Server, startS3Server } from '../../scripts/servers/s3/s3-server.js'
import { TLS_CERTIFICATE, TLS_KEY } from '../../scripts/servers/tls-certificate.js'
import { LimitsLayer } from '../../src/backend/layers/limits-layer.js'
import { RetryLayer } from '../../src/backend/layers/retry/retry-layer.js'
import type { BodySource, ObjectStore } from '../../src/backend/object-store.js'
import type { S3Options } from '../../src/backend/s3/options.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { type RawServer, type Serve, startRawServer } from '../support/raw-server.js'
import { createBucket, ownS3 } from '../support/servers.js'
import { collect, contentOf, PiecewiseSink, testBytes, text } from '../support/store-tools.js'

const credentials = { accessKeyId: 'test', secretAccessKey: 'testsecret' }
const MIB = 1024 ** 2

/** Passes connections on to a server, and counts them. */
interface Tunnel {
  readonly port: number
  opened: number
  /** Ends all connections that there are. */
  cut(): Promise<void>
  close(): Promise<void>
}

let server: S3Server
let plain: Tunnel
let secure: Tunnel
const stores: ObjectStore[] = []

beforeAll(async () => {
  server = await startS3Server({ buckets: ['bucket'] })
  const { port } = new URL(server.url)
  plain = await startTunnel(Number(port), take => createServer(take))
  const certificate = { key: TLS_KEY, cert: TLS_CERTIFICATE, ALPNProtocols: ['http/1.1'] }
  secure = await startTunnel(Number(port), take => createTlsServer(certificate, take))
})

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
})

afterAll(async () => {
  await plain.close()
  await secure.close()
  await server.close()
})

async function open(endpoint: string, options: S3Options = {}): Promise<ObjectStore> {
  const store = await openS3Store('bucket', { endpoint, credentials, region: 'us-east-1', ...options })
  stores.push(store)
  return store
}

async function startTunnel(target: number, create: (take: (socket: Socket) => void) => Server): Promise<Tunnel> {
  const ends = new Set<Socket>()
  const tunnel = create(socket => {
    state.opened += 1
    const far = connect(target, '127.0.0.1')
    for (const end of [socket, far]) {
      ends.add(end)
      end.on('error', () => undefined)
      end.on('close', () => {
        ends.delete(end)
        socket.destroy()
        far.destroy()
      })
    }
    socket.pipe(far).pipe(socket)
  })
  await new Promise<void>(resolve => tunnel.listen(0, '127.0.0.1', resolve))
  const address = tunnel.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const destroyAll = () => {
    for (const end of ends) end.destroy()
  }
  const cut = async () => {
    destroyAll()
    await expect.poll(() => ends.size).toBe(0)
  }
  const close = async () => {
    destroyAll()
    await new Promise<void>(resolve => tunnel.close(() => resolve()))
  }
  const state: Tunnel = { port: address.port, opened: 0, cut, close }
  return state
}

describe('connections', () => {
  it('carry all ordinary requests one after another', async () => {
    const store = await open(`http://127.0.0.1:${plain.port}`)
    plain.opened = 0
    for (let n = 0; n < 30; n++) {
      const key = `reused/${n}`
      const { etag } = await store.put(key, text(key))
      expect((await store.head(key)).etag).toBe(etag)
      expect((await contentOf(store, key)).toString()).toBe(key)
    }
    expect((await store.list({ prefix: 'reused/' })).objects).toHaveLength(30)
    await store.copy('reused/1', 'reused/copy')
    await store.delete([{ key: 'reused/copy' }])
    expect(plain.opened).toBe(1)
  })

  it('are as many as may be at once, whatever is asked', async () => {
    const store = await open(`http://127.0.0.1:${plain.port}`, { maxSockets: 3 })
    plain.opened = 0
    await Promise.all(Array.from({ length: 40 }, (_, n) => store.put(`many/${n}`, testBytes(10_000))))
    expect(plain.opened).toBe(3)
  })

  it('that died while nobody used them are no error of a read, and are settled after a write', async () => {
    const bare = await open(`http://127.0.0.1:${plain.port}`)
    const store = new RetryLayer(bare, { baseDelayMs: 1 })
    const { etag } = await store.put('dead', text('dead'))
    for (let n = 0; n < 5; n++) {
      await plain.cut()
      expect((await bare.head('dead')).etag).toBe(etag)
      await plain.cut()
      expect((await bare.list({ prefix: 'dead' })).objects).toHaveLength(1)
      await plain.cut()
      await store.put('dead', text('dead'))
    }
  })

  it('may be encrypted', async () => {
    const store = await open(`https://localhost:${secure.port}`, { ca: TLS_CERTIFICATE, checksums: 'on' })
    secure.opened = 0
    const bytes = testBytes(3 * MIB + 5)
    const { etag } = await store.put('secure', bytes)
    const plan = await store.prepareRead('secure', { offset: 3, lengthBytes: 3 * MIB }, { ifMatch: etag })
    const sink = new PiecewiseSink(3 * MIB, [100_000])
    await plan.run(sink)
    expect(sink.bytes().equals(bytes.subarray(3, 3 + 3 * MIB))).toBe(true)
    expect((await contentOf(store, 'secure')).equals(bytes)).toBe(true)
    expect((await store.list({ prefix: 'secure' })).objects).toMatchObject([{ key: 'secure', etag }])
    expect(secure.opened).toBe(1)
  })

  it('that nobody vouches for are refused', async () => {
    const store = await open(`https://127.0.0.1:${secure.port}`)
    await expect(store.head('secure')).rejects.toMatchObject({ kind: 'unavailable', retryable: false })
  })
})

describe('bodies', () => {
  const source = (bytes: Uint8Array, pieceBytes: number): BodySource => ({
    sizeBytes: bytes.byteLength,
    async *open() {
      for (let at = 0; at < bytes.byteLength; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
    },
  })

  it.each([0, 1, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, MIB])(
    'of %i bytes from a source have a checksum',
    async size => {
      const store = await open(server.url, { checksums: 'on' })
      const bytes = testBytes(size)
      const headers = { contentEncoding: 'gzip' }
      for (const pieceBytes of [1 + Math.floor(size / 7), 200_000]) {
        await store.put('summed', source(bytes, pieceBytes), { headers })
        expect((await contentOf(store, 'summed')).equals(bytes)).toBe(true)
        expect((await store.head('summed')).headers.contentEncoding).toBe('gzip')
      }
      const upload = await store.createUpload('summed parts')
      await upload.complete([await upload.part(1, source(bytes, 100_000))])
      expect((await contentOf(store, 'summed parts')).equals(bytes)).toBe(true)
    },
  )

  it.each(['on', 'off'] as const)('in memory are sent as they are, with checksums %s', async checksums => {
    const store = new RetryLayer(await open(server.url, { checksums }))
    const bytes = testBytes(3 * MIB)
    let moved = 0
    const body: BodySource = {
      sizeBytes: bytes.byteLength,
      inMemory: [bytes.subarray(0, 10), bytes.subarray(10, MIB), bytes.subarray(MIB)],
      onSent: () => {
        moved += 1
      },
      open: () => {
        throw new Error('not needed')
      },
    }
    await store.put('in memory', body)
    expect((await contentOf(store, 'in memory')).equals(bytes)).toBe(true)
    expect(moved).toBeGreaterThan(3)
    const short = store.put('in memory', { ...body, sizeBytes: 3 * MIB + 1 })
    await expect(short).rejects.toMatchObject({ kind: 'invalid' })
  })
})

describe('a server whose clock is another', () => {
  it('is believed after its refusal', async () => {
    const own = await ownS3()
    const bucket = await createBucket(own)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 })
    try {
      const bare = await openS3Store(bucket, own)
      stores.push(bare)
      await expect(bare.head('x')).rejects.toMatchObject({ code: 'RequestTimeTooSkewed', retryable: true })
      await bare.put('x', text('x'))
      const store = new RetryLayer(await openS3Store(bucket, own), { baseDelayMs: 1 })
      stores.push(store)
      expect((await contentOf(store, 'x')).toString()).toBe('x')
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('replies that are odd', () => {
  const usual = 'ETag: "e"\r\nLast-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n'
  const partial = `HTTP/1.1 206 Partial Content\r\n${usual}Content-Range: bytes 2-5/10\r\n`
  let raw: RawServer | undefined

  afterEach(() => raw?.close())

  async function storeOn(serve: Serve): Promise<ObjectStore> {
    raw = await startRawServer(serve)
    return open(`http://127.0.0.1:${raw.port}`, { idleTimeoutMs: 2000 })
  }

  const range = { offset: 2, lengthBytes: 4 }

  it('may come in chunks', async () => {
    const store = await storeOn(socket =>
      socket.write(`${partial}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n3\r\nbcd\r\n0\r\n\r\n`),
    )
    const sink = new PiecewiseSink(4, [2])
    const info = await (await store.prepareRead('key', range, { ifMatch: 'e' })).run(sink)
    expect(info).toMatchObject({ sizeBytes: 10, etag: 'e' })
    expect(sink.bytes().toString()).toBe('abcd')
    expect((await collect((await store.get('key', { range })).body)).toString()).toBe('abcd')
  })

  it.each([
    ['too few bytes in chunks', `${partial}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`],
    ['too many bytes in chunks', `${partial}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n`],
    ['another range', `${partial.replace('2-5', '3-6')}Content-Length: 4\r\n\r\nabcd`],
    ['the wrong length', `${partial}Content-Length: 3\r\n\r\nabc`],
    ['an object that ends too soon', `${partial.replace('2-5/10', '2-4/5')}Content-Length: 3\r\n\r\nabc`],
    ['no ETag', `${partial.replace(/ETag.*?\r\n/, '')}Content-Length: 4\r\n\r\nabcd`],
    ['the end of the object', 'HTTP/1.1 416 \r\nContent-Length: 40\r\n\r\n<Error><Code>InvalidRange</Code></Error>'],
  ])('are refused with %s', async (_, reply) => {
    const store = await storeOn(socket => socket.write(reply))
    const plan = await store.prepareRead('key', range, { ifMatch: 'e' })
    const sink = new PiecewiseSink(4, [4])
    await expect(plan.run(sink)).rejects.toMatchObject({ kind: 'corrupt', key: 'key' })
  })

  it('are refused with another version than was asked for', async () => {
    const store = await storeOn(socket => socket.write(`${partial}Content-Length: 4\r\n\r\nabcd`))
    const call = store.get('key', { range, ifMatch: 'f' })
    await expect(call).rejects.toMatchObject({ kind: 'precondition-failed' })
  })

  it('are told as what they are when they refuse without a word of XML', async () => {
    const replies = ['HTTP/1.1 503 \r\n\r\n<html>', 'HTTP/1.1 403 \r\nContent-Length: 9\r\n\r\n<html']
    const store = await storeOn((socket, _head, n) => socket.end(replies[n] ?? ''))
    await expect(store.put('key', text('x'))).rejects.toMatchObject({ kind: 'throttled', code: '503' })
    await expect(store.head('key')).rejects.toMatchObject({ kind: 'denied', code: '403' })
  })

  const missing = '<Error><Code>NoSuchBucket</Code></Error>'

  it.each([
    ['without a length', `HTTP/1.1 404 \r\n\r\n${missing}`],
    ['cut off', `HTTP/1.1 404 \r\nContent-Length: 100\r\n\r\n<Error>`],
  ])('do not pass for a missing key when they tell of a missing bucket %s', async (_, reply) => {
    const store = await storeOn(socket => socket.end(reply))
    await expect(store.get('key')).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it.each(['Content-Length:', 'Content-Length: -1', 'Content-Length: 1e3'])(
    'to HEAD must tell the size, not %j',
    async field => {
      const store = await storeOn(socket => socket.write(`HTTP/1.1 200 OK\r\n${usual}${field}\r\n\r\n`))
      await expect(store.head('key')).rejects.toMatchObject({ kind: 'corrupt' })
    },
  )

  it('name the region that they redirect to', async () => {
    const store = await storeOn(socket =>
      socket.write('HTTP/1.1 307 \r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: 0\r\n\r\n'),
    )
    await expect(store.list()).rejects.toThrow(/--region eu-west-1/)
  })

  it.each(['', ' \n', '<html>login</html>'])('do not complete an upload by saying %j', async said => {
    const store = await storeOn((socket, head) => {
      // What was there before.
      if (head.startsWith('HEAD')) socket.write(`HTTP/1.1 200 OK\r\n${usual}Content-Length: 4\r\n\r\n`)
      else socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${said.length}\r\n\r\n${said}`)
    })
    const call = store.resumeUpload('key', 'id').complete([{ number: 1, etag: 'p', sizeBytes: 4 }])
    await expect(call).rejects.toMatchObject({ kind: 'corrupt', ambiguous: true })
  })

  it('that do not come to what is tried out beforehand hold up nobody who gives up', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const store = await storeOn(() => controller.abort())
    const put = store.put('key', text('x'), { ifNoneMatch: '*', signal })
    await expect(put).rejects.toMatchObject({ kind: 'aborted' })
    const range = { offset: 0, lengthBytes: 1 }
    const copy = store.resumeUpload('key', 'id').copyPart(1, { key: 'a%b', range }, { signal })
    await expect(copy).rejects.toMatchObject({ kind: 'aborted' })
  })

  it('leave a write in doubt when they do not come', async () => {
    const store = await storeOn(socket => socket.resetAndDestroy())
    await expect(store.put('key', text('x'))).rejects.toMatchObject({ kind: 'unavailable', ambiguous: true })
    await expect(store.head('key')).rejects.toMatchObject({ kind: 'unavailable', ambiguous: false })
  })
})

it('signs what is read when its turn has come, however long it had to wait', async () => {
  let waitedMs = 0
  const now = Date.now
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now.call(Date) + waitedMs)
  const own = await startS3Server({ buckets: ['bucket'], nowMs: () => Date.now() })
  const store = new LimitsLayer(await open(own.url), { concurrency: 1 })
  await store.put('key', testBytes(10))
  const { body } = await store.get('key')
  const plan = await store.prepareRead('key', { offset: 2, lengthBytes: 4 })
  const sink = new PiecewiseSink(4, [4])
  const read = plan.run(sink)
  waitedMs = 20 * 60_000
  await collect(body)
  await read
  expect(sink.bytes().equals(testBytes(10).subarray(2, 6))).toBe(true)
  expect(own.counters().statuses).not.toHaveProperty('403')
  clock.mockRestore()
  await own.close()
})
