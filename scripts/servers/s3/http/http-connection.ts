import type { Socket } from 'node:net'
import { type ConnectionParts, Exchange } from './exchange.js'
import { Pace } from './pace.js'
import { RequestBody } from './request-body.js'
import { framingOf, parseHead } from './request-head.js'

const MAX_HEAD_BYTES = 64 * 1024
const HEAD_END = '\r\n\r\n'

/** Answers a request; never rejects. */
export type Answer = (exchange: Exchange) => Promise<void>

/** One connection of HTTP/1.1: its requests, one after the other. */
export class HttpConnection {
  readonly #socket: Socket
  readonly #answer: Answer
  readonly #parts: ConnectionParts
  /** What came and was not looked at yet; while a request is answered, the socket is paused once there is any. */
  #rest: Buffer | undefined
  #isAnswering = false
  #body: RequestBody | undefined
  /** The client has closed its side. */
  #isEnding = false

  constructor(socket: Socket, answer: Answer, bytesPerSecond: () => number) {
    this.#socket = socket
    this.#answer = answer
    this.#parts = { socket, pace: new Pace(), bytesPerSecond, scratch: undefined }
    socket.setNoDelay(true)
    socket.on('data', chunk => this.#take(chunk))
    socket.on('end', () => this.#finishReading())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#body?.fail(new Error('the client has closed the connection')))
  }

  #take(chunk: Buffer): void {
    if (!this.#isAnswering) {
      this.#rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
      this.#next()
      return
    }
    const used = this.#takeBody(chunk)
    if (used === chunk.byteLength) return
    const rest = chunk.subarray(used)
    this.#rest = this.#rest === undefined ? rest : Buffer.concat([this.#rest, rest])
    this.#socket.pause()
  }

  #takeBody(chunk: Buffer): number {
    if (this.#body === undefined || this.#body.isWhole) return 0
    try {
      return this.#body.take(chunk)
    } catch (error) {
      this.#body.fail(error instanceof Error ? error : new Error(String(error)))
      this.#socket.destroy()
      return chunk.byteLength
    }
  }

  /** Begins with the next request if its head has come. */
  #next(): void {
    const rest = this.#rest
    if (rest === undefined) return
    const end = rest.indexOf(HEAD_END)
    if (end < 0) {
      if (rest.byteLength > MAX_HEAD_BYTES) this.#refuse()
      return
    }
    const exchange = this.#exchange(rest.toString('latin1', 0, end))
    if (exchange === undefined) {
      this.#refuse()
      return
    }
    this.#isAnswering = true
    const after = end + HEAD_END.length
    this.#rest = undefined
    if (after < rest.byteLength) this.#take(rest.subarray(after))
    void this.#serve(exchange)
  }

  #exchange(text: string): Exchange | undefined {
    const head = parseHead(text)
    if (head === undefined) return undefined
    try {
      const framing = framingOf(head.headers)
      const { pace, bytesPerSecond } = this.#parts
      this.#body = framing && new RequestBody(this.#socket, framing, pace, bytesPerSecond)
    } catch {
      // A body of which nobody knows where it ends: refused like any other nonsense.
      return undefined
    }
    if (head.headers.expect?.toLowerCase() === '100-continue') this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n')
    return new Exchange(head, this.#body, this.#parts)
  }

  async #serve(exchange: Exchange): Promise<void> {
    await this.#answer(exchange)
    try {
      await exchange.finish()
    } catch {
      // The client has gone, and took the rest of its request along.
      return
    }
    if (this.#socket.destroyed) return
    if (!exchange.head.keepsAlive || (this.#isEnding && this.#rest === undefined)) {
      this.#socket.end()
      return
    }
    this.#isAnswering = false
    this.#body = undefined
    this.#socket.resume()
    this.#next()
  }

  /** The client sends no more; it still gets its answer. */
  #finishReading(): void {
    this.#isEnding = true
    if (!this.#isAnswering) this.#socket.end()
    else if (this.#body?.isWhole === false) this.#body.fail(new Error('the client has sent only a part of its request'))
  }

  #refuse(): void {
    this.#socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
  }
}
