import { FsError } from './fs-error.js'

/** Lets one task at a time run, in the order of asking. */
export class Mutex {
  /** Undefined before the first: most locks are never taken. */
  #last: Promise<unknown> | undefined
  #unfinished = 0

  /**
   * Runs `task` when all tasks before it have ended, however they ended. When `signal` fires before its turn has
   * come, the task never runs and the promise rejects with EINTR at once; a task that has begun is waited for.
   */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    // Nothing is waited for, so there is nothing to leave.
    const isFree = this.#unfinished === 0
    this.#unfinished += 1
    let hasBegun = false
    const result = (this.#last ?? Promise.resolve()).then(() => {
      if (signal?.aborted === true) throw interrupted()
      hasBegun = true
      return task()
    })
    this.#last = result.then(this.#ended, this.#ended)
    return isFree || signal === undefined ? result : abandonable(result, signal, () => !hasBegun)
  }

  readonly #ended = (): void => {
    this.#unfinished -= 1
  }
}

/**
 * The promise, or EINTR if the signal fires first while `mayLeave` allows that; what the promise stands for goes on.
 */
export function abandonable<T>(promise: Promise<T>, signal: AbortSignal, mayLeave = () => true): Promise<T> {
  if (signal.aborted && mayLeave()) {
    promise.catch(() => undefined)
    return Promise.reject(interrupted())
  }
  return new Promise((resolve, reject) => {
    const abandon = () => {
      if (mayLeave()) reject(interrupted())
    }
    signal.addEventListener('abort', abandon, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abandon))
  })
}

function interrupted(): FsError {
  return new FsError('EINTR', 'the calling program is being killed')
}
