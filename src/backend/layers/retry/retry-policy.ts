import { SYSTEM_TIMERS, type Timers } from '../../timers.js'
import { Deadlines } from './deadlines.js'

export interface RetryOptions {
  /** A call ends after so long without progress: no byte moved and no answer came. Default 60 s. */
  readonly timeoutMs?: number | undefined
  /**
   * One try ends after so long without progress, so that a connection that died silently is left while there is still
   * time for another. Default half of `timeoutMs`. What the server does alone (copy, complete) has all of `timeoutMs`.
   */
  readonly attemptTimeoutMs?: number | undefined
  /** Tries without progress in between. Default 10. */
  readonly maxAttempts?: number | undefined
  /** Before the nth repetition a wait of up to `baseDelayMs * 2^(n-1)`, at most `maxDelayMs`. Default 50 and 10,000. */
  readonly baseDelayMs?: number | undefined
  readonly maxDelayMs?: number | undefined
  readonly timers?: Timers | undefined
  /** In [0, 1). */
  readonly random?: (() => number) | undefined
}

export interface RetryPolicy {
  readonly timeoutMs: number
  readonly attemptTimeoutMs: number
  readonly maxAttempts: number
  readonly baseDelayMs: number
  readonly maxDelayMs: number
  readonly timers: Timers
  readonly deadlines: Deadlines
  readonly random: () => number
}

export function retryPolicy(options: RetryOptions): RetryPolicy {
  const timeoutMs = options.timeoutMs ?? 60_000
  const timers = options.timers ?? SYSTEM_TIMERS
  return {
    timeoutMs,
    attemptTimeoutMs: options.attemptTimeoutMs ?? timeoutMs / 2,
    maxAttempts: options.maxAttempts ?? 10,
    baseDelayMs: options.baseDelayMs ?? 50,
    maxDelayMs: options.maxDelayMs ?? 10_000,
    timers,
    deadlines: new Deadlines(timers),
    random: options.random ?? Math.random,
  }
}
