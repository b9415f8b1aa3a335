/** What may have been left unused is made up for up to so long; timers are no finer. */
const CREDIT_MS = 10

/** The bandwidth of one connection, both ways together. */
export class Pace {
  readonly #nowMs: () => number
  #freeAtMs = 0

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
  }

  /** Uses the connection for so many bytes: how long they take to pass. 0 bytes per second: no limit. */
  spend(bytes: number, bytesPerSecond: number): number {
    if (bytesPerSecond <= 0) return 0
    const nowMs = this.#nowMs()
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs - CREDIT_MS) + (bytes / bytesPerSecond) * 1000
    return Math.max(this.#freeAtMs - nowMs, 0)
  }
}
