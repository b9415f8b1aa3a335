import { StoreError } from '../../backend/store-error.js'

/**
 * What happens, or in a plan would happen, to one name: sent to the store, fetched from it, removed where it goes to, the
 * same on both sides, passed over (a symbolic link, a device, ...), or failed.
 */
export type SyncAction = 'send' | 'fetch' | 'remove' | 'same' | 'pass over' | 'fail'

export interface SyncEntry {
  readonly action: SyncAction
  readonly key: string
  /** The file on the local disk. */
  readonly path: string
  /** Of the source, or of what is removed. */
  readonly sizeBytes: number
  /** Why, in a few words: `new`, `size differs`, `content differs`, `not in the source`, or what failed. */
  readonly reason: string
  /** What failed. */
  readonly error?: StoreError | undefined
}

/** What a sync did, or with `dryRun` would do. */
export interface SyncResult {
  /** Files sent or fetched. */
  readonly transferred: number
  readonly transferredBytes: number
  readonly same: number
  readonly removed: number
  readonly passedOver: number
  /** Nothing of these was changed where they go to. */
  readonly failed: number
  /** Of the first of those that failed. */
  readonly failures: readonly SyncEntry[]
}

/** Failures that are kept with their reasons; all are counted, and told as they come. */
const MAX_KEPT_FAILURES = 1000

/** Some of a sync failed; all else was done. Its kind is that of the first failure. */
export class SyncError extends StoreError {
  readonly result: SyncResult

  constructor(result: SyncResult) {
    const [first] = result.failures
    const { failed, transferred, same } = result
    const of = `${failed} of ${failed + transferred + same} ${failed === 1 ? 'failed' : 'failed, the first'}`
    super(first?.error?.kind ?? 'unavailable', `${of}: ${first?.key ?? ''}: ${first?.reason ?? ''}`, {
      cause: first?.error,
      retryable: false,
    })
    this.result = result
  }
}

/** Counts what comes of a sync. */
export class SyncTally {
  #transferred = 0
  #transferredBytes = 0
  #same = 0
  #removed = 0
  #passedOver = 0
  #failed = 0
  readonly #failures: SyncEntry[] = []

  get failed(): number {
    return this.#failed
  }

  add(entry: SyncEntry): void {
    switch (entry.action) {
      case 'send':
      case 'fetch':
        this.#transferred += 1
        this.#transferredBytes += entry.sizeBytes
        return
      case 'remove':
        this.#removed += 1
        return
      case 'same':
        this.#same += 1
        return
      case 'pass over':
        this.#passedOver += 1
        return
      case 'fail':
        this.#failed += 1
        if (this.#failures.length < MAX_KEPT_FAILURES) this.#failures.push(entry)
    }
  }

  result(): SyncResult {
    return {
      transferred: this.#transferred,
      transferredBytes: this.#transferredBytes,
      same: this.#same,
      removed: this.#removed,
      passedOver: this.#passedOver,
      failed: this.#failed,
      failures: this.#failures,
    }
  }
}
