import type { Timers } from '../../src/backend/timers.js'

/** Nothing happens in time, but when a test says so. */
export class HeldTimers implements Timers {
  readonly #due = new Set<() => void>()

  nowMs(): number {
    return 0
  }

  after(_delayMs: number, run: () => void): () => void {
    const one = () => run()
    this.#due.add(one)
    return () => void this.#due.delete(one)
  }

  get pending(): number {
    return this.#due.size
  }

  /** The time of all that is due now has come. */
  run(): void {
    for (const one of [...this.#due]) {
      this.#due.delete(one)
      one()
    }
  }
}
