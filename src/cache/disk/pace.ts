/** Reads of about the same size are judged together: up to a cell, up to 1 MiB, larger. */
const CLASS_BYTES = [64 * 1024, 1024 * 1024, Number.POSITIVE_INFINITY] as const

/** What a store takes until it was asked: 20 ms to the first byte, then 90 MB/s. */
const USUAL_LATENCY_MS = 20
const USUAL_BYTES_PER_MS = 90_000

/** The share of the newest in the running means. */
const NEWEST = 0.1

/** No judgement on fewer reads. */
const MIN_READS = 8

/** A disk that is about as fast still spares requests, and a busy machine makes both slow by turns. */
const SLOWER = 1.5
const SLOWER_MS = 15

/** Then it is tried again. */
const LEFT_OUT_MS = 30_000

interface Mean {
  ms: number
  storeMs: number
  count: number
}

/**
 * Whether the disk is worth asking: a store nearby is faster than a disk that is busy, far away or broken. Such a disk is
 * left out for half a minute at a time.
 */
export class Pace {
  readonly #storeMs: (sizeBytes: number) => number | undefined
  #means: readonly Mean[] = fresh()
  #leftOutUntilMs = Number.NEGATIVE_INFINITY

  /** `storeMs` tells how long the store takes for so many bytes. */
  constructor(storeMs: (sizeBytes: number) => number | undefined) {
    this.#storeMs = storeMs
  }

  isLeftOut(nowMs: number): boolean {
    return nowMs < this.#leftOutUntilMs
  }

  /** The disk brought so many bytes in so long. True: it is left out from now on. */
  took(sizeBytes: number, tookMs: number, nowMs: number): boolean {
    const mean = this.#means[CLASS_BYTES.findIndex(most => sizeBytes <= most)]
    if (mean === undefined) return false
    mean.count += 1
    const share = Math.max(NEWEST, 1 / mean.count)
    const storeMs = this.#storeMs(sizeBytes) ?? USUAL_LATENCY_MS + sizeBytes / USUAL_BYTES_PER_MS
    mean.ms += (tookMs - mean.ms) * share
    mean.storeMs += (storeMs - mean.storeMs) * share
    if (mean.count < MIN_READS || mean.ms <= mean.storeMs * SLOWER + SLOWER_MS) return false
    this.leaveOut(nowMs)
    return true
  }

  /** The disk failed, or did not answer in time. */
  leaveOut(nowMs: number): void {
    this.#leftOutUntilMs = nowMs + LEFT_OUT_MS
    this.#means = fresh()
  }
}

function fresh(): readonly Mean[] {
  return CLASS_BYTES.map(() => ({ ms: 0, storeMs: 0, count: 0 }))
}
