import type { ReadSink } from '../object-store.js'
import { type Attempt, corruptReply } from './errors.js'

/** Takes exactly so many bytes for a sink, where nothing else counts them. */
export class ExactSink implements ReadSink {
  readonly #sink: ReadSink
  readonly #attempt: Attempt
  #leftBytes: number

  constructor(sink: ReadSink, sizeBytes: number, attempt: Attempt) {
    this.#sink = sink
    this.#attempt = attempt
    this.#leftBytes = sizeBytes
  }

  free(): Uint8Array {
    if (this.#leftBytes === 0) throw corruptReply('more bytes than were asked for', this.#attempt)
    return this.#sink.free().subarray(0, this.#leftBytes)
  }

  advance(bytes: number): void {
    this.#leftBytes -= bytes
    this.#sink.advance(bytes)
  }

  /** Must be called when the body has ended. */
  finish(): void {
    if (this.#leftBytes > 0) throw corruptReply(`${this.#leftBytes} bytes too few`, this.#attempt)
  }
}
