import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ChunkedFraming } from '../../scripts/servers/s3/http/body-framing.js'
import type { Exchange } from '../../scripts/servers/s3/http/exchange.js'
import { HttpServer } from '../../scripts/servers/s3/http/http-server.js'
import { Pace } from '../../scripts/servers/s3/http/pace.js'
import { parseHead } from '../../scripts/servers/s3/http/request-head.js'

/** Answers with method, path and body. */
async function echo(exchange: Exchange): Promise<void> {
  const { method, url } = exchange.head
  const pieces: Buffer[] = [Buffer.from(`${method} ${url} `)]
  if (url !== '/unread') await exchange.readBody(piece => void pieces.push(piece))
  exchange.writeHead(200, { 'content-length': pieces.reduce((sum, piece) => sum + piece.byteLength, 0) })
  await exchange.write(pieces, () => {})
  exchange.end()
}

describe('the HTTP of the own S3', () => {
  let server: HttpServer
  let port = 0

  beforeEach(async () => {
    server = new HttpServer(
      exchange => echo(exchange).catch(() => exchange.destroy()),
      () => 0,
    )
    port = await server.listen(0)
  })
  afterEach(() => server.close())

  /** All that comes back for these writes; the last request closes the connection. */
  function talk(writes: readonly string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      let answers = ''
      socket.setEncoding('latin1').on('data', text => {
        answers += text
      })
      socket.on('error', reject).on('close', () => resolve(answers.replaceAll(/date: .*\r\n/g, '')))
      const [first = '', ...others] = writes
      socket.write(first)
      for (const text of others) setImmediate(() => socket.write(text))
    })
  }

  const answer = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  const last = 'GET /last HTTP/1.1\r\nconnection: close\r\n\r\n'
  const lastAnswer = 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\nGET /last '

  it('answers requests that come at once, one after the other', async () => {
    const post = 'POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody'
    const chunked = 'PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nt: u\r\n\r\n'
    const expected = answer('POST /a body') + answer('PUT /b abcde') + lastAnswer
    expect(await talk([post + chunked + last])).toBe(expected)
    expect(await talk([...(post + chunked + last)])).toBe(expected)
  })

  it('passes over bodies that nobody reads, and takes large ones', async () => {
    const body = 'x'.repeat(300_000)
    const put = (path: string) => `PUT ${path} HTTP/1.1\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    const expected = answer('PUT /unread ') + answer(`PUT /read ${body}`) + lastAnswer
    expect(await talk([put('/unread'), put('/read'), last])).toBe(expected)
  })

  it('says that a body may come, and refuses what is no request', async () => {
    const expecting = 'PUT /a HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx'
    expect(await talk([expecting])).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\n/)
    expect(await talk(['nonsense\r\n\r\n'])).toMatch(/^HTTP\/1.1 400 /)
    expect(await talk(['PUT / HTTP/1.1\r\ncontent-length: many\r\n\r\n'])).toMatch(/^HTTP\/1.1 400 /)
    expect(await talk(['PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n'])).toBe('')
  })

  it('reads heads and chunks as they are written', () => {
    expect(parseHead('GET /a?b HTTP/1.0\r\nA: 1\r\na:  2 ')).toMatchObject({
      url: '/a?b',
      headers: { a: '1, 2' },
      keepsAlive: false,
    })
    expect(parseHead('GET /a HTTP/1.1\r\n: x')).toBeUndefined()
    const framing = new ChunkedFraming()
    const emitted: string[] = []
    const used = framing.take(Buffer.from('4\r\nbody\r\n0\r\n\r\nmore'), piece => void emitted.push(piece.toString()))
    expect([used, emitted, framing.isWhole]).toStrictEqual([14, ['body'], true])
  })

  it('spreads bytes over the time that they take', () => {
    let nowMs = 1000
    const pace = new Pace(() => nowMs)
    expect(pace.spend(1000, 0)).toBe(0)
    expect(pace.spend(1_000_000, 10_000_000)).toBe(90)
    expect(pace.spend(1_000_000, 10_000_000)).toBe(190)
    nowMs += 200
    expect(pace.spend(1_000_000, 10_000_000)).toBe(90)
  })
})
