import type { ReadSink } from '../object-store.js'

const FIRST_BYTES = 16 * 1024
/** Where bytes arrive that nobody looks at. */
const DROPPED = Buffer.allocUnsafeSlow(64 * 1024)

/** Keeps a body in memory, up to a bound: what is behind it is dropped. */
export class Collector implements ReadSink {
  readonly #maxBytes: number
  #memory: Buffer
  #filledBytes = 0
  #isCut = false

  /** `expectedBytes`: undefined where it is not told. */
  constructor(maxBytes: number, expectedBytes: number | undefined) {
    this.#maxBytes = maxBytes
    this.#memory = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(expectedBytes ?? FIRST_BYTES, 1)))
  }

  get isCut(): boolean {
    return this.#isCut
  }

  free(): Uint8Array {
    if (this.#filledBytes === this.#maxBytes) return DROPPED
    if (this.#filledBytes === this.#memory.byteLength) this.#makeRoom()
    return this.#memory.subarray(this.#filledBytes)
  }

  advance(bytes: number): void {
    if (this.#filledBytes === this.#maxBytes) this.#isCut = true
    else this.#filledBytes += bytes
  }

  text(): string {
    return this.#memory.toString('utf8', 0, this.#filledBytes)
  }

  #makeRoom(): void {
    const larger = Buffer.allocUnsafe(Math.min(this.#maxBytes, this.#memory.byteLength * 2))
    this.#memory.copy(larger)
    this.#memory = larger
  }
}
