import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { TLS_CERTIFICATE } from '../../scripts/servers/tls-certificate.js'
import type { ReadSink } from '../../src/backend/object-store.js'
import type { Exchange, Flow } from '../../src/backend/s3/http/exchange.js'
import { HttpPool, type PoolSettings } from '../../src/backend/s3/http/pool.js'
import type { ResponseHead } from '../../src/backend/s3/http/response-head.js'
import { exchange, Kept } from '../support/kept-reply.js'
import { type RawServer, type Serve, startRawServer } from '../support/raw-server.js'

/** The client against a server that writes byte by byte what a test says. */

const OK = 'HTTP/1.1 200 OK\r\n'
let server: RawServer | undefined
let pool: HttpPool | undefined

afterEach(async () => {
  pool?.close()
  await server?.close()
})

async function serve(run: Serve, settings: Partial<PoolSettings> = {}, isSecure = false): Promise<HttpPool> {
  server = await startRawServer(run, isSecure)
  const origin = { isSecure, host: '127.0.0.1', port: server.port, ca: isSecure ? TLS_CERTIFICATE : undefined }
  pool = new HttpPool({ origin, maxSockets: 4, connectTimeoutMs: 5000, checkEveryMs: 10, ...settings })
  return pool
}

async function get(from: HttpPool, request: Partial<Exchange['request']> = {}, signal?: AbortSignal): Promise<Kept> {
  const kept = new Kept()
  await from.run(exchange(kept, request), signal)
  return kept
}

/** Writes each piece once the one before has left, so that they arrive apart. */
async function inPieces(socket: Socket, text: string, bytes: number): Promise<void> {
  socket.setNoDelay(true)
  for (let at = 0; at < text.length; at += bytes) {
    await new Promise(resolve => socket.write(text.slice(at, at + bytes), 'latin1', resolve))
    await new Promise(resolve => setImmediate(resolve))
  }
}

const PUT = { head: 'PUT /x HTTP/1.1\r\nContent-Length: 4\r\n\r\n', isRepeatable: false }

