import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pace } from './pace.js'
import type { RequestBody } from './request-body.js'
import type { RequestHead } from './request-head.js'

/** So much goes into one write of the socket. */
const WRITE_BYTES = 2 * 1024 ** 2
/** With a bandwidth: small enough for an even flow. */
const PACED_WRITE_BYTES = 256 * 1024
/** Answers up to this size are copied together, which is cheaper than a write of several pieces. */
const COPIED_BYTES = 32 * 1024

/** What one connection has for all of its exchanges. */
export interface ConnectionParts {
  readonly socket: Socket
  readonly pace: Pace
  readonly bytesPerSecond: () => number
  /** For small answers; used again as soon as the kernel has taken it. */
  scratch: Buffer | undefined
}

/** One request and its answer. */
export class Exchange {
  readonly head: RequestHead
  readonly #body: RequestBody | undefined
  readonly #parts: ConnectionParts
  #status = 0
  #written = ''

  constructor(head: RequestHead, body: RequestBody | undefined, parts: ConnectionParts) {
    this.head = head
    this.#body = body
    this.#parts = parts
  }

  /** Of the answer; 0 as long as none was given. */
  get status(): number {
    return this.#status
  }

  get isGone(): boolean {
    return this.#parts.socket.destroyed
  }

  /** Gives the body to `reader` piece by piece; rejects when the connection ends before it was whole. */
  async readBody(reader: (piece: Buffer) => void): Promise<void> {
    await this.#body?.read(reader)
  }

  /** The head of the answer; it goes out with the first bytes of the body, or with `end`. */
  writeHead(status: number, headers: Readonly<Record<string, string | number>>): void {
    this.#status = status
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\ndate: ${dateNow()}\r\n`
    for (const name in headers) text += `${name}: ${headers[name]}\r\n`
    this.#written = this.head.keepsAlive ? `${text}\r\n` : `${text}connection: close\r\n\r\n`
  }

  /** Bytes of the body; resolves when there is room for more, with false when the client has gone. */
  async write(pieces: readonly Buffer[], onBytes: (bytes: number) => void): Promise<boolean> {
    if (this.#writeCopied(pieces)) {
      for (const piece of pieces) onBytes(piece.byteLength)
      return !this.isGone
    }
    const { socket, pace, bytesPerSecond } = this.#parts
    let corkedBytes = 0
    socket.cork()
    this.#flushHead()
    for (const piece of split(pieces, bytesPerSecond() > 0 ? PACED_WRITE_BYTES : WRITE_BYTES)) {
      const waitMs = pace.spend(piece.byteLength, bytesPerSecond())
      if (waitMs >= 1) {
        socket.uncork()
        await sleep(waitMs)
        socket.cork()
      }
      if (socket.destroyed) return false
      socket.write(piece)
      onBytes(piece.byteLength)
      corkedBytes += piece.byteLength
      if (corkedBytes < WRITE_BYTES) continue
      corkedBytes = 0
      socket.uncork()
      if (socket.writableNeedDrain && !(await drained(socket))) return false
      socket.cork()
    }
    socket.uncork()
    return !socket.writableNeedDrain || drained(socket)
  }

  /** The answer is whole. */
  end(): void {
    this.#flushHead()
  }

  /** Breaks the connection off, once what was written is on its way. */
  breakOff(): void {
    this.#flushHead()
    this.#parts.socket.destroySoon()
  }

  /** Breaks the connection off at once. */
  destroy(): void {
    this.#parts.socket.destroy()
  }

  /** For the connection: resolves when nothing of the request is left in the socket. */
  async finish(): Promise<void> {
    await this.#body?.skip()
  }

  #flushHead(): void {
    if (this.#written === '') return
    this.#parts.socket.write(this.#written, 'latin1')
    this.#written = ''
  }

  #writeCopied(pieces: readonly Buffer[]): boolean {
    const { socket, bytesPerSecond } = this.#parts
    let bytes = this.#written.length
    for (const piece of pieces) bytes += piece.byteLength
    if (bytes > COPIED_BYTES || bytesPerSecond() > 0 || socket.writableLength > 0) return false
    this.#parts.scratch ??= Buffer.allocUnsafeSlow(COPIED_BYTES)
    const { scratch } = this.#parts
    let at = scratch.write(this.#written, 0, 'latin1')
    for (const piece of pieces) at += piece.copy(scratch, at)
    this.#written = ''
    socket.write(scratch.subarray(0, at))
    // What the kernel did not take at once still lies there.
    if (socket.writableLength > 0) this.#parts.scratch = undefined
    return true
  }
}

let knownSecond = 0
let knownDate = ''

function dateNow(): string {
  const nowMs = Date.now()
  const second = Math.floor(nowMs / 1000)
  if (second !== knownSecond) {
    knownSecond = second
    knownDate = new Date(nowMs).toUTCString()
  }
  return knownDate
}

function* split(pieces: readonly Buffer[], maxBytes: number): Generator<Buffer> {
  for (const piece of pieces)
    if (piece.byteLength <= maxBytes) yield piece
    else for (let at = 0; at < piece.byteLength; at += maxBytes) yield piece.subarray(at, at + maxBytes)
}

function drained(socket: Socket): Promise<boolean> {
  return new Promise(resolve => {
    const done = () => {
      socket.off('drain', done).off('close', done)
      resolve(!socket.destroyed)
    }
    socket.on('drain', done).on('close', done)
  })
}
