import type { Log } from '../backend/log.js'
import type { ObjectVersion } from '../backend/object-store.js'

/** A writer whose file consists in part of what other objects hold. */
export interface Borrower {
  /** Makes local what it has of the object of this key. */
  fetchFrom(key: string): Promise<void>
  /** The same bytes are found under another key or ETag. */
  sourceMoved(before: ObjectVersion, after: ObjectVersion): void
}

/**
 * Who needs bytes of which stored objects until the next commit: before this mount changes or removes such an object
 * its borrowers fetch what they need. Objects that others change are lost to them (ESTALE at their commit).
 */
export class Loans {
  readonly #borrowers = new Map<string, Set<Borrower>>()
  /** How many changes are under way of which keys. */
  readonly #changing = new Map<string, number>()
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  add(key: string, borrower: Borrower): void {
    const borrowers = this.#borrowers.get(key) ?? new Set()
    this.#borrowers.set(key, borrowers.add(borrower))
  }

  /** The borrower needs nothing of others any more. */
  end(borrower: Borrower): void {
    for (const [key, borrowers] of this.#borrowers) {
      borrowers.delete(borrower)
      if (borrowers.size === 0) this.#borrowers.delete(key)
    }
  }

  /** This mount has copied the object to another key, or given it another ETag. */
  moved(before: ObjectVersion, after: ObjectVersion): void {
    for (const borrower of [...(this.#borrowers.get(before.key) ?? [])]) {
      borrower.sourceMoved(before, after)
      this.add(after.key, borrower)
    }
  }

  /** All bytes below this prefix are about to move: as `settle`. */
  async settleBelow(prefix: string): Promise<void> {
    for (const key of [...this.#borrowers.keys()]) if (key.startsWith(prefix)) await this.settle(key)
  }

  /** The bytes of this key are about to change or to go: they are to be read, if at all. */
  isChanging(key: string): boolean {
    return this.#changing.has(key)
  }

  /**
   * Runs a task that changes or removes the bytes of this key, when its borrowers have what they need. Until it ends
   * nobody borrows them anew. Call it without a lock, as `settle`.
   */
  async whileChanging<T>(key: string, owner: Borrower | undefined, task: () => Promise<T>): Promise<T> {
    this.#changing.set(key, (this.#changing.get(key) ?? 0) + 1)
    try {
      if (this.#borrowers.has(key)) await this.settle(key, owner)
      return await task()
    } finally {
      const left = (this.#changing.get(key) ?? 1) - 1
      if (left > 0) this.#changing.set(key, left)
      else this.#changing.delete(key)
    }
  }

  /** The bytes of this key are about to change or to go. Call it without a lock: it waits for those of the borrowers. */
  async settle(key: string, owner?: Borrower): Promise<void> {
    for (const borrower of this.#borrowers.get(key) ?? []) {
      if (borrower === owner) continue
      try {
        await borrower.fetchFrom(key)
      } catch (error) {
        // Its own commit says so to who waits for that; the change of this object is not to fail for it.
        this.#log.warn('bytes of an object that is about to change could not be fetched for a copy', { key, error })
      }
    }
  }
}