describe('replies', () => {
  const chunked = `${OK}Transfer-Encoding: chunked\r\n\r\n4;x=y\r\nbody\r\nA\r\n and more..\r\n0\r\nTrailer: x\r\n\r\n`

  it.each([1, 2, 3, 5, 1000])('are read in fragments of %i bytes', async bytes => {
    const replies = [
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n' +
        'HTTP/1.1 206 \r\nContent-Length: 11\r\nX-A:  one\r\nx-a: two \r\n\r\nhello world',
      chunked.replace('A\r\n and more..', '9\r\n and more'),
      `${OK}Content-Length: 0\r\n\r\n`,
      'HTTP/1.1 204 No Content\r\n\r\n',
    ]
    const client = await serve((socket, _head, n) => void inPieces(socket, replies[n] ?? '', bytes))
    const first = await get(client)
    expect(first.head).toMatchObject({ status: 206, bodyBytes: 11, fields: { 'x-a': 'one, two' } })
    expect(first.text).toBe('hello world')
    expect((await get(client)).text).toBe('body and more')
    expect((await get(client)).text).toBe('')
    expect((await get(client)).head).toMatchObject({ status: 204, bodyBytes: 0 })
    expect(client.openedCount).toBe(1)
  })

  it('to HEAD have no body, whatever length they tell', async () => {
    const client = await serve(socket => socket.write(`${OK}Content-Length: 12\r\n\r\n`))
    expect((await get(client, { isBodiless: true })).head?.fields['content-length']).toBe('12')
    await get(client, { isBodiless: true })
    expect(client.openedCount).toBe(1)
  })

  it('that close the connection are whole, and the next request takes another one', async () => {
    const client = await serve(socket => socket.end(`${OK}Connection: Close\r\nContent-Length: 1\r\n\r\nx`))
    expect((await get(client)).text).toBe('x')
    expect((await get(client)).text).toBe('x')
    expect(client.openedCount).toBe(2)
  })

  it('with bytes behind their end are good, their connection is not', async () => {
    const client = await serve(socket => socket.write(`${OK}Content-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n`))
    expect((await get(client)).text).toBe('x')
    expect((await get(client)).text).toBe('x')
    expect(client.openedCount).toBe(2)
  })

  it('that nobody asked for end the connection', async () => {
    const client = await serve(socket => socket.write(`${OK}Content-Length: 0\r\n\r\n`))
    await get(client)
    const [socket] = server?.sockets ?? []
    if (socket === undefined) throw new Error('no connection')
    socket.write(`${OK}Content-Length: 0\r\n\r\n`)
    await expect.poll(() => socket.closed).toBe(true)
    await get(client)
    expect(client.openedCount).toBe(2)
  })

  it.each([
    ['a wrong status line', 'HTTP/2 200\r\n\r\n'],
    ['no HTTP at all', 'SSH-2.0-x\r\n\r\n\r\n'],
    ['a field without a name', `${OK}: x\r\n\r\n`],
    ['a field that goes on in the next line', `${OK}A: x\r\n y\r\nContent-Length: 0\r\n\r\n`],
    ['a line end within a field', `${OK}A: x\nB: y\r\nContent-Length: 0\r\n\r\n`],
    ['two lengths', `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx`],
    ['a length that is none', `${OK}Content-Length: 1x\r\n\r\nx`],
    ['a negative length', `${OK}Content-Length: -1\r\n\r\nx`],
    ['a length and chunks', `${OK}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['another coding', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['no end of the body', `${OK}\r\nbody`],
    ['a chunk without a size', `${OK}Transfer-Encoding: chunked\r\n\r\nx\r\n`],
    ['a chunk that is longer than it says', `${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n`],
    ['a size that ends by a mere LF', `${OK}Transfer-Encoding: chunked\r\n\r\n0\n\n`],
    ['an endless size', `${OK}Transfer-Encoding: chunked\r\n\r\n1${';x'.repeat(4000)}`],
    ['an upgrade', 'HTTP/1.1 101 Switching\r\n\r\n'],
    ['endless interim replies', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(20)],
    ['a huge head', `${OK}A: ${'x'.repeat(100_000)}`],
    ['a huge head that ends', `${OK}A: ${'x'.repeat(100_000)}\r\n\r\n`],
  ])('with %s are refused', async (_, reply) => {
    const client = await serve(socket => socket.write(reply))
    await expect(get(client)).rejects.toMatchObject({ code: 'BadHttp' })
  })

  it('without a length are taken when they refuse', async () => {
    const client = await serve(socket => socket.end('HTTP/1.1 503 Slow Down\r\n\r\n<html>'))
    expect(await get(client)).toMatchObject({ head: { status: 503 }, text: '<html>' })
  })

  it.each([
    ['the head', OK],
    ['the body', `${OK}Content-Length: 10\r\n\r\nhalf`],
    ['a chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nab`],
    ['the last chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n`],
  ])('that break off in %s fail', async (_, reply) => {
    const client = await serve(socket => socket.end(reply))
    await expect(get(client)).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(server?.received.join('').match(/GET/g)).toHaveLength(1)
  })

  it('fail with what their receiver throws', async () => {
    const client = await serve(socket => socket.write(`${OK}Content-Length: 1\r\n\r\nx`))
    const begin = () => {
      throw new RangeError('not that')
    }
    await expect(client.run({ ...exchange(new Kept()), receiver: { begin } })).rejects.toThrow('not that')
  })

  it('come when the receiver wants them', async () => {
    const size = 8 * 1024 ** 2
    let lateMs = 0
    let looks = 0
    const nowMs = () => {
      looks += 1
      return performance.now() + lateMs
    }
    const run: Serve = socket => {
      socket.write(`${OK}Content-Length: ${size}\r\n\r\n`)
      socket.write(Buffer.alloc(size, 120))
    }
    const client = await serve(run, { nowMs })
    let seen = 0
    let flow: Flow | undefined
    const memory = Buffer.alloc(65_536)
    let paused: () => void = () => undefined
    const whenPaused = new Promise<void>(resolve => {
      paused = resolve
    })
    const sink: ReadSink = {
      free: () => memory,
      advance: bytes => {
        seen += bytes
        if (seen > 1_000_000 && flow !== undefined) {
          flow.pause()
          paused()
        }
      },
    }
    const begin = (_: ResponseHead, given: Flow) => {
      flow = given
      return sink
    }
    const running = client.run({ ...exchange(new Kept()), receiver: { begin } })
    await whenPaused
    // The idle timeout passes, and does not count while nobody wants anything.
    lateMs = 60_000
    const before = looks
    await expect.poll(() => looks).toBeGreaterThan(before + 2)
    expect(seen).toBeLessThan(2_000_000)
    const resume = flow?.resume
    flow = undefined
    resume?.()
    await running
    expect(seen).toBe(size)
  })
})

describe('requests', () => {
  it('carry their body as it is, from pieces and from a source', async () => {
    const client = await serve(() => undefined)
    const source = async function* () {
      yield Buffer.from('ab')
      yield Buffer.from('cd')
    }
    let sent = 0
    const onSent = () => {
      sent += 1
    }
    for (const [n, pieces] of [[Buffer.from('abc'), Buffer.from('d')], source()].entries()) {
      const running = client.run(exchange(new Kept(), PUT, { sizeBytes: 4, pieces, onSent }))
      await expect.poll(() => server?.received[0]?.match(/PUT.*?\r\n\r\nabcd/gs)).toHaveLength(n + 1)
      server?.sockets[0]?.write(`${OK}Content-Length: 0\r\n\r\n`)
      await running
    }
    expect(sent).toBeGreaterThanOrEqual(2)
    expect(client.openedCount).toBe(1)
  })

  it('end with the failure of their body', async () => {
    const client = await serve(() => undefined)
    const pieces = async function* () {
      yield Buffer.from('ab')
      throw new RangeError('unreadable')
    }
    await expect(client.run(exchange(new Kept(), PUT, { sizeBytes: 4, pieces: pieces() }))).rejects.toThrow(
      'unreadable',
    )
  })

  it('that are answered early end early: refused, and with a connection of no more use', async () => {
    const client = await serve((socket, head) => {
      const status = head.includes('/refused') ? 'HTTP/1.1 403 Forbidden\r\n' : OK
      socket.write(`${status}Content-Length: 0\r\n\r\n`)
    })
    const endless = async function* () {
      yield Buffer.from('x')
      await new Promise(() => undefined)
    }
    const put = (path: string) => {
      const head = `PUT ${path} HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n`
      return client.run(exchange(new Kept(), { ...PUT, head }, { sizeBytes: 1e8, pieces: endless() }))
    }
    expect(await put('/refused')).toMatchObject({ status: 403 })
    await expect(put('/done')).rejects.toMatchObject({ code: 'BadHttp' })
    await get(client)
    expect(client.openedCount).toBe(3)
  })
})

describe('time', () => {
  it('without a byte ends an exchange in every phase', async () => {
    const replies = ['', OK, `${OK}Content-Length: 10\r\n\r\nhalf`, `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\n`]
    const client = await serve((socket, _head, n) => socket.write(replies[n] ?? ''))
    for (const _ of replies)
      await expect(get(client, { idleTimeoutMs: 50 })).rejects.toMatchObject({ code: 'TimeoutError' })
    expect(client.openedCount).toBe(4)
  })

  it('is limited for a connection', async () => {
    // A TLS client waits for a server that says nothing.
    server = await startRawServer(() => undefined)
    const origin = { isSecure: true, host: '127.0.0.1', port: server.port }
    pool = new HttpPool({ origin, maxSockets: 1, connectTimeoutMs: 50, checkEveryMs: 10 })
    await expect(get(pool)).rejects.toMatchObject({ code: 'ConnectTimeout' })
  })

  it('ends connections that nobody uses', async () => {
    const client = await serve(socket => socket.write(`${OK}Content-Length: 0\r\n\r\n`), { unusedTimeoutMs: 20 })
    await get(client)
    const [socket] = server?.sockets ?? []
    await expect.poll(() => socket?.closed).toBe(true)
    await get(client)
    expect(client.openedCount).toBe(2)
  })
})

describe('a caller who gives up', () => {
  it.each([
    ['before an answer', ''],
    ['within the head', OK],
    ['within the body', `${OK}Content-Length: 10\r\n\r\nhalf`],
  ])('ends the exchange and its connection %s', async (_, reply) => {
    const controller = new AbortController()
    const client = await serve(socket => socket.write(reply, () => controller.abort(new Error('enough'))))
    await expect(get(client, {}, controller.signal)).rejects.toThrow('enough')
    const [socket] = server?.sockets ?? []
    await expect.poll(() => socket?.closed).toBe(true)
    await expect(get(client, {}, AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
    expect(client.openedCount).toBe(1)
  })

  it('leaves the queue', async () => {
    const answers: (() => void)[] = []
    const client = await serve(socket => answers.push(() => socket.write(`${OK}Content-Length: 0\r\n\r\n`)), {
      maxSockets: 1,
    })
    const first = get(client)
    const controller = new AbortController()
    const second = get(client, {}, controller.signal)
    const third = get(client)
    controller.abort(new Error('enough'))
    await expect(second).rejects.toThrow('enough')
    await expect.poll(() => answers.length).toBe(1)
    answers[0]?.()
    await first
    await expect.poll(() => answers.length).toBe(2)
    answers[1]?.()
    await third
    expect(client.openedCount).toBe(1)
  })

  it('of a body ends the exchange', async () => {
    const client = await serve(socket => socket.write(`${OK}Content-Length: 10\r\n\r\nhalf`))
    const kept = new Kept()
    const running = client.run(exchange(kept))
    await expect.poll(() => kept.text).toBe('half')
    kept.flow?.cancel()
    await expect(running).rejects.toMatchObject({ code: 'ECONNRESET' })
  })
})

describe('connections', () => {
  it('are used again, and are never more than they may be', async () => {
    const client = await serve(socket => socket.write(`${OK}Content-Length: 1\r\n\r\nx`), { maxSockets: 3 })
    await Promise.all(Array.from({ length: 50 }, () => get(client)))
    for (let n = 0; n < 20; n++) await get(client)
    expect(client.openedCount).toBe(3)
  })

  it('that the server has closed are no error for what may be repeated', async () => {
    const isLast = (n: number) => n === 0
    const client = await serve((socket, _head, n) => {
      // The second request finds the connection dead: it is ended as soon as anything comes.
      if (n === 1) socket.resetAndDestroy()
      else socket.write(`${OK}Content-Length: 1\r\n\r\n${isLast(n) ? 'a' : 'b'}`)
    })
    expect((await get(client)).text).toBe('a')
    expect((await get(client)).text).toBe('b')
    expect(client.openedCount).toBe(2)
  })

  it('that the server has closed fail what may not be repeated, and the next write takes none that is as old', async () => {
    const old: Socket[] = []
    const client = await serve((socket, head) => {
      if (old.includes(socket)) socket.resetAndDestroy()
      else if (head.startsWith('PUT')) socket.write(`${OK}Content-Length: 0\r\n\r\n`)
      else if (old.push(socket) === 4) for (const one of old) one.write(`${OK}Content-Length: 0\r\n\r\n`)
    })
    await Promise.all(Array.from({ length: 4 }, () => get(client)))
    const write = () => client.run(exchange(new Kept(), PUT, { sizeBytes: 4, pieces: [Buffer.from('abcd')] }))
    await expect(write()).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) })
    expect(server?.received.join('').match(/PUT/g)).toHaveLength(1)
    await write()
    expect(client.openedCount).toBe(5)
  })

  it('that break when they are new are an error', async () => {
    const client = await serve(socket => socket.resetAndDestroy())
    await expect(get(client)).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(client.openedCount).toBe(1)
  })

  it('that nobody accepts are an error', async () => {
    const client = await serve(() => undefined)
    await server?.close()
    await expect(get(client)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('end with their pool', async () => {
    const client = await serve(() => undefined, { maxSockets: 1 })
    const both = [get(client), get(client)]
    await expect.poll(() => server?.received[0]).toMatch(/GET/)
    client.close()
    for (const call of both) await expect(call).rejects.toMatchObject({ code: 'ECONNRESET' })
    await expect(get(client)).rejects.toMatchObject({ code: 'ECONNRESET' })
  })
})

describe('TLS', () => {
  it('carries requests, and resumes its session on further connections', async () => {
    const reply = `${OK}Connection: close\r\nContent-Length: 1\r\n\r\nx`
    const client = await serve(
      (socket, _head, n) => socket.write(n === 0 ? `${OK}Content-Length: 1\r\n\r\nx` : reply),
      {},
      true,
    )
    expect((await get(client)).text).toBe('x')
    expect((await get(client)).text).toBe('x')
    expect((await get(client)).text).toBe('x')
    expect(client.openedCount).toBe(2)
    expect(server?.resumed).toStrictEqual([false, true])
  })

  it('refuses a certificate that nobody vouches for', async () => {
    server = await startRawServer(() => undefined, true)
    const origin = { isSecure: true, host: '127.0.0.1', port: server.port }
    pool = new HttpPool({ origin, maxSockets: 1, connectTimeoutMs: 5000 })
    await expect(get(pool)).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  })
})
