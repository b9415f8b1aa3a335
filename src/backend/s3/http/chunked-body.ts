import { fillSink } from '../../fill-sink.js'
import type { ReadSink } from '../../object-store.js'
import { HttpError } from './http-error.js'

/** A line with a size and extensions, and all trailer fields together. */
const MAX_LINE_BYTES = 4096
const MAX_TRAILER_BYTES = 64 * 1024
const LF = 0x0a

/** Takes a chunked body (RFC 9112, 7.1) apart as it comes. Trailer fields are passed over. */
export class ChunkedBody {
  readonly #sink: ReadSink
  /** A size line, the bytes of a chunk, the line end behind them, or trailer fields. */
  #state: 'size' | 'data' | 'data-end' | 'trailer' | 'done' = 'size'
  #line = ''
  #chunkBytes = 0
  #trailerBytes = 0

  constructor(sink: ReadSink) {
    this.#sink = sink
  }

  get isDone(): boolean {
    return this.#state === 'done'
  }

  /** How many of the bytes belong to the body: all of them unless it ends here. */
  read(bytes: Buffer): number {
    let at = 0
    while (at < bytes.byteLength && !this.isDone)
      at = this.#state === 'data' ? this.#takeData(bytes, at) : this.#takeLine(bytes, at)
    return at
  }

  #takeData(bytes: Buffer, at: number): number {
    const piece = bytes.subarray(at, at + this.#chunkBytes)
    fillSink(this.#sink, piece)
    this.#chunkBytes -= piece.byteLength
    if (this.#chunkBytes === 0) this.#state = 'data-end'
    return at + piece.byteLength
  }

  #takeLine(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(LF, at)
    this.#line += bytes.toString('latin1', at, end < 0 ? bytes.byteLength : end + 1)
    if (this.#line.length > MAX_LINE_BYTES) throw bad('a line of more than 4,096 bytes')
    if (end < 0) return bytes.byteLength
    if (!this.#line.endsWith('\r\n')) throw bad('a line that ends without CR LF')
    const line = this.#line.slice(0, -2)
    this.#line = ''
    this.#endLine(line)
    return end + 1
  }

  #endLine(line: string): void {
    switch (this.#state) {
      case 'size': {
        const [, hex] = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i.exec(line) ?? []
        if (hex === undefined) throw bad(`not the size of a chunk: ${JSON.stringify(line.slice(0, 40))}`)
        this.#chunkBytes = Number.parseInt(hex, 16)
        this.#state = this.#chunkBytes === 0 ? 'trailer' : 'data'
        return
      }
      case 'data-end':
        if (line !== '') throw bad('a chunk that is longer than it says')
        this.#state = 'size'
        return
      default:
        this.#trailerBytes += line.length
        if (this.#trailerBytes > MAX_TRAILER_BYTES) throw bad('too long a trailer')
        if (line === '') this.#state = 'done'
    }
  }
}

function bad(message: string): HttpError {
  return new HttpError('BadHttp', `the chunked body of the server's reply: ${message}`)
}
