import type { BucketAdmin, BucketInfo, CreateBucketOptions } from '../backend/bucket-admin.js'
import type { ObjectStore } from '../backend/object-store.js'
import { isStoreError, StoreError } from '../backend/store-error.js'
import type { Bucket } from './bucket.js'
import type { BucketCallOptions } from './bucket-services.js'

export interface DeleteBucketOptions extends BucketCallOptions {
  /** Deletes all objects with all their versions and drops all unfinished uploads first. Default false: a bucket that is not empty stays. */
  readonly force?: boolean | undefined
}

/** How many keys one request deletes. */
const AT_ONCE = 1000

/** The buckets of an account, the stores in a folder, or those in this process's memory. Rejects with StoreError. */
export class Buckets implements AsyncIterable<BucketInfo>, AsyncDisposable {
  readonly #admin: BucketAdmin
  readonly #open: (name: string) => Promise<Bucket>
  readonly #isReadOnly: boolean

  constructor(admin: BucketAdmin, open: (name: string) => Promise<Bucket>, isReadOnly: boolean) {
    this.#admin = admin
    this.#open = open
    this.#isReadOnly = isReadOnly
  }

  /** Rejects with `exists` where there is one of this name, whoever has it. */
  async create(name: string, options: CreateBucketOptions = {}): Promise<void> {
    this.#checkWritable('createBucket')
    await this.#admin.create(name, options)
  }

  /** Rejects with `precondition-failed` while there is an object in it, and with `not-found` where there is no bucket. */
  async delete(name: string, { force = false, signal }: DeleteBucketOptions = {}): Promise<void> {
    this.#checkWritable('deleteBucket')
    if (force && (await this.#admin.exists(name, { signal }))) return this.#deleteWithAll(name, signal)
    await this.#admin.delete(name, { signal })
  }

  list(options: BucketCallOptions = {}): Promise<readonly BucketInfo[]> {
    return this.#admin.list(options)
  }

  async *[Symbol.asyncIterator](): AsyncIterator<BucketInfo> {
    yield* await this.list()
  }

  /** Rejects with `denied` where it is somebody else's. */
  has(name: string, options: BucketCallOptions = {}): Promise<boolean> {
    return this.#admin.exists(name, options)
  }

  /** Rejects with `denied` unless the credentials are known to the store, whatever they permit. */
  validateCredentials(options: BucketCallOptions = {}): Promise<void> {
    return this.#admin.validateCredentials(options)
  }

  /** The regions in which buckets can be; `unsupported` where none are known. */
  regions(): readonly string[] {
    return this.#admin.regions()
  }

  close(): Promise<void> {
    return this.#admin.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #deleteWithAll(name: string, signal: AbortSignal | undefined): Promise<void> {
    const bucket = await this.#open(name)
    try {
      await empty(bucket.store, signal)
      try {
        await this.#admin.delete(name, { signal })
      } catch (error) {
        // What is left is what only a bucket with versions keeps.
        const { versions } = bucket.store.capabilities.powers
        if (!isStoreError(error, 'precondition-failed') || versions === undefined) throw error
        while ((await versions.removeSome('', { signal })) > 0);
        await this.#admin.delete(name, { signal })
      }
    } finally {
      await bucket.close()
    }
  }

  #checkWritable(operation: string): void {
    if (this.#isReadOnly) throw new StoreError('denied', `${operation}: the store is opened read-only`, { operation })
  }
}

async function empty(store: ObjectStore, signal: AbortSignal | undefined): Promise<void> {
  for (const { key, uploadId } of await store.listUploads({ signal }))
    await store.resumeUpload(key, uploadId).abort({ signal })
  for (;;) {
    const { objects } = await store.list({ limit: AT_ONCE, signal })
    if (objects.length === 0) return
    const results = await store.delete(
      objects.map(({ key }) => ({ key })),
      { signal },
    )
    const failed = results.find(result => result.error !== undefined)
    if (failed?.error !== undefined) throw failed.error
  }
}
