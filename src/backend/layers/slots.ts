import PQueue from 'p-queue'
import { abortedError, onAbort, throwIfAborted } from '../call.js'
import type { Priority } from '../object-store.js'

const RANK: Readonly<Record<Priority, number>> = { demand: 2, 'read-ahead': 1, background: 0 }

/** Gives a slot back; calling it again does nothing. */
export type Release = () => void

/**
 * A number of slots for requests. Whoever waits is served by priority, then in order. `read-ahead` and `background`
 * pass a gate of one slot less first, so that a `demand` finds a slot soon however much of them is under way (with one
 * slot in all there is none to spare). Those who wait are as many as there are calls: their callers bound them.
 */
export class Slots {
  readonly #all: PQueue
  readonly #patient: PQueue

  constructor(concurrency: number) {
    this.#all = new PQueue({ concurrency })
    this.#patient = new PQueue({ concurrency: Math.max(1, concurrency - 1) })
  }

  /** Rejects with `aborted` at once when the signal fires before a slot is granted. */
  async acquire(priority: Priority, signal: AbortSignal | undefined, operation: string): Promise<Release> {
    if (priority === 'demand') return enter(this.#all, priority, signal, operation)
    const leaveGate = await enter(this.#patient, priority, signal, operation)
    try {
      const release = await enter(this.#all, priority, signal, operation)
      return () => {
        release()
        leaveGate()
      }
    } catch (error) {
      leaveGate()
      throw error
    }
  }
}

/** The queue's task runs from the grant to the release. */
async function enter(
  queue: PQueue,
  priority: Priority,
  signal: AbortSignal | undefined,
  operation: string,
): Promise<Release> {
  throwIfAborted(signal, operation)
  const waiting = new AbortController()
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => waiting.abort())
    const hold = () =>
      new Promise<void>(release => {
        forget()
        resolve(release)
      })
    queue.add(hold, { priority: RANK[priority], signal: waiting.signal }).catch((error: unknown) => {
      reject(signal?.aborted === true ? abortedError(signal, operation) : error)
    })
  })
}
