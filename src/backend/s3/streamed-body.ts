import { crc32 } from 'node:zlib'
import type { ReadSink } from '../object-store.js'
import { base64Sum } from './checksum-chunks.js'
import { type Attempt, corruptReply } from './errors.js'
import type { Flow } from './http/exchange.js'

const CHUNK_BYTES = 64 * 1024
/** The sender is held back while so much waits to be read. */
const MAX_WAITING_BYTES = 4 * CHUNK_BYTES

/** A body on its way from a connection to whoever iterates over it. */
export class StreamedBody implements ReadSink {
  readonly #flow: Flow
  readonly #checksum: string | undefined
  readonly #attempt: Attempt
  readonly #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #leftBytes: number
  #memory: Uint8Array = new Uint8Array(0)
  #end: { readonly error?: unknown } | undefined
  #wake: (() => void) | undefined

  /** `checksum`: the CRC32 that the bytes must have, in base64. */
  constructor(flow: Flow, sizeBytes: number, checksum: string | undefined, attempt: Attempt) {
    this.#flow = flow
    this.#leftBytes = sizeBytes
    this.#checksum = checksum
    this.#attempt = attempt
  }

  free(): Uint8Array {
    if (this.#memory.byteLength === 0) this.#memory = Buffer.allocUnsafe(Math.min(this.#leftBytes, CHUNK_BYTES))
    return this.#memory
  }

  advance(bytes: number): void {
    this.#waiting.push(this.#memory.subarray(0, bytes))
    this.#memory = this.#memory.subarray(bytes)
    this.#waitingBytes += bytes
    this.#leftBytes -= bytes
    if (this.#waitingBytes >= MAX_WAITING_BYTES) this.#flow.pause()
    this.#wake?.()
  }

  /** The exchange is over: well, or with an error. */
  finish(end: { readonly error?: unknown }): void {
    this.#end = end
    this.#wake?.()
  }

  /** What has not come yet is not wanted. */
  giveUp(): void {
    this.#flow.cancel()
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    let sum = 0
    try {
      for (;;) {
        const chunk = this.#waiting.shift()
        if (chunk !== undefined) {
          if (this.#checksum !== undefined) sum = crc32(chunk, sum)
          this.#waitingBytes -= chunk.byteLength
          if (this.#waitingBytes < MAX_WAITING_BYTES) this.#flow.resume()
          yield chunk
        } else if (this.#end === undefined) await this.#woken()
        else if ('error' in this.#end) throw this.#end.error
        else break
      }
    } finally {
      this.giveUp()
    }
    if (this.#checksum !== undefined && base64Sum(sum) !== this.#checksum)
      throw corruptReply('the bytes have another checksum than the reply says', this.#attempt)
  }

  #woken(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = () => {
        this.#wake = undefined
        resolve()
      }
    })
  }
}
