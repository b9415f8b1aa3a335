import { StoreError } from '../../backend/store-error.js'
import type { BucketServices } from '../bucket-services.js'
import type { UpdateOptions } from './index-update.js'
import type { SearchIndex } from './search-index.js'
import type { SearchQuery, SearchResult } from './search-query.js'

export interface SearchOptions extends UpdateOptions {
  /**
   * Holds the bucket's index and nothing else. Default: the one that the bucket was opened with (`openBucket` gives it one
   * below the user's cache folder), or else a temporary folder until the bucket is closed.
   */
  readonly indexFolder?: string | undefined
  /** False: the index is asked as it is. Default: it is brought up to date before. */
  readonly update?: boolean | undefined
}

/** The index of one bucket, opened at the first use. */
export class BucketSearch {
  readonly #services: BucketServices
  /** By their folders; the empty name is the temporary one. Those that could not be opened are not kept. */
  readonly #indexes = new Map<string, Promise<SearchIndex>>()
  #isClosed = false

  constructor(services: BucketServices) {
    this.#services = services
  }

  async search(query: string | SearchQuery, options: SearchOptions = {}): Promise<SearchResult> {
    const index = await this.index(options)
    const { objectsAtOnce: concurrency } = this.#services.settings
    if (options.update !== false) await index.update({ concurrency, ...options })
    return index.search(typeof query === 'string' ? { words: query } : query)
  }

  index(options: Pick<SearchOptions, 'indexFolder'> = {}): Promise<SearchIndex> {
    if (this.#isClosed)
      return Promise.reject(new StoreError('aborted', 'the bucket is closed', { operation: 'search' }))
    const folder = options.indexFolder ?? this.#services.searchFolder
    const name = folder ?? ''
    const known = this.#indexes.get(name)
    if (known !== undefined) return known
    const opened = this.#open(folder)
    this.#indexes.set(name, opened)
    opened.catch(() => this.#indexes.delete(name))
    return opened
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const opened = await Promise.allSettled(this.#indexes.values())
    await Promise.all(opened.map(one => (one.status === 'fulfilled' ? one.value.close() : undefined)))
  }

  async #open(folder: string | undefined): Promise<SearchIndex> {
    const { SearchIndex } = await import('./search-index.js')
    const { store, log } = this.#services
    return SearchIndex.open(store, { folder, log })
  }
}
