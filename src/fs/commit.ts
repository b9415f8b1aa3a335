import { createHash } from 'node:crypto'
import { readBody } from '../backend/body.js'
import type { Signal } from '../backend/call-signal.js'
import { multipartEtag } from '../backend/etag.js'
import type {
  Attachments,
  Body,
  CompletedPart,
  ObjectStore,
  ObjectVersion,
  Upload,
  WriteConditions,
  WriteResult,
} from '../backend/object-store.js'
import type { PartSizes } from '../backend/part-sizes.js'
import { isStoreError } from '../backend/store-error.js'
import { type EarlyFetch, fetchEarly, fetchesBase, fetchRemote, sourceChanged } from './fetch-remote.js'
import type { Told } from './known-traits.js'
import { abandonable } from './mutex.js'
import { type PlanLimits, type PlannedPart, planParts } from './part-plan.js'
import type { PartStream } from './part-stream.js'
import { bodyOf, piecesOf, type WrittenFile } from './pieces.js'
import type { StagingArea } from './staging.js'
import type { SentObject } from './unanswered.js'

export interface CommitterOptions {
  readonly store: ObjectStore
  readonly area: StagingArea
  readonly sizes: PartSizes
  readonly concurrency: number
  readonly nowMs: () => number
  /** Smaller parts are not worth a request where a store would take them. Default 1 MiB, or the size of the first part. */
  readonly leastPartBytes?: number | undefined
}

export interface CommitRequest {
  readonly key: string
  readonly file: WrittenFile
  /** Parts that are stored already. */
  readonly stream: PartStream | undefined
  readonly conditions: WriteConditions
  /** Asked for once: with what a GET tells of the version that is edited, if the commit sends one. */
  readonly attachments: (told?: Told) => Promise<Attachments>
  /** Ends the commit while it only sends parts; what publishes the object is waited for all the same. */
  readonly signal: Signal
  /** Told, before the commit rejects, what may be stored all the same. */
  readonly unanswered?: (sent: SentObject) => void
}

/** A commit by a plan. What is kept beside the bytes may still be on its way: what the parts need is fetched meanwhile. */
interface PlannedCommit extends Omit<CommitRequest, 'attachments'> {
  readonly attachments: Promise<Attachments>
  readonly early: EarlyFetch | undefined
}

export interface Committed {
  readonly result: WriteResult
  /** What is kept beside the bytes: the stream's, where there is one. */
  readonly kept: Attachments
  /** The request's. */
  readonly wanted: Attachments
}

const LEAST_PART_BYTES = 1024 * 1024

/** Small enough that a server copies it well within a timeout, large enough for few requests. */
const COPY_PART_BYTES = 512 * 1024 * 1024

/** Makes the object of what was written: one PUT where that is cheapest, else an upload of new and copied parts. */
export class Committer {
  readonly #options: CommitterOptions

  constructor(options: CommitterOptions) {
    this.#options = options
  }

  /** No file can be larger. */
  get maxFileBytes(): number {
    const { maxPartBytes, maxParts } = this.#options.store.capabilities.multipart
    return Math.min(Number.MAX_SAFE_INTEGER, maxPartBytes * maxParts)
  }

  /** Ranges of other objects that are no smaller are worth a copy on the server; undefined where it makes none. */
  get minCopyBytes(): number | undefined {
    return this.#options.store.capabilities.copyPart ? this.#minPartBytes : undefined
  }

  /** All or nothing: when it rejects, the bucket holds what it held, or what `unanswered` was told of. */
  commit(request: CommitRequest): Promise<Committed> {
    const { stream } = request
    return stream === undefined ? this.#store(request) : this.#finish(request, stream)
  }

