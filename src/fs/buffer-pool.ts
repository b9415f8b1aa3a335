import { alignedMemory } from '../system/aligned-memory.js'

type Allocate = (sizeBytes: number) => Buffer
type Later = (delayMs: number, run: () => void) => void

/** What lies ready is never given up for less. */
const SPARE_BUFFERS = 4

/** Memory that was not needed for so long is given up. */
const PERIOD_MS = 5000

/** Nobody waits for it at the end of the process. */
const unwaited: Later = (delayMs, run) => {
  setTimeout(run, delayMs).unref()
}

/**
 * Memory of one size that is used again: fresh memory costs the kernel more than what is then copied into it, and the
 * garbage collector runs for it. There is never more than was in use at once; what a burst leaves is given up soon.
 */
export class BufferPool {
  readonly #sizeBytes: number
  readonly #after: Later
  readonly #allocate: Allocate
  readonly #spare: Buffer[] = []
  #isWatching = false
  /** Of the present period. */
  #leastSpare = 0

  constructor(
    sizeBytes: number,
    { after = unwaited, allocate = alignedMemory }: { readonly after?: Later; readonly allocate?: Allocate } = {},
  ) {
    this.#sizeBytes = sizeBytes
    this.#after = after
    this.#allocate = allocate
  }

  take(): Buffer {
    const buffer = this.#spare.pop() ?? this.#allocate(this.#sizeBytes)
    this.#leastSpare = Math.min(this.#leastSpare, this.#spare.length)
    return buffer
  }

  /** Once for each that was taken. */
  give(buffer: Buffer): void {
    this.#spare.push(buffer)
    this.#watch()
  }

  #watch(): void {
    if (this.#isWatching || this.#spare.length <= SPARE_BUFFERS) return
    this.#isWatching = true
    this.#leastSpare = this.#spare.length
    this.#after(PERIOD_MS, () => {
      this.#isWatching = false
      this.#spare.splice(0, Math.max(0, this.#leastSpare - SPARE_BUFFERS))
      this.#watch()
    })
  }
}
