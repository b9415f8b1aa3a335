import { abortedError, onAbort } from '../../call.js'
import { CallSignal, type Signal } from '../../call-signal.js'
import type { Turn } from '../../object-store.js'
import { StoreError } from '../../store-error.js'
import type { Timers } from '../../timers.js'
import type { Deadline, Deadlines } from './deadlines.js'

export interface AttemptSettings {
  readonly operation: string
  readonly key: string | undefined
  /** The caller's. */
  readonly signal: Signal | undefined
  readonly timers: Timers
  /** Of these timers, for all attempts. */
  readonly deadlines: Deadlines
  /** Aborted when the first sign of progress takes longer. */
  readonly timeoutMs: number
  /** Aborted when, after that, nothing comes for so long. */
  readonly idleTimeoutMs: number
  /** What happened is not known when an answer is missing. */
  readonly writes: boolean
  /** Told how long the call has waited for its turn. */
  readonly onTurn: (waitedMs: number) => void
}

/** One try of a store call, watched: it ends when its caller gives it up or when it makes no progress for too long. */
export class Attempt implements Deadline {
  readonly #settings: AttemptSettings
  /** For the wrapped store, as `turn` is. */
  readonly signal = new CallSignal()
  readonly turn: Turn = { waiting: () => this.#wait(), granted: () => this.#begin() }
  readonly #forgetSignal: () => void
  #timeoutMs: number
  #lastProgressMs: number
  #dueMs = Number.POSITIVE_INFINITY
  #timedOut = false
  #waitsSinceMs = 0
  #isEnded = false

  constructor(settings: AttemptSettings) {
    this.#settings = settings
    this.#timeoutMs = settings.timeoutMs
    this.#lastProgressMs = settings.timers.nowMs()
    this.#forgetSignal = onAbort(settings.signal, () => this.signal.abort(settings.signal?.reason))
    this.#arm(this.#lastProgressMs + this.#timeoutMs)
  }

  /** Both, as calls take them. */
  get options(): { readonly signal: Signal; readonly turn: Turn } {
    return { signal: this.signal, turn: this.turn }
  }

  progress(): void {
    this.#timeoutMs = this.#settings.idleTimeoutMs
    this.#lastProgressMs = this.#settings.timers.nowMs()
  }

  /** While nobody waits for the store, its silence does not count. */
  pause(): void {
    this.#settings.deadlines.leave(this)
  }

  resume(): void {
    this.progress()
    this.#arm(this.#lastProgressMs + this.#timeoutMs)
  }

  /** Must be called once for every attempt. */
  end(): void {
    this.#isEnded = true
    this.pause()
    this.#forgetSignal()
  }

  /** The call's result, or `aborted` or the timeout at once even if the call itself never ends. */
  async race<T>(call: Promise<T>, discard?: (late: T) => void): Promise<T> {
    let abandoned = false
    const left = new Promise<never>((_, reject) => {
      const forget = onAbort(this.signal, () => {
        abandoned = true
        reject(this.#reason())
      })
      call.then(late => {
        forget()
        if (abandoned) discard?.(late)
      }, forget)
    })
    return Promise.race([call, left])
  }

  /** What a failure of this attempt means for the caller. */
  explain(error: unknown): StoreError {
    if (this.signal.aborted) return this.#reason(error)
    if (error instanceof StoreError) return error
    const { operation, key } = this.#settings
    return new StoreError('unavailable', `${operation} failed in an unforeseen way`, {
      operation,
      cause: error,
      retryable: false,
      ...(key !== undefined && { key }),
    })
  }

  #wait(): void {
    this.#waitsSinceMs = this.#settings.timers.nowMs()
    this.pause()
  }

  #begin(): void {
    // The turn may come in the moment in which the call is given up.
    if (this.#isEnded) return
    const nowMs = this.#settings.timers.nowMs()
    const waitedMs = nowMs - this.#waitsSinceMs
    this.#settings.onTurn(waitedMs)
    this.#lastProgressMs += waitedMs
    this.#arm(this.#lastProgressMs + this.#timeoutMs)
  }

  #reason(cause?: unknown): StoreError {
    const { operation, key, signal, writes } = this.#settings
    if (!this.#timedOut && signal !== undefined) return abortedError(signal, operation, key)
    const timeoutMs = Math.round(this.#timeoutMs)
    return new StoreError('unavailable', `${operation} timed out after ${timeoutMs} ms without progress`, {
      operation,
      ambiguous: writes,
      code: 'TimedOut',
      ...(key !== undefined && { key }),
      ...(cause !== undefined && { cause }),
    })
  }

  get dueMs(): number {
    return this.#dueMs
  }

  /** Progress since has moved it. */
  due(): void {
    const { deadlines, timers } = this.#settings
    this.#dueMs = this.#lastProgressMs + this.#timeoutMs
    if (this.#dueMs > timers.nowMs()) deadlines.watch(this)
    else {
      this.#timedOut = true
      this.signal.abort(new Error('no progress'))
    }
  }

  #arm(dueMs: number): void {
    this.pause()
    this.#dueMs = dueMs
    this.#settings.deadlines.watch(this)
  }
}