  async #finish(request: CommitRequest, stream: PartStream): Promise<Committed> {
    const { file } = request
    const attachments = request.attachments()
    const wanted = await attachments
    const planned = { ...request, attachments, early: undefined }
    const result = await this.#complete(stream.upload(), this.#streamedParts(file), planned)
    await stream.end()
    return { result, kept: stream.attachments, wanted }
  }

  async #store(request: CommitRequest): Promise<Committed> {
    const { file } = request
    const plan = this.#planOf(file)
    const whole: PlannedPart = { kind: 'send', start: 0, end: file.sizeBytes }
    const early = this.#fetchEarly(plan ?? [whole], file)
    const attachments = request.attachments(early?.told)
    // Whoever needs it hears of its failure; the commit may fail before that.
    attachments.catch(() => undefined)
    try {
      const planned = { ...request, attachments, early }
      const result = await (plan === undefined ? this.#put(planned) : this.#upload(plan, planned))
      const wanted = await attachments
      return { result, kept: wanted, wanted }
    } finally {
      // It writes into the file, which is the caller's again.
      await early?.done.catch(() => undefined)
    }
  }

  async #put(request: PlannedCommit): Promise<WriteResult> {
    const { file, key, conditions, attachments } = request
    const body = file.content.inMemory(0, file.sizeBytes) ?? (await this.#body(request, 0, file.sizeBytes))
    const kept = await attachments
    const put = this.#options.store.put(key, body, { ...conditions, ...kept })
    return this.#told(put, request, kept, async () => {
      const hash = createHash('md5')
      for await (const chunk of readBody(body, 'put', key)) hash.update(chunk)
      return hash.digest('hex')
    })
  }

  /** The result of what publishes the object; where nobody knows of one, what was sent is told. */
  #told(
    published: Promise<WriteResult>,
    { file, unanswered }: PlannedCommit,
    attachments: Attachments,
    etag: () => Promise<string | undefined>,
  ): Promise<WriteResult> {
    return published.catch(async (error: unknown) => {
      if (unanswered !== undefined && isStoreError(error) && error.ambiguous) {
        const { sizeBytes } = file
        unanswered({ sizeBytes, etag: await etag().catch(() => undefined), attachments })
      }
      throw error
    })
  }

  /** Begins with the first part that needs bytes of the version that is edited, since their GETs tell more than bytes. */
  #fetchEarly(plan: readonly PlannedPart[], file: WrittenFile): EarlyFetch | undefined {
    const part = plan.find(({ kind, start, end }) => kind === 'send' && fetchesBase(file, start, end))
    return part && fetchEarly(this.#options.store, file, part.start, part.end)
  }

  /** Makes a range of a file local. */
  fetch(file: WrittenFile, start: number, end: number): Promise<void> {
    return fetchRemote(this.#options.store, file, start, end)
  }

  /**
   * Stores what is kept beside the bytes anew, by a copy on the server. What others store while it copies, which takes long
   * for what is large, stays.
   */
  replaceAttachments({ key, etag, sizeBytes }: ObjectVersion, attachments: Attachments): Promise<WriteResult> {
    const conditions = { sourceIfMatch: etag, ifMatch: etag }
    return this.#options.store.copy(key, key, { metadata: {}, ...attachments, ...conditions, sizeBytes })
  }

  /** The parts of an upload; undefined where one PUT is to carry all. */
  #planOf(file: WrittenFile): readonly PlannedPart[] | undefined {
    if (file.sizeBytes <= this.#minPartBytes) return undefined
    const plan = planParts(piecesOf(file, 0, file.sizeBytes), this.#limits())
    return this.#isPut(file.sizeBytes, plan) ? undefined : plan
  }

  /** Two requests, and for small objects fewer bytes than the parts that an edit has to be filled up to. */
  #isPut(sizeBytes: number, plan: readonly PlannedPart[]): boolean {
    const largest = Math.max(this.#options.sizes.firstBytes, 2 * this.#minPartBytes)
    if (sizeBytes > Math.min(largest, this.#options.store.capabilities.maxPutBytes)) return false
    return plan.some(part => part.kind === 'send')
  }

  get #minPartBytes(): number {
    const least = this.#options.leastPartBytes ?? Math.min(LEAST_PART_BYTES, this.#options.sizes.firstBytes)
    return Math.max(least, this.#options.store.capabilities.multipart.minPartBytes)
  }

  #limits(): PlanLimits {
    const { copyPart, maxCopyBytes, multipart } = this.#options.store.capabilities
    return {
      ...multipart,
      minPartBytes: this.#minPartBytes,
      maxCopyBytes: copyPart ? Math.min(maxCopyBytes, multipart.maxPartBytes) : 0,
      sendBytes: Math.max(this.#minPartBytes, this.#options.sizes.firstBytes),
      copyBytes: COPY_PART_BYTES,
    }
  }

  /** The parts that a stream's numbers stand for. */
  #streamedParts({ sizeBytes }: WrittenFile): PlannedPart[] {
    const { sizes } = this.#options
    return Array.from({ length: sizes.at(Math.max(0, sizeBytes - 1)) }, (_, index) => {
      const start = sizes.startOf(index + 1)
      return { kind: 'send', start, end: Math.min(start + sizes.sizeOf(index + 1), sizeBytes) }
    })
  }

  async #upload(plan: readonly PlannedPart[], request: PlannedCommit): Promise<WriteResult> {
    const begun = this.#begin(request)
    try {
      const result = await this.#complete(
        begun.then(({ upload }) => upload),
        plan,
        request,
      )
      await (await begun).forget()
      return result
    } catch (error) {
      const { upload, forget } = await begun
      // Should the abort fail too, the record stays and the upload is aborted later.
      await upload.abort({ priority: 'background' }).then(forget, () => undefined)
      throw error
    }
  }

  async #begin({ key, attachments }: PlannedCommit): Promise<{ upload: Upload; forget: () => Promise<void> }> {
    const { store, area, nowMs } = this.#options
    const upload = await store.createUpload(key, await attachments)
    return { upload, forget: await area.recordUpload({ key, uploadId: upload.uploadId, startedMs: nowMs() }) }
  }

  /** `upload` may still be on its way: what the parts need is fetched meanwhile. */
  async #complete(upload: Promise<Upload>, plan: readonly PlannedPart[], request: PlannedCommit): Promise<WriteResult> {
    // The first part that needs it hears of its failure.
    upload.catch(() => undefined)
    const { signal } = request
    const parts: CompletedPart[] = []
    const left = plan.entries()
    let hasFailed = false
    const work = async () => {
      for (const [index, part] of left) {
        if (signal.aborted || hasFailed) return
        try {
          parts[index] = await this.#part(upload, index + 1, part, request)
        } catch (error) {
          hasFailed = true
          throw error
        }
      }
    }
    const count = Math.min(this.#options.concurrency, plan.length)
    const workers = await Promise.allSettled(Array.from({ length: count }, work))
    for (const worker of workers) if (worker.status === 'rejected') throw worker.reason
    signal.throwIfAborted()
    // Parts behind the end of the file, which was truncated.
    if (request.stream !== undefined) await abandonable(request.stream.settle(), signal)
    const kept = request.stream?.attachments ?? (await request.attachments)
    const completed = (await upload).complete(parts, request.conditions)
    return this.#told(completed, request, kept, async () => multipartEtag(parts.map(({ etag }) => etag)))
  }

  async #part(
    upload: Promise<Upload>,
    number: number,
    part: PlannedPart,
    request: PlannedCommit,
  ): Promise<CompletedPart> {
    const { stream, signal, file } = request
    const { start, end } = part
    if (part.kind === 'send') {
      if (stream !== undefined) await abandonable(stream.settled(number), signal)
      const known = stream?.stored.get(number)
      if (known?.sizeBytes === end - start) return known
      const body = await this.#body(request, start, end, number)
      return (await upload).part(number, body, { signal })
    }
    const { key } = part.version
    const range = { offset: part.offset, lengthBytes: end - start }
    const { etag } = part.version
    const isAskedAgain = key === request.key && etag === request.conditions.ifMatch
    const source = { key, range, sourceIfMatch: etag, isAskedAgain }
    try {
      return await (await upload).copyPart(number, source, { signal })
    } catch (error) {
      throw sourceChanged(error, part.version, file.base)
    }
  }

  async #body(request: PlannedCommit, start: number, end: number, part?: number): Promise<Body> {
    const { file, stream, early } = request
    if (early !== undefined && start < early.end && early.start < end) await early.done
    const inMemory = () => file.content.inMemory(start, end)
    if (inMemory() === undefined) await this.fetch(file, start, end)
    const bytes = inMemory()
    if (bytes !== undefined) return bytes
    const held = part === undefined ? undefined : stream?.heldBody(part, end - start)
    return held ?? bodyOf(file, start, end)
  }
}
