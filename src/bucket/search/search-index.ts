import { abortSignalOf } from '../../backend/call-signal.js'
import { type Log, SILENT } from '../../backend/log.js'
import type { ObjectStore } from '../../backend/object-store.js'
import { isDamage } from './engine.js'
import type { IndexFile } from './index-file.js'
import { IndexFolder, type OpenIndex } from './index-folder.js'
import { IndexUpdate, type UpdateOptions, type UpdateProgress } from './index-update.js'
import { findIn, type SearchQuery, type SearchResult } from './search-query.js'

export interface SearchIndexOptions {
  /**
   * Holds this bucket's index and nothing else; made where it is missing, for its user alone, since the index holds what
   * objects hold. Default: a temporary folder that `close` removes.
   */
  readonly folder?: string | undefined
  readonly log?: Log | undefined
  /** Milliseconds since 1970. */
  readonly nowMs?: (() => number) | undefined
}

/**
 * An index of the keys, metadata and texts of a bucket on the local disk. Several processes may use one folder: their
 * updates wait for each other, searches see what whole transactions have left. A folder may be removed at any time that
 * nobody uses it, and an index that was damaged is made anew. All methods reject with `StoreError`.
 */
export class SearchIndex implements AsyncDisposable {
  readonly #store: ObjectStore
  readonly #folder: IndexFolder
  readonly #log: Log
  readonly #nowMs: () => number
  readonly #ending = new AbortController()
  /** What `close` waits for. */
  readonly #running = new Set<Promise<unknown>>()
  /** Another one once it was found damaged; the one before is then closed. */
  #index: OpenIndex
  #replacing: Promise<void> | undefined

  private constructor(store: ObjectStore, folder: IndexFolder, index: OpenIndex, options: SearchIndexOptions) {
    this.#store = store
    this.#folder = folder
    this.#index = index
    this.#log = options.log ?? SILENT
    this.#nowMs = options.nowMs ?? Date.now
  }

  /** Rejects with `unsupported` where the engine, an optional package, is not installed. */
  static async open(store: ObjectStore, options: SearchIndexOptions = {}): Promise<SearchIndex> {
    const folder = await IndexFolder.open(options.folder, store.url)
    try {
      return new SearchIndex(store, folder, await folder.openIndex(), options)
    } catch (error) {
      await folder.close()
      throw error
    }
  }

  /** Brings the index up to date. The first time fetches every object of the bucket, later ones what has changed. */
  async update(options: UpdateOptions = {}): Promise<UpdateProgress> {
    return this.#run(abortSignalOf(options.signal), signal => this.#update({ ...options, signal }))
  }

  /** What the index says; it is as old as `updatedMs` tells, until `update` is called. */
  async search(query: SearchQuery): Promise<SearchResult> {
    return this.#run(undefined, () => this.#withFile(async file => findIn(file, query, this.#nowMs())))
  }

  /** Ends what is under way with kind `aborted`. */
  async close(): Promise<void> {
    this.#ending.abort()
    await Promise.allSettled(this.#running)
    this.#index.file.close()
    await this.#folder.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #update(options: UpdateOptions & { readonly signal: AbortSignal }): Promise<UpdateProgress> {
    const update = (file: IndexFile) => new IndexUpdate(this.#store, file, options, this.#nowMs).run()
    return this.#folder.whileUpdating(options.signal, () => this.#withFile(update))
  }

  /** Runs the step once more where the file turns out to be damaged, on another one. */
  async #withFile<T>(step: (file: IndexFile) => Promise<T>): Promise<T> {
    const index = this.#index
    try {
      return await step(index.file)
    } catch (error) {
      // One that was closed meanwhile was found damaged by another call.
      if (!isDamage(error) && index.file.isOpen) throw error
      this.#replacing ??= this.#replace(index, error).finally(() => {
        this.#replacing = undefined
      })
      await this.#replacing
      return step(this.#index.file)
    }
  }

  async #replace(index: OpenIndex, error: unknown): Promise<void> {
    if (index !== this.#index) return
    this.#log.warn('the search index was damaged and is made anew', { generation: index.generation, error })
    index.file.close()
    this.#index = await this.#folder.openIndex(index.generation)
  }

  async #run<T>(signal: AbortSignal | undefined, step: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal: ending } = this.#ending
    const running = step(signal === undefined ? ending : AbortSignal.any([signal, ending]))
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }
}
