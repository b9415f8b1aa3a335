import { setMaxListeners } from 'node:events'
import { CallSignal, type Signal } from './call-signal.js'
import { StoreError } from './store-error.js'

/** Throws `aborted` when the caller's signal has fired. */
export function throwIfAborted(signal: Signal | undefined, operation: string, key?: string): void {
  if (signal?.aborted === true) throw abortedError(signal, operation, key)
}

/** What a call rejects with once its signal has fired. */
export function abortedError(signal: Signal, operation: string, key?: string): StoreError {
  return new StoreError('aborted', `${operation} was aborted`, {
    operation,
    cause: signal.reason,
    ...(key !== undefined && { key }),
  })
}

/** More listeners than so many on one signal make Node warn of a leak. */
const UNSUSPECTED_LISTENERS = 8

/** How many listeners signals have had so far. */
const listenersOf = new WeakMap<AbortSignal, number>()

/**
 * Calls `run` once when the signal fires, also when it has fired already; the answered function calls that off. One
 * signal may serve any number of calls at once, so Node's warning about many listeners is turned off for those that do:
 * not for each, since that takes longer than all else here.
 */
export function onAbort(signal: Signal | undefined, run: () => void): () => void {
  if (signal === undefined) return ignore
  if (signal.aborted) {
    run()
    return ignore
  }
  if (signal instanceof CallSignal) return signal.onAbort(run)
  const listeners = (listenersOf.get(signal) ?? 0) + 1
  listenersOf.set(signal, listeners)
  if (listeners === UNSUSPECTED_LISTENERS) setMaxListeners(0, signal)
  signal.addEventListener('abort', run, { once: true })
  return () => signal.removeEventListener('abort', run)
}

/** What the promise gives, or `aborted` at once when the signal fires, even if the promise never settles. */
export function unlessAborted<T>(
  promise: Promise<T>,
  signal: Signal | undefined,
  operation: string,
  key?: string,
): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => reject(abortedError(signal, operation, key)))
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

function ignore(): void {}
