import type { Timers } from '../../timers.js'

/** Who is to be told when its time has come. */
export interface Deadline {
  /** On the clock of the timers; Infinity is never. Stands still while it is watched. */
  readonly dueMs: number
  due(): void
}

/**
 * Deadlines of which hardly any is ever reached: one timer for all of them, set for the earliest there was when it was
 * set. They are as many as there are calls: their callers bound them.
 */
export class Deadlines {
  readonly #timers: Timers
  readonly #watched = new Set<Deadline>()
  #armedForMs = Number.POSITIVE_INFINITY
  #cancelTimer: (() => void) | undefined

  constructor(timers: Timers) {
    this.#timers = timers
  }

  watch(deadline: Deadline): void {
    this.#watched.add(deadline)
    if (deadline.dueMs < this.#armedForMs) this.#arm(deadline.dueMs)
  }

  /** Without any the process may end. */
  leave(deadline: Deadline): void {
    if (this.#watched.delete(deadline) && this.#watched.size === 0) this.#disarm()
  }

  #arm(dueMs: number): void {
    this.#disarm()
    this.#armedForMs = dueMs
    this.#cancelTimer = this.#timers.after(dueMs - this.#timers.nowMs(), () => this.#look())
  }

  #disarm(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#armedForMs = Number.POSITIVE_INFINITY
  }

  #look(): void {
    this.#disarm()
    const nowMs = this.#timers.nowMs()
    const reached: Deadline[] = []
    let nextMs = Number.POSITIVE_INFINITY
    for (const deadline of this.#watched)
      if (deadline.dueMs <= nowMs) reached.push(deadline)
      else nextMs = Math.min(nextMs, deadline.dueMs)
    if (nextMs < Number.POSITIVE_INFINITY) this.#arm(nextMs)
    // The end of one call may be that of another.
    for (const deadline of reached) if (this.#watched.delete(deadline)) deadline.due()
  }
}
