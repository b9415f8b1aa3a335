import type { ObjectStore, ObjectVersion } from '../backend/object-store.js'
import type { BucketCallOptions, BucketServices } from './bucket-services.js'
import { type ObjectDetails, objectExists, objectInfo } from './info.js'
import { type BucketListOptions, type IterateOptions, iterateObjects, type Listing, listObjects } from './listing.js'

/**
 * A bucket, or the part of one below a prefix, by keys. Every method rejects with StoreError, also for what is wrong with
 * arguments (`invalid`) or files of the local disk (`not-found`, `denied`, ...), and takes an AbortSignal. Iterating it
 * gives all its objects in key order.
 */
export class Bucket implements AsyncIterable<ObjectVersion>, AsyncDisposable {
  readonly #services: BucketServices

  constructor(services: BucketServices) {
    this.#services = services
  }

  /** The URL that it was opened with. */
  get url(): string {
    return this.store.url
  }

  /** What lies below, for what has no call here. */
  get store(): ObjectStore {
    return this.#services.store
  }

  /** One listing of up to `maxKeys` objects and folders, which says whether there are more. */
  list(options: BucketListOptions = {}): Promise<Listing> {
    return listObjects(this.store, options)
  }

  /** All objects with a prefix in key order, fetched as they are asked for. */
  iterate(options: IterateOptions = {}): AsyncIterableIterator<ObjectVersion> {
    return iterateObjects(this.store, options)
  }

  [Symbol.asyncIterator](): AsyncIterator<ObjectVersion> {
    return this.iterate()
  }

  /** How many objects there are: lists all of them. */
  async size(options: IterateOptions = {}): Promise<number> {
    let count = 0
    for await (const _ of this.iterate(options)) count += 1
    return count
  }

  has(key: string, options: BucketCallOptions = {}): Promise<boolean> {
    return objectExists(this.store, key, options)
  }

  info(key: string, options: BucketCallOptions = {}): Promise<ObjectDetails> {
    return objectInfo(this.store, key, options)
  }

  /** Gives connections up. Whatever is still under way may fail. */
  close(): Promise<void> {
    return this.store.close()
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
