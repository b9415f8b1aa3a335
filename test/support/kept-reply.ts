import type { ReadSink } from '../../src/backend/object-store.js'
import type { Exchange, Flow } from '../../src/backend/s3/http/exchange.js'
import type { ResponseHead } from '../../src/backend/s3/http/response-head.js'

/** Keeps a reply's body, by a few bytes at a time. */
export class Kept implements ReadSink {
  readonly #piece = Buffer.alloc(7)
  text = ''
  head: ResponseHead | undefined
  flow: Flow | undefined

  free(): Uint8Array {
    return this.#piece
  }

  advance(bytes: number): void {
    this.text += this.#piece.toString('latin1', 0, bytes)
  }
}

export function exchange(kept: Kept, request: Partial<Exchange['request']> = {}, body?: Exchange['body']): Exchange {
  const begin = (head: ResponseHead, flow: Flow) => {
    kept.head = head
    kept.flow = flow
    return kept
  }
  const head = 'GET /x HTTP/1.1\r\nHost: h\r\n\r\n'
  const plain = { head, isBodiless: false, isRepeatable: true, idleTimeoutMs: 10_000 }
  return { request: { ...plain, ...request }, body, receiver: { begin } }
}
