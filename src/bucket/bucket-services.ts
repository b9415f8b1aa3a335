import type { Log } from '../backend/log.js'
import type { ObjectStore } from '../backend/object-store.js'
import type { DownloadMemory } from './download-memory.js'
import type { Formats } from './formats.js'

/** What every part of a Bucket works with. */
export interface BucketServices {
  /** With all its layers: prefix, retries, limits. */
  readonly store: ObjectStore
  readonly settings: BucketSettings
  /** How values become bytes and come back. */
  readonly formats: Formats
  readonly downloadMemory: DownloadMemory
  readonly log: Log
  /** Holds the bucket's search index and nothing else. Undefined: a temporary folder is used. */
  readonly searchFolder?: string | undefined
}

export interface BucketSettings {
  /** The size of the first parts of a large object; later ones grow so that 10,000 are enough. At least 5 MiB. */
  readonly partSizeBytes: number
  /** Parts of one object on their way at once. */
  readonly uploadConcurrency: number
  /** Objects of one call on their way at once. */
  readonly objectsAtOnce: number
  /** Tells the bucket apart from all others: by its URL and endpoint. */
  readonly storeName: string
  /** What the configuration says of how objects are stored, in a form that is compared only. */
  readonly storedAs: string
  /** Below which folder unfinished uploads are remembered; undefined: they are not, and are given up when they fail. */
  readonly stateRoot?: string | undefined
}

/** What every call takes. */
export interface BucketCallOptions {
  /** Ends the call, which then rejects with a StoreError of kind `aborted`. */
  readonly signal?: AbortSignal | undefined
}
