import { setImmediate } from 'node:timers/promises'
import type { Timers } from '../../src/backend/timers.js'

/** Time that stands still until nothing else is left to do, and then jumps to the next timer. */
export class JumpingTimers implements Timers {
  #nowMs = 0
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>()

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, run }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  get pending(): number {
    return this.#timers.size
  }

  /** The result of a call that waits for nothing but these timers. */
  async run<T>(call: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    call.then(settled, settled)
    for (;;) {
      await setImmediate()
      if (isSettled) return call
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs)
      if (next === undefined || next.atMs === Number.POSITIVE_INFINITY) throw new Error('the call waits for ever')
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.run()
    }
  }
}
