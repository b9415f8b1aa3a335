import type { ReadSink } from '../object-store.js'

const FIRST_BYTES = 16 * 1024

/** Keeps a body in memory, up to a bound: what is behind it is counted and dropped. */
export class Collector implements ReadSink {
  readonly #maxBytes: number
  #memory: Buffer
  #filledBytes = 0
  #seenBytes = 0

  /** `expectedBytes`: undefined where it is not told. */
  constructor(maxBytes: number, expectedBytes: number | undefined) {
    this.#maxBytes = maxBytes
    this.#memory = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(expectedBytes ?? FIRST_BYTES, 1)))
  }

  get isCut(): boolean {
    return this.#seenBytes > this.#maxBytes
  }

  free(): Uint8Array {
    if (this.#filledBytes === this.#memory.byteLength) this.#makeRoom()
    return this.#memory.subarray(this.#filledBytes)
  }

  advance(bytes: number): void {
    this.#filledBytes += bytes
    this.#seenBytes += bytes
  }

  text(): string {
    return this.#memory.toString('utf8', 0, this.#filledBytes)
  }

  #makeRoom(): void {
    if (this.#filledBytes >= this.#maxBytes) {
      this.#filledBytes -= 1
      return
    }
    const larger = Buffer.allocUnsafe(Math.min(this.#maxBytes, this.#memory.byteLength * 2))
    this.#memory.copy(larger)
    this.#memory = larger
  }
}
