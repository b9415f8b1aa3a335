import { HttpError } from './http-error.js'
import { MAX_HEAD_BYTES, type ParsedHead, parseHead } from './response-head.js'

const END = Buffer.from('\r\n\r\n')
/** More interim replies (1xx) than any server sends. */
const MAX_INTERIM = 8

export interface FoundHead {
  readonly head: ParsedHead
  /** How many of the bytes given last belong to heads: what is behind them is body. */
  readonly usedBytes: number
}

/** Finds the head of the final reply in bytes as they come; interim replies are passed over. */
export class HeadReader {
  readonly #isBodiless: boolean
  /** Of a head that came in part. */
  #before: Buffer | undefined
  #interims = 0

  constructor(isBodiless: boolean) {
    this.#isBodiless = isBodiless
  }

  /** Undefined: the head goes on. The bytes are not kept. */
  read(bytes: Buffer): FoundHead | undefined {
    const keptBytes = this.#before?.byteLength ?? 0
    const all = this.#before === undefined ? bytes : Buffer.concat([this.#before, bytes])
    let start = 0
    for (;;) {
      const end = all.indexOf(END, start)
      if ((end < 0 ? all.byteLength : end) - start > MAX_HEAD_BYTES)
        throw new HttpError('BadHttp', `the head of the server's reply has more than ${MAX_HEAD_BYTES} bytes`)
      if (end < 0) {
        this.#before = Buffer.from(all.subarray(start))
        return undefined
      }
      const head = parseHead(all.toString('latin1', start, end), this.#isBodiless)
      start = end + END.byteLength
      if (head.status >= 200) return { head, usedBytes: start - keptBytes }
      // 101 is an answer to Upgrade only, which is never asked for.
      if (head.status === 101 || ++this.#interims > MAX_INTERIM)
        throw new HttpError('BadHttp', `an interim reply out of place (${head.status})`)
    }
  }
}
