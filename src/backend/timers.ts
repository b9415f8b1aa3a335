import { abortedError, onAbort, throwIfAborted } from './call.js'
import type { Signal } from './call-signal.js'

/** The time of a layer, so that tests can hold it. */
export interface Timers {
  nowMs(): number
  /** Calls `run` once after `delayMs` (never after Infinity) unless the answered function is called before. */
  after(delayMs: number, run: () => void): () => void
}

export const SYSTEM_TIMERS: Timers = {
  nowMs: () => performance.now(),
  after(delayMs, run) {
    if (delayMs === Number.POSITIVE_INFINITY) return () => {}
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}

/** What the task resolves with; undefined where that takes longer. Rejects as the task does. */
export async function within<T>(timers: Timers, mostMs: number, task: Promise<T>): Promise<T | undefined> {
  let cancel = () => {}
  const impatience = new Promise<undefined>(resolve => {
    cancel = timers.after(mostMs, () => resolve(undefined))
  })
  try {
    return await Promise.race([task, impatience])
  } finally {
    cancel()
  }
}

/** Rejects with `aborted` at once when the signal fires. */
export function sleep(timers: Timers, delayMs: number, signal: Signal | undefined, operation: string): Promise<void> {
  throwIfAborted(signal, operation)
  return new Promise((resolve, reject) => {
    const cancel = timers.after(delayMs, () => {
      forget()
      resolve()
    })
    const forget = onAbort(signal, () => {
      cancel()
      if (signal !== undefined) reject(abortedError(signal, operation))
    })
  })
}
