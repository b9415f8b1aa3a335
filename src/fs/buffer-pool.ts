/** What lies ready beyond as much as is in use. */
const SPARE_BUFFERS = 4

/**
 * Memory of one size that is used again: fresh memory costs the kernel more than what is then copied into it. No more
 * lies ready than is in use, and a few, so that it shrinks to little when a burst is over.
 */
export class BufferPool {
  readonly sizeBytes: number
  readonly #spare: Buffer[] = []
  #inUse = 0

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes
  }

  take(): Buffer {
    this.#inUse += 1
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.sizeBytes)
  }

  /** Once for each that was taken. */
  give(buffer: Buffer): void {
    this.#inUse -= 1
    this.#spare.push(buffer)
    while (this.#spare.length > this.#inUse + SPARE_BUFFERS) this.#spare.pop()
  }
}
