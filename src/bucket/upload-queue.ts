import PQueue from 'p-queue'
import { unlessAborted } from '../backend/call.js'
import type { Log } from '../backend/log.js'
import { isStoreError, StoreError } from '../backend/store-error.js'
import type { BucketCallOptions } from './bucket-services.js'

/** An upload of the queue that failed. */
export interface FailedUpload {
  readonly key: string
  readonly error: unknown
}

/** Uploads of the queue failed. Its kind is that of the first failure. */
export class UploadsError extends StoreError {
  /** Each of them, up to 10,000. */
  readonly failures: readonly FailedUpload[]

  constructor(failures: readonly FailedUpload[], count: number) {
    const [first] = failures
    const named = failures.slice(0, MAX_NAMED).map(({ key, error }) => `${key}: ${messageOf(error)}`)
    const more = count > named.length ? `; and ${count - named.length} more` : ''
    super(
      isStoreError(first?.error) ? first.error.kind : 'unavailable',
      `${count} background ${count === 1 ? 'upload' : 'uploads'} failed: ${named.join('; ')}${more}`,
      { cause: first?.error, retryable: false },
    )
    this.failures = failures
  }
}

export interface UploadQueueOptions {
  readonly uploadsAtOnce: number
  /** Queued and not begun. */
  readonly maxWaiting: number
  /** Of bytes and text that wait or are on their way. */
  readonly maxBytes: number
  readonly log: Log
}

const MAX_NAMED = 20
const MAX_KEPT_FAILURES = 10_000

/**
 * Uploads behind a program's back, in the order of asking for each key. What fails is told to the log at once, and to the
 * next `flush`.
 */
export class UploadQueue {
  readonly #options: UploadQueueOptions
  readonly #queue: PQueue
  /** The last upload of each key that has one: a later one of the same key begins when it has ended. */
  readonly #lastOf = new Map<string, Promise<void>>()
  /** Those that wait for room, the first of them first. */
  #turn: Promise<void> = Promise.resolve()
  #bytes = 0
  #failures: FailedUpload[] = []
  #failed = 0
  #freed: () => void = () => {}

  constructor(options: UploadQueueOptions) {
    this.#options = options
    this.#queue = new PQueue({ concurrency: options.uploadsAtOnce })
  }

  /** Uploads that are queued or on their way. */
  get size(): number {
    return this.#queue.size + this.#queue.pending
  }

  /** Resolves once the upload is queued: at once, unless so much is waiting that the program has to. */
  add(key: string, sizeBytes: number, upload: () => Promise<unknown>): Promise<void> {
    const queued = this.#turn.then(async () => {
      await this.#room(sizeBytes)
      this.#start(key, sizeBytes, upload)
    })
    this.#turn = queued
    return queued
  }

  /** Waits for all that was queued. Rejects with UploadsError when some failed since the last flush. */
  async flush({ signal }: BucketCallOptions = {}): Promise<void> {
    await unlessAborted(
      this.#turn.then(() => this.#queue.onIdle()),
      signal,
      'flush',
    )
    if (this.#failed === 0) return
    const error = new UploadsError(this.#failures, this.#failed)
    this.#failures = []
    this.#failed = 0
    throw error
  }

  async #room(sizeBytes: number): Promise<void> {
    await this.#queue.onSizeLessThan(this.#options.maxWaiting)
    // One that is larger than the bound goes alone.
    while (this.#bytes > 0 && this.#bytes + sizeBytes > this.#options.maxBytes)
      await new Promise<void>(resolve => {
        this.#freed = resolve
      })
  }

  #start(key: string, sizeBytes: number, upload: () => Promise<unknown>): void {
    this.#bytes += sizeBytes
    const before = this.#lastOf.get(key)
    const done: Promise<void> = this.#queue
      .add(() => this.#run(key, sizeBytes, before, upload))
      .then(() => {
        if (this.#lastOf.get(key) === done) this.#lastOf.delete(key)
      })
    this.#lastOf.set(key, done)
  }

  /** Never rejects. */
  async #run(key: string, sizeBytes: number, before: Promise<void> | undefined, upload: () => Promise<unknown>) {
    await before
    try {
      await upload()
    } catch (error) {
      this.#failed += 1
      if (this.#failures.length < MAX_KEPT_FAILURES) this.#failures.push({ key, error })
      this.#options.log.error('a background upload failed', { key, error })
    } finally {
      this.#bytes -= sizeBytes
      this.#freed()
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
