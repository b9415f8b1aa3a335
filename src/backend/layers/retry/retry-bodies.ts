import { bodySizeBytes } from '../../body.js'
import type { Body, ReadSink } from '../../object-store.js'
import type { Attempt } from './attempt.js'
import type { RetryBudget } from './retry-budget.js'

/** Smaller bodies in memory are passed on as they are: they move within any timeout. */
const WATCHED_BYTES = 1024 ** 2
const PIECE_BYTES = 256 * 1024

/** A body whose chunks count as progress when the store takes them. */
export function watchedBody(body: Body, attempt: Attempt, budget: RetryBudget): Body {
  if (body instanceof Uint8Array && body.byteLength < WATCHED_BYTES) return body
  const memory = body instanceof Uint8Array ? [body] : body.inMemory
  const onSent = () => {
    attempt.progress()
    budget.moved()
    if (!(body instanceof Uint8Array)) body.onSent?.()
  }
  return {
    sizeBytes: bodySizeBytes(body),
    inMemory: memory?.flatMap(piecesOf),
    onSent,
    async *open() {
      for await (const chunk of body instanceof Uint8Array ? piecesOf(body) : body.open()) {
        onSent()
        yield chunk
      }
    },
  }
}

function piecesOf(bytes: Uint8Array): readonly Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) pieces.push(bytes.subarray(at, at + PIECE_BYTES))
  return pieces
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
