import type {
  Attachments,
  Body,
  CompletedPart,
  ObjectStore,
  Upload,
  WriteConditions,
  WriteResult,
} from '../backend/object-store.js'
import { abandonable } from './mutex.js'
import type { PartSizes } from './part-sizes.js'
import type { PartStream } from './part-stream.js'
import { bodyOf, fetchBase, type WrittenFile } from './pieces.js'
import type { StagingArea } from './staging.js'

export interface CommitterOptions {
  readonly store: ObjectStore
  readonly area: StagingArea
  readonly sizes: PartSizes
  readonly concurrency: number
  readonly nowMs: () => number
}

export interface CommitRequest {
  readonly key: string
  readonly file: WrittenFile
  /** Parts that are stored already. */
  readonly stream: PartStream | undefined
  readonly conditions: WriteConditions
  readonly attachments: Attachments
  /** Ends the commit while it only sends parts; what publishes the object is waited for all the same. */
  readonly signal: AbortSignal
}

/** Makes the object of what was written: one PUT up to the size of a part, a multipart upload beyond. */
export class Committer {
  readonly #options: CommitterOptions

  constructor(options: CommitterOptions) {
    this.#options = options
  }

  /**
   * All or nothing: when it rejects, the bucket holds what it held. What is kept beside the bytes is the stream's, where
   * there is one.
   */
  async commit(request: CommitRequest): Promise<WriteResult> {
    const { file, stream, key, conditions, attachments, signal } = request
    const { store, sizes } = this.#options
    if (stream === undefined && file.sizeBytes <= sizes.firstBytes)
      return store.put(key, await this.#body(request, 0, file.sizeBytes), { ...conditions, ...attachments })
    if (stream === undefined) return this.#commitUpload(request)
    await abandonable(stream.settle(), signal)
    const result = await this.#complete(await stream.upload(), stream.stored, request)
    await stream.end()
    return result
  }

  /** Stores what is kept beside the bytes anew, by a copy on the server. */
  replaceAttachments(
    version: { readonly key: string; readonly etag: string },
    attachments: Attachments,
  ): Promise<WriteResult> {
    const { key, etag } = version
    return this.#options.store.copy(key, key, { metadata: {}, ...attachments, sourceIfMatch: etag })
  }

  async #commitUpload(request: CommitRequest): Promise<WriteResult> {
    const { store, area, nowMs } = this.#options
    const upload = await store.createUpload(request.key, request.attachments)
    const forget = await area.recordUpload({ key: request.key, uploadId: upload.uploadId, startedMs: nowMs() })
    try {
      const result = await this.#complete(upload, new Map(), request)
      await forget()
      return result
    } catch (error) {
      // Should the abort fail too, the record stays and the upload is aborted later.
      await upload.abort({ priority: 'background' }).then(forget, () => undefined)
      throw error
    }
  }

  async #complete(
    upload: Upload,
    stored: ReadonlyMap<number, CompletedPart>,
    request: CommitRequest,
  ): Promise<WriteResult> {
    const { sizes, concurrency } = this.#options
    const { signal } = request
    const count = sizes.at(Math.max(0, request.file.sizeBytes - 1))
    const parts: CompletedPart[] = []
    let next = 1
    const work = async () => {
      while (next <= count && !signal.aborted) {
        const number = next++
        const start = sizes.startOf(number)
        const end = Math.min(start + sizes.sizeOf(number), request.file.sizeBytes)
        const known = stored.get(number)
        parts[number - 1] =
          known?.sizeBytes === end - start
            ? known
            : await upload.part(number, await this.#body(request, start, end, number), { signal })
      }
    }
    const workers = await Promise.allSettled(Array.from({ length: Math.min(concurrency, count) }, work))
    for (const worker of workers) if (worker.status === 'rejected') throw worker.reason
    signal.throwIfAborted()
    return upload.complete(parts, request.conditions)
  }

  async #body(request: CommitRequest, start: number, end: number, part?: number): Promise<Body> {
    const { file, stream } = request
    await fetchBase(this.#options.store, file, start, end)
    if (file.content.held.covers(start, end) && file.content.isInMemory) return file.content.read(start, end)
    const held = part === undefined ? undefined : stream?.heldBytes(part, end - start)
    return held ?? bodyOf(file, start, end)
  }
}
