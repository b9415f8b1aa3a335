import { abortedError, onAbort, throwIfAborted } from '../call.js'
import type { Signal } from '../call-signal.js'
import type { Priority, Urge } from '../object-store.js'

/** Gives a slot back; calling it again does nothing. */
export type Release = () => void

interface Waiter {
  readonly grant: (release: Release) => void
}

const BY_RANK: readonly Priority[] = ['demand', 'read-ahead', 'background']

/**
 * A number of slots for requests. Whoever waits is served by priority, then in order. `read-ahead` and `background`
 * together never hold the last slot, so that a `demand` finds one soon however much of them is under way (with one slot
 * in all there is none to spare). Those who wait are as many as there are calls: their callers bound them.
 */
export class Slots {
  readonly #concurrency: number
  readonly #maxPatient: number
  readonly #waiting: Readonly<Record<Priority, Set<Waiter>>> = {
    demand: new Set(),
    'read-ahead': new Set(),
    background: new Set(),
  }
  #taken = 0
  /** Those of `#taken` that are not for a demand. */
  #patient = 0

  constructor(concurrency: number) {
    this.#concurrency = concurrency
    this.#maxPatient = Math.max(1, concurrency - 1)
  }

  /** A slot that is free now and that nobody waits for who comes first. */
  tryAcquire(priority: Priority): Release | undefined {
    for (const rank of BY_RANK) {
      if (this.#waiting[rank].size > 0) return undefined
      if (rank === priority) break
    }
    return this.#isFreeFor(priority) ? this.#take(priority) : undefined
  }

  /**
   * Rejects with `aborted` at once when the signal fires before a slot is granted. Once it is urged it waits as
   * `demand`.
   */
  async acquire(priority: Priority, signal: Signal | undefined, operation: string, urged?: Urge): Promise<Release> {
    throwIfAborted(signal, operation)
    const rank = urged?.isUrged === true ? 'demand' : priority
    return this.tryAcquire(rank) ?? this.#wait(rank, signal, operation, urged)
  }

  #wait(priority: Priority, signal: Signal | undefined, operation: string, urged: Urge | undefined): Promise<Release> {
    return new Promise((resolve, reject) => {
      let queue = this.#waiting[priority]
      const leave = () => {
        queue.delete(waiter)
        forget()
        forgetUrged?.()
      }
      const waiter: Waiter = {
        grant: release => {
          leave()
          resolve(release)
        },
      }
      queue.add(waiter)
      const forget = onAbort(signal, () => {
        leave()
        if (signal !== undefined) reject(abortedError(signal, operation))
      })
      const forgetUrged = urged?.onUrge(() => {
        queue.delete(waiter)
        queue = this.#waiting.demand
        queue.add(waiter)
        this.#serve()
      })
    })
  }

  #isFreeFor(priority: Priority): boolean {
    return this.#taken < this.#concurrency && (priority === 'demand' || this.#patient < this.#maxPatient)
  }

  #take(priority: Priority): Release {
    const patient = priority === 'demand' ? 0 : 1
    this.#taken += 1
    this.#patient += patient
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#taken -= 1
      this.#patient -= patient
      this.#serve()
    }
  }

  #serve(): void {
    for (const rank of BY_RANK)
      for (const waiter of this.#waiting[rank]) {
        if (!this.#isFreeFor(rank)) break
        waiter.grant(this.#take(rank))
      }
  }
}
