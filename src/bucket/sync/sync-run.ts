import PQueue from 'p-queue'
import { throwIfAborted } from '../../backend/call.js'
import { isStoreError, StoreError } from '../../backend/store-error.js'
import { localError } from '../local-file.js'
import { type FileProgress, ProgressCount } from './progress-count.js'
import { type SyncEntry, SyncError, type SyncResult, SyncTally } from './sync-entry.js'
import type { SyncOptions } from './sync-options.js'

/** One name of a plan. */
export type Step = SettledStep | WorkStep | RemovalStep

/** Nothing is to be done. */
export interface SettledStep {
  readonly kind: 'settled'
  readonly entry: SyncEntry
}

/** A file of the source: compared, and transferred where it differs. */
export interface WorkStep {
  readonly kind: 'work'
  readonly key: string
  readonly path: string
  readonly sizeBytes: number
  run(work: Work): Promise<SyncEntry>
}

/** The source lacks it. */
export interface RemovalStep {
  readonly kind: 'removal'
  readonly removal: Removal
}

export interface Removal {
  readonly key: string
  readonly path: string
  readonly sizeBytes: number
  readonly name: string
}

export interface Work {
  readonly progress: FileProgress
  readonly signal: AbortSignal
}

/** What is synced: a plan that can be made again, and a target that things can be removed from. */
export interface SyncTask<R extends Removal = Removal> {
  /** Throws where what the source holds is not known: nothing is removed then. */
  plan(signal: AbortSignal): AsyncIterable<SettledStep | WorkStep | (RemovalStep & { readonly removal: R })>
  /** What is wrong when the source holds nothing; `removes` where all of the target would go. */
  emptySource(removes: boolean): StoreError | undefined
  /** One entry for each, `remove`, `fail`, or `pass over` for what has come back meanwhile. */
  remove(removals: readonly R[], signal: AbortSignal): Promise<readonly SyncEntry[]>
}

/** Steps that wait for their turn. The plan is made no further ahead, which is how far totals are known. */
const LOOK_AHEAD = 10_000

/** Removals that are remembered until all else is done; for more of them the plan is made again. */
const MAX_REMOVALS = 100_000

const REMOVED_AT_ONCE = 1000

/** Carries a plan out: transfers side by side, then removals. Used once. */
export class SyncRun<R extends Removal> {
  readonly #task: SyncTask<R>
  readonly #options: SyncOptions
  readonly #queue: PQueue
  readonly #tally = new SyncTally()
  readonly #progress: ProgressCount
  readonly #stopped = new AbortController()
  readonly #signal: AbortSignal
  /** Why nothing more can be done: the store does not answer, or a bug. Set once, with `#stopped`. */
  #fatal: unknown
  #sources = 0

  constructor(task: SyncTask<R>, options: SyncOptions, filesAtOnce: number) {
    this.#task = task
    this.#options = options
    this.#queue = new PQueue({ concurrency: filesAtOnce })
    this.#progress = new ProgressCount(options.onProgress, options.onFileProgress)
    this.#signal =
      options.signal === undefined ? this.#stopped.signal : AbortSignal.any([options.signal, this.#stopped.signal])
  }

