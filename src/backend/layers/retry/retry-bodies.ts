import type { Body, ReadSink } from '../../object-store.js'
import type { Attempt } from './attempt.js'
import type { RetryBudget } from './retry-budget.js'

/** Smaller bodies in memory are passed on as they are: they move within any timeout. */
const WATCHED_BYTES = 1024 ** 2
const PIECE_BYTES = 256 * 1024

/** A body whose chunks count as progress when the store takes them. */
export function watchedBody(body: Body, attempt: Attempt, budget: RetryBudget): Body {
  if (body instanceof Uint8Array && body.byteLength < WATCHED_BYTES) return body
  const source = body instanceof Uint8Array ? piecesOf(body) : () => body.open()
  return {
    sizeBytes: body instanceof Uint8Array ? body.byteLength : body.sizeBytes,
    async *open() {
      for await (const chunk of source()) {
        attempt.progress()
        budget.moved()
        yield chunk
      }
    },
  }
}

function piecesOf(bytes: Uint8Array): () => AsyncIterable<Uint8Array> {
  return async function* () {
    for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES)
  }
}

/** A sink that knows how much it was given. */
export class CountingSink implements ReadSink {
  readonly #sink: ReadSink
  readonly #onBytes: () => void
  receivedBytes = 0

  constructor(sink: ReadSink, onBytes: () => void) {
    this.#sink = sink
    this.#onBytes = onBytes
  }

  free(): Uint8Array {
    return this.#sink.free()
  }

  advance(bytes: number): void {
    this.receivedBytes += bytes
    this.#sink.advance(bytes)
    this.#onBytes()
  }
}
