import type { StorePace } from '../cache/store-pace.js'

/** Reads of several threads of the kernel overtake each other by this much at the most and still count as sequential. */
const REORDER_BYTES = 4 * 1024 * 1024

/** So much of what a stream has run over must have been read, or it is one that leaves most of it out. */
const LEAST_DENSITY = 1 / 2

/** What is brought ahead is at most so many times what has been read in one go: little is wasted on a short reader. */
const TRUST = 4

/** Several times what is under way while a request takes its time, so that speed can grow, and be less even, and be lower than at its best. */
const GAIN = 4

const FIRST_WINDOW_BYTES = 512 * 1024
/** A slow reader that has read enough is worth this: its requests would else be many and small. */
const LEAST_WINDOW_BYTES = 8 * 1024 * 1024

/** A window is made of so many requests at the least: they run side by side, and the first bytes come soon. */
const REQUESTS_PER_WINDOW = 2
const LEAST_REQUEST_BYTES = 256 * 1024
const MOST_REQUEST_BYTES = 4 * 1024 * 1024

/**
 * Where threads receive, each request is worth more to the one that only makes it, if the store brings and the reader takes
 * so much within so short a time: of a store farther away, more requests side by side are faster.
 */
const THREADS_REQUEST_BYTES = 16 * 1024 * 1024
const NEAR_MS = 40

/** The speed of a reader is taken over so long at the least, */
const SAMPLE_MS = 10
/** and a lower one counts slowly. */
const SPEED_KEPT = 0.9

export interface ReadWindow {
  /** How far ahead of the reader. */
  readonly sizeBytes: number
  /** How much one request brings. */
  readonly requestBytes: number
  /** It does not grow by being read on. */
  readonly isSettled: boolean
}

/**
 * How a file has been read so far by those who read it together, and how far ahead of them is worth fetching. It is also
 * the owner of its read-ahead in the block cache.
 *
 * The first read is no stream: who looks at one place gets that place. From the second on that continues the first, a
 * window is kept under way that follows what was measured: with S the speed of the reader and T the time that a request
 * takes, S * T bytes are under way when nobody waits for anybody. The window is `GAIN` times that. So a reader that is
 * held up by a store far away speeds up with every window, until its own speed, the processor or the bounds hold it; one
 * that reads slowly has little brought ahead; and where the store is near, few large requests do.
 */
export class ReadPattern {
  /** All up to here has been asked for. */
  aheadTo = 0
  /** Who reads no further than here needs nothing more. */
  quietTo = 0
  #reads = 0
  #beganAt = 0
  #nextOffset = 0
  /** Since `#beganAt`. */
  #readBytes = 0
  #bytesPerMs: number | undefined
  #sample: { readonly offset: number; readonly ms: number } = { offset: 0, ms: 0 }

  /** Whether it is read from front to back. */
  get isStream(): boolean {
    return this.#reads > 1
  }

  /** Whether a read goes on where the ones before were. */
  isGoneOnBy(offset: number, sizeBytes: number): boolean {
    if (this.#reads === 0) return false
    const nextOffset = Math.max(this.#nextOffset, offset + sizeBytes)
    const isNear = Math.abs(offset - this.#nextOffset) <= (this.isStream ? REORDER_BYTES : 0)
    return isNear && this.#readBytes + sizeBytes >= (nextOffset - this.#beganAt) * LEAST_DENSITY
  }

  /** Such a read has come. */
  goOn(offset: number, sizeBytes: number, nowMs: number): void {
    this.#reads += 1
    this.#readBytes += sizeBytes
    this.#nextOffset = Math.max(this.#nextOffset, offset + sizeBytes)
    this.#measure(nowMs)
  }

  /** A read has come that is the first, or goes on nowhere. */
  begin(offset: number, sizeBytes: number, nowMs: number): void {
    this.#reads = 1
    this.#beganAt = offset
    this.#readBytes = sizeBytes
    this.#nextOffset = offset + sizeBytes
    this.#sample = { offset, ms: nowMs }
    this.aheadTo = this.#nextOffset
    this.quietTo = 0
  }

  /** Each reads what was brought, or will be, for the other. */
  isBeside(other: ReadPattern): boolean {
    if (this.#reads === 0) return false
    return this.#nextOffset - REORDER_BYTES <= other.aheadTo && other.#nextOffset - REORDER_BYTES <= this.aheadTo
  }

  /** For a stream. `inThreads`: its bytes are received there. */
  window(pace: StorePace, maxBytes: number, inThreads: boolean): ReadWindow {
    const isLarge = inThreads && this.#isNear(pace)
    const mostBytes = isLarge ? THREADS_REQUEST_BYTES : MOST_REQUEST_BYTES
    const trustedBytes = Math.min(maxBytes, this.#readBytes * TRUST)
    const requestMs = pace.requestMs(requestOf(trustedBytes, mostBytes)) ?? Number.POSITIVE_INFINITY
    const measuredBytes = GAIN * requestMs * (this.#bytesPerMs ?? Number.POSITIVE_INFINITY)
    const wantedBytes = Math.max(
      isLarge ? REQUESTS_PER_WINDOW * THREADS_REQUEST_BYTES : LEAST_WINDOW_BYTES,
      measuredBytes,
    )
    const sizeBytes = Math.min(maxBytes, Math.max(FIRST_WINDOW_BYTES, Math.min(trustedBytes, wantedBytes)))
    return {
      sizeBytes,
      requestBytes: requestOf(sizeBytes, mostBytes),
      isSettled: Math.min(wantedBytes, maxBytes) <= trustedBytes,
    }
  }

  #isNear(pace: StorePace): boolean {
    const requestMs = pace.requestMs(THREADS_REQUEST_BYTES) ?? Number.POSITIVE_INFINITY
    return requestMs <= NEAR_MS && THREADS_REQUEST_BYTES <= NEAR_MS * (this.#bytesPerMs ?? 0)
  }

  #measure(nowMs: number): void {
    const elapsedMs = nowMs - this.#sample.ms
    if (elapsedMs < SAMPLE_MS) return
    const bytesPerMs = (this.#nextOffset - this.#sample.offset) / elapsedMs
    this.#bytesPerMs = Math.max(bytesPerMs, (this.#bytesPerMs ?? 0) * SPEED_KEPT)
    this.#sample = { offset: this.#nextOffset, ms: nowMs }
  }
}

/** A power of two. */
function requestOf(windowBytes: number, mostBytes: number): number {
  const shareBytes = 2 ** Math.floor(Math.log2(Math.max(1, windowBytes / REQUESTS_PER_WINDOW)))
  return Math.min(mostBytes, Math.max(LEAST_REQUEST_BYTES, shareBytes))
}
