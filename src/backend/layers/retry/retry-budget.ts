import createDebug from 'debug'
import type { Signal } from '../../call-signal.js'
import type { StoreError } from '../../store-error.js'
import { sleep } from '../../timers.js'
import type { RetryPolicy } from './retry-policy.js'

const debug = createDebug('mount-bucket:retry')

/** How often and how long one call may still be tried. */
export class RetryBudget {
  readonly #policy: RetryPolicy
  #failures = 0
  #lastProgressMs: number

  constructor(policy: RetryPolicy) {
    this.#policy = policy
    this.#lastProgressMs = policy.timers.nowMs()
  }

  /** Bytes went out: the time begins anew, but a body that is sent again and again counts its tries. */
  moved(): void {
    this.#lastProgressMs = this.#policy.timers.nowMs()
  }

  /** Bytes came in that need not come again. */
  progress(): void {
    this.#failures = 0
    this.moved()
  }

  /** It was not the store that kept the call waiting. */
  waited(waitedMs: number): void {
    this.#lastProgressMs += waitedMs
  }

  /** What is left until the call has been without progress for too long. */
  get remainingMs(): number {
    return this.#lastProgressMs + this.#policy.timeoutMs - this.#policy.timers.nowMs()
  }

  /**
   * Waits before the next try: exponential backoff with full jitter, or as long as the store asks for. Throws the error
   * when no try is left, or none could begin in time; `aborted` when the signal fires.
   */
  async spend(error: StoreError, operation: string, signal: Signal | undefined): Promise<void> {
    if (!error.retryable || ++this.#failures >= this.#policy.maxAttempts) throw error
    const { baseDelayMs, maxDelayMs, random, timers } = this.#policy
    const jitterMs = random() * Math.min(maxDelayMs, baseDelayMs * 2 ** (this.#failures - 1))
    const delayMs = Math.max(jitterMs, error.retryAfterMs ?? 0)
    if (delayMs >= this.remainingMs) throw error
    debug('%s failed (%s %s), again in %d ms', operation, error.kind, error.code ?? error.message, Math.round(delayMs))
    await sleep(timers, delayMs, signal, operation)
  }
}