  /** Rejects with SyncError when some files failed, and with StoreError when the sync could not go on. */
  async run(): Promise<SyncResult> {
    throwIfAborted(this.#options.signal, 'sync')
    const { removals, areAll } = await this.#carryOut(true)
    this.#checkSource(removals.length > 0)
    if (this.#tally.failed === 0) await this.#removeAll(removals, areAll)
    const result = this.#tally.result()
    if (result.failed > 0) throw new SyncError(result)
    return result
  }

  /** One passage over the plan; without `works`, for the sake of its removals. */
  async #carryOut(works: boolean): Promise<{ readonly removals: readonly R[]; readonly areAll: boolean }> {
    const removals: R[] = []
    let areAll = true
    try {
      for await (const step of this.#task.plan(this.#signal)) {
        if (this.#signal.aborted) break
        if (step.kind === 'removal') {
          if (removals.length < MAX_REMOVALS) removals.push(step.removal)
          else areAll = false
        } else if (works) await this.#take(step)
      }
      this.#progress.allFound()
    } catch (error) {
      this.#stop(error)
    }
    await this.#queue.onIdle()
    if (this.#fatal !== undefined) throw this.#fatal
    throwIfAborted(this.#options.signal, 'sync')
    return { removals, areAll }
  }

  async #take(step: SettledStep | WorkStep): Promise<void> {
    if (step.kind === 'settled') {
      // A thing that can't be transferred is something that the source has.
      this.#sources += 1
      this.#settle(step.entry)
      return
    }
    this.#sources += 1
    this.#progress.found(step.sizeBytes)
    this.#queue.add(() => this.#work(step)).catch((error: unknown) => this.#stop(error))
    await this.#queue.onSizeLessThan(LOOK_AHEAD)
  }

  async #work(step: WorkStep): Promise<void> {
    if (this.#signal.aborted) return
    const { key, path, sizeBytes } = step
    const progress = this.#progress.begin(key, sizeBytes)
    try {
      const entry = await step.run({ progress, signal: this.#signal })
      if (entry.action === 'same') progress.leave()
      this.#settle(entry)
    } catch (error) {
      if (this.#signal.aborted) return
      // The store was waited for as long as any request is: all others would wait for it as long.
      if (isStoreError(error, 'unavailable') && error.retryable) this.#stop(error)
      else this.#settle(failedEntry(key, path, sizeBytes, error))
    }
  }

  #settle(entry: SyncEntry): void {
    this.#tally.add(entry)
    this.#options.onEntry?.(entry)
  }

  #stop(error: unknown): void {
    this.#fatal ??= error
    this.#stopped.abort()
  }

  #checkSource(removes: boolean): void {
    if (this.#sources > 0 || this.#options.allowEmptySource === true) return
    const error = this.#task.emptySource(removes)
    if (error !== undefined) throw error
  }

  async #removeAll(first: readonly R[], areAll: boolean): Promise<void> {
    if (this.#options.dryRun === true) return this.#tellRemovals(first, areAll)
    let round = { removals: first, areAll }
    for (;;) {
      let removed = 0
      for (let at = 0; at < round.removals.length; at += REMOVED_AT_ONCE) {
        const entries = await this.#task.remove(round.removals.slice(at, at + REMOVED_AT_ONCE), this.#signal)
        for (const entry of entries) {
          this.#settle(entry)
          if (entry.action === 'remove') removed += 1
        }
        throwIfAborted(this.#options.signal, 'sync')
      }
      if (round.areAll || removed === 0 || this.#tally.failed > 0) return
      round = await this.#carryOut(false)
    }
  }

  async #tellRemovals(removals: readonly R[], areAll: boolean): Promise<void> {
    for (const removal of removals) this.#settle(removalEntry(removal))
    if (areAll) return
    let toSkip = removals.length
    for await (const step of this.#task.plan(this.#signal))
      if (step.kind === 'removal' && toSkip-- <= 0) this.#settle(removalEntry(step.removal))
  }
}

/** What `emptySource` gives where everything would be removed. */
export function emptySourceError(source: string): StoreError {
  const message = `${source} holds nothing, and removing all that the target holds was not allowed`
  return new StoreError('invalid', message, { operation: 'sync', code: 'EmptySource' })
}

export function removalEntry({ key, path, sizeBytes }: Removal): SyncEntry {
  return { action: 'remove', key, path, sizeBytes, reason: 'not in the source' }
}

export function failedEntry(key: string, path: string, sizeBytes: number, error: unknown): SyncEntry {
  const failure = localError(error, path, 'sync')
  return { action: 'fail', key, path, sizeBytes, reason: failure.message, error: failure }
}
