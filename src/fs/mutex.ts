import { onAbort } from '../backend/call.js'
import type { Signal } from '../backend/call-signal.js'
import { FsError } from './fs-error.js'
import type { Leaver } from './operations.js'

/** Lets one task at a time run, in the order of asking. */
export class Mutex {
  /** Undefined before the first: most locks are never taken. */
  #last: Promise<unknown> | undefined
  #unfinished = 0

  /**
   * Runs `task` when all tasks before it have ended, however they ended. When the caller leaves before its turn has
   * come, the task never runs and the promise rejects with EINTR at once; a task that has begun is waited for.
   */
  run<T>(task: () => Promise<T>, leaver?: Leaver): Promise<T> {
    // Nothing is waited for, so there is nothing to leave.
    const isFree = this.#unfinished === 0
    this.#unfinished += 1
    let hasBegun = false
    const result = (this.#last ?? Promise.resolve()).then(() => {
      if (leaver?.isAborted === true) throw interrupted()
      hasBegun = true
      return task()
    })
    this.#last = result.then(this.#ended, this.#ended)
    return isFree || leaver === undefined ? result : leavable(result, leaver, () => !hasBegun)
  }

  readonly #ended = (): void => {
    this.#unfinished -= 1
  }
}

/**
 * The promise, or EINTR if the signal fires first while `mayLeave` allows that; what the promise stands for goes on.
 */
export function abandonable<T>(promise: Promise<T>, signal: Signal, mayLeave?: () => boolean): Promise<T> {
  return leavable(promise, leaverOf(signal), mayLeave)
}

/** As `abandonable`, for a call of the transport. */
export function leavable<T>(promise: Promise<T>, leaver: Leaver, mayLeave = () => true): Promise<T> {
  if (leaver.isAborted && mayLeave()) {
    promise.catch(() => undefined)
    return Promise.reject(interrupted())
  }
  return new Promise((resolve, reject) => {
    const forget = leaver.onAbort(() => {
      if (mayLeave()) reject(interrupted())
    })
    promise.then(
      value => {
        forget()
        resolve(value)
      },
      (error: unknown) => {
        forget()
        reject(error)
      },
    )
  })
}

export function leaverOf(signal: Signal): Leaver {
  return {
    get isAborted() {
      return signal.aborted
    },
    onAbort: run => (signal.aborted ? () => undefined : onAbort(signal, run)),
  }
}

function interrupted(): FsError {
  return new FsError('EINTR', 'the calling program is being killed')
}
