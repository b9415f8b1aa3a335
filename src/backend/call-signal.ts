/** How a call is told that its answer is no longer wanted. */
export type Signal = AbortSignal | CallSignal

/**
 * What an AbortSignal and its controller are, for calls of which there are thousands: those cost 4 µs to make and as much
 * to be listened to.
 */
export class CallSignal {
  #isAborted = false
  #reason: unknown
  #listeners: Set<() => void> | undefined
  #controller: AbortController | undefined

  get aborted(): boolean {
    return this.#isAborted
  }

  get reason(): unknown {
    return this.#reason
  }

  /** The same for those who know no other; made when it is asked for. */
  get abortSignal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#isAborted) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  abort(reason: unknown): void {
    if (this.#isAborted) return
    this.#isAborted = true
    this.#reason = reason
    this.#controller?.abort(reason)
    const listeners = this.#listeners
    this.#listeners = undefined
    if (listeners !== undefined) tellAll(listeners)
  }

  throwIfAborted(): void {
    if (this.#isAborted) throw this.#reason
  }

  /** Calls `run` when it is aborted, not when it has been already; the answered function calls that off. */
  onAbort(run: () => void): () => void {
    this.#listeners ??= new Set()
    const listeners = this.#listeners
    listeners.add(run)
    return () => void listeners.delete(run)
  }
}

/**
 * Calls all listeners of a signal, those that others call off meanwhile left out. What one of them throws is a fault of
 * its own: the others hear all the same, and the caller gets the first of such faults then.
 */
export function tellAll(listeners: Iterable<() => void>): void {
  let fault: { readonly error: unknown } | undefined
  for (const run of listeners) {
    try {
      run()
    } catch (error) {
      fault ??= { error }
    }
  }
  if (fault !== undefined) throw fault.error
}

/** For who knows no other. */
export function abortSignalOf(signal: Signal | undefined): AbortSignal | undefined {
  return signal instanceof CallSignal ? signal.abortSignal : signal
}
