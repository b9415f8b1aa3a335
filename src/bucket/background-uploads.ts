import { basename } from 'node:path'
import type { BucketCallOptions, BucketServices } from './bucket-services.js'
import { type BucketPutOptions, type PutContent, type PutFileOptions, putContent, putFile } from './put.js'
import { UploadQueue } from './upload-queue.js'

/** Uploads that wait, at the most; a program that queues more waits for the store. */
const MAX_WAITING = 10_000

/** Of what waits in memory. */
const MAX_BYTES = 64 * 1024 * 1024

/** `bucket.queue`: uploads that a program need not wait for. */
export class BackgroundUploads {
  readonly #services: BucketServices
  readonly #queue: UploadQueue

  constructor(services: BucketServices) {
    const { settings, log } = services
    this.#services = services
    this.#queue = new UploadQueue({
      uploadsAtOnce: settings.objectsAtOnce,
      maxWaiting: MAX_WAITING,
      maxBytes: MAX_BYTES,
      log,
    })
  }

  /** Uploads that are queued or on their way. */
  get size(): number {
    return this.#queue.size
  }

  /**
   * As the bucket's `put`, later: resolves once it is queued, at once unless 10,000 uploads or 64 MiB are waiting.
   * What is given is stored as it is now, streams aside: those are read later and may not be touched until then.
   */
  put(key: string, content: PutContent, options: BucketPutOptions = {}): Promise<void> {
    const kept = asItIsNow(content)
    return this.#queue.add(key, sizeOf(kept), () => putContent(this.#services, key, kept, options))
  }

  /** As the bucket's `putFile`, later: the file is read when its turn comes. */
  putFile(path: string, key: string = basename(path), options: PutFileOptions = {}): Promise<void> {
    return this.#queue.add(key, 0, () => putFile(this.#services, path, key, options))
  }

  /** Waits for all that was queued. Rejects with UploadsError, which names all that failed since the last flush. */
  flush(options: BucketCallOptions = {}): Promise<void> {
    return this.#queue.flush(options)
  }
}

/** Text, Blobs and streams can't be changed, or not be copied. */
function asItIsNow(content: PutContent): PutContent {
  // Not `slice`, which for a Buffer shares its memory.
  if (content instanceof Uint8Array) return new Uint8Array(content)
  if (typeof content !== 'object' || content === null || content instanceof Blob) return content
  return Symbol.asyncIterator in content ? content : structuredClone(content)
}

function sizeOf(content: PutContent): number {
  if (typeof content === 'string') return content.length * 2
  return content instanceof Uint8Array || content instanceof ArrayBuffer ? content.byteLength : 0
}
