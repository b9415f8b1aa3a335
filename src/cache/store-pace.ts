/** Shorter bodies tell little of how fast bytes come. */
const TELLING_BYTES = 256 * 1024
/** What was measured is trusted a little less every second, so that a way that has become slower is noticed. */
const DRIFT_PER_SECOND = 0.01
/** Clocks and event loops tell no shorter times apart. */
const LEAST_MS = 0.1
/** The share of the newest request in the running means. */
const NEWEST = 0.1

/**
 * How long a request takes on its way when nothing hinders it: the shortest time to the first byte, and the fastest that
 * one connection has brought bytes. Whatever waits in queues, ours or the store's, only ever makes a request look slower,
 * so the best that was seen is the truth.
 */
export class StorePace {
  #latencyMs: number | undefined
  #bytesPerMs: number | undefined
  #measuredMs = 0
  #usualLatencyMs: number | undefined
  #usualBytesPerMs: number | undefined

  /** One request that brought `sizeBytes`, the first byte after `firstByteMs` and the last after `totalMs`. */
  measured(nowMs: number, sizeBytes: number, firstByteMs: number, totalMs: number): void {
    const drift = 1 + (DRIFT_PER_SECOND * Math.max(0, nowMs - this.#measuredMs)) / 1000
    this.#measuredMs = nowMs
    this.#latencyMs = Math.max(LEAST_MS, Math.min(firstByteMs, (this.#latencyMs ?? firstByteMs) * drift))
    this.#usualLatencyMs = mean(this.#usualLatencyMs, firstByteMs)
    if (sizeBytes < TELLING_BYTES) return
    const bytesPerMs = sizeBytes / Math.max(LEAST_MS, totalMs - this.#latencyMs)
    this.#bytesPerMs = Math.max(bytesPerMs, (this.#bytesPerMs ?? bytesPerMs) / drift)
    this.#usualBytesPerMs = mean(this.#usualBytesPerMs, sizeBytes / Math.max(LEAST_MS, totalMs - firstByteMs))
  }

  /** How long a request for so many bytes takes at best; undefined before anything was measured. */
  requestMs(sizeBytes: number): number | undefined {
    if (this.#latencyMs === undefined || this.#bytesPerMs === undefined) return undefined
    return this.#latencyMs + sizeBytes / this.#bytesPerMs
  }

  /** How long one takes of late, whatever hinders it; undefined before enough was measured. */
  usualMs(sizeBytes: number): number | undefined {
    if (this.#usualLatencyMs === undefined || this.#usualBytesPerMs === undefined) return undefined
    return this.#usualLatencyMs + sizeBytes / this.#usualBytesPerMs
  }
}

function mean(before: number | undefined, newest: number): number {
  return before === undefined ? newest : before + (newest - before) * NEWEST
}
