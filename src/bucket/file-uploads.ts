import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { allOrNone } from '../backend/in-parallel.js'
import type { Log } from '../backend/log.js'
import type {
  Attachments,
  Body,
  CompletedPart,
  ObjectStore,
  Upload,
  WriteConditions,
  WriteResult,
} from '../backend/object-store.js'
import { isStoreError, StoreError } from '../backend/store-error.js'
import { beginUpload, completeUpload, dropUpload } from '../backend/upload-ends.js'
import type { BucketServices } from './bucket-services.js'
import { type ClaimedRecord, UploadRecords } from './upload-records.js'

/** So long what was interrupted can be gone on with. */
const KEPT_FOR_MS = 7 * 24 * 60 * 60 * 1000

/** A file that is stored in parts of one size. */
export interface FileInParts {
  readonly key: string
  /** Tells the bytes, and all that is stored with them, from others (as JSON): what was begun of others is not gone on with. */
  readonly content: unknown
  readonly sizeBytes: number
  readonly partBytes: number
  /** Asked when an upload is begun. */
  readonly attachments: () => Promise<Attachments>
  /** A part by its number, from 1. `onBytes` is told of bytes as they go, with a negative number where a try is given up. */
  readonly part: (number: number, onBytes: (bytes: number) => void) => Body
  /** Whether a part that the store has is the one of this file. */
  readonly isStored: (part: CompletedPart) => boolean
  /** Rejects when the file has changed; asked before the object appears. */
  readonly checkUnchanged?: () => Promise<void>
}

export interface FileUploadOptions extends WriteConditions {
  readonly signal?: AbortSignal | undefined
  /** Told of bytes that the store has, with a negative number where they have to be sent again. */
  readonly onBytes: (bytes: number) => void
}

export interface FileUploadResult extends WriteResult {
  /** What an interrupted try had sent. */
  readonly resumedBytes: number
}

/** Uploads of files in parts, which are remembered: what is interrupted goes on where it stopped. */
export class FileUploads {
  readonly #store: ObjectStore
  readonly #records: UploadRecords
  readonly #partsAtOnce: number
  readonly #storedAs: string
  readonly #log: Log

  constructor({ store, settings, log }: BucketServices) {
    const { stateRoot, storeName, storedAs, uploadConcurrency } = settings
    this.#store = store
    this.#records = new UploadRecords(stateRoot === undefined ? undefined : join(stateRoot, 'uploads'), storeName, log)
    this.#partsAtOnce = uploadConcurrency
    this.#storedAs = storedAs
    this.#log = log
  }

  /**
   * Gives up uploads that nobody has worked on for a week: their parts cost room. Never rejects: what fails is tried another
   * time.
   */
  async dropOld(signal: AbortSignal | undefined, nowMs: number = Date.now()): Promise<void> {
    try {
      for await (const old of this.#records.unusedFor(KEPT_FOR_MS, nowMs))
        if (!old.isForeign) await this.#dropOld(old, signal)
    } catch (error) {
      this.#log.warn('old uploads could not be looked for', { error })
    }
  }

  async #dropOld(old: ClaimedRecord, signal: AbortSignal | undefined): Promise<void> {
    try {
      if (old.record !== undefined) await this.#resume(old.record).abort({ signal })
      old.forget()
    } catch (error) {
      this.#log.warn('an old upload could not be given up', { key: old.record?.key, error })
    }
  }

  /** The object appears with the last part or not at all. What can never be completed, or nobody would find, is dropped. */
  async send(file: FileInParts, options: FileUploadOptions): Promise<FileUploadResult> {
    const claimed = await this.#records.claim(file.key)
    try {
      const begun = await this.#resumed(file, claimed, options)
      if (begun !== undefined) {
        try {
          return await this.#through(file, begun, options, claimed)
        } catch (error) {
          // Somebody has ended it.
          if (!isStoreError(error, 'no-such-upload')) throw error
        }
      }
      return await this.#through(file, await this.#begun(file, claimed, options), options, claimed)
    } finally {
      await claimed?.close()
    }
  }

  /** The upload that was begun before, with the parts that hold what they should. */
  async #resumed(
    file: FileInParts,
    claimed: ClaimedRecord | undefined,
    { signal }: FileUploadOptions,
  ): Promise<Begun | undefined> {
    const record = claimed?.record
    if (claimed === undefined || record === undefined) return undefined
    const upload = this.#resume(record)
    const { sizeBytes, partBytes } = file
    try {
      if (
        record.content === this.#contentOf(file) &&
        record.sizeBytes === sizeBytes &&
        record.partBytes === partBytes
      ) {
        await claimed.touch()
        const stored = await this.#store.listParts(file.key, record.uploadId, { signal })
        return { upload, stored: stored.filter(part => file.isStored(part)) }
      }
      await upload.abort({ signal })
    } catch (error) {
      // Storing takes fewer rights than looking at what is stored of an upload, or giving it up.
      if (isStoreError(error, 'denied')) this.#log.warn('an upload can not go on', { key: file.key, error })
      else if (!isStoreError(error, 'no-such-upload')) throw error
    }
    claimed.forget()
    return undefined
  }

  async #begun(file: FileInParts, claimed: ClaimedRecord | undefined, { signal }: FileUploadOptions): Promise<Begun> {
    const { key, sizeBytes, partBytes } = file
    const attachments = await file.attachments()
    const upload = await beginUpload(key, signal, given =>
      this.#store.createUpload(key, { ...attachments, signal: given }),
    )
    await claimed?.save({ key, uploadId: upload.uploadId, partBytes, sizeBytes, content: this.#contentOf(file) })
    return { upload, stored: [] }
  }

  async #through(
    file: FileInParts,
    { upload, stored }: Begun,
    options: FileUploadOptions,
    claimed: ClaimedRecord | undefined,
  ): Promise<FileUploadResult> {
    const { signal, ifMatch, ifNoneMatch } = options
    const counted = new CountedBytes(options.onBytes)
    try {
      const parts = new Map(stored.map(part => [part.number, part]))
      for (const { sizeBytes } of stored) counted.add(sizeBytes)
      const resumedBytes = counted.bytes
      await allOrNone(missing(file, parts), this.#partsAtOnce, signal, async (number, given) => {
        const body = file.part(number, bytes => counted.add(bytes))
        parts.set(number, await upload.part(number, body, { signal: given }))
        await claimed?.touch()
      })
      await file.checkUnchanged?.()
      const complete = [...parts.values()].sort((a, b) => a.number - b.number)
      const result = await completeUpload(upload, complete, { signal, ifMatch, ifNoneMatch })
      claimed?.forget()
      return { ...result, resumedBytes }
    } catch (error) {
      counted.takeBack()
      if (!isLeft(error, claimed)) {
        if (await dropUpload(upload)) claimed?.forget()
      } else if (isStoreError(error, 'aborted')) throw interrupted(file.key, error)
      throw error
    }
  }

  #contentOf({ content }: FileInParts): string {
    return createHash('sha256')
      .update(JSON.stringify([this.#storedAs, content]))
      .digest('hex')
  }

  #resume({ key, uploadId }: { readonly key: string; readonly uploadId: string }): Upload {
    return this.#store.resumeUpload(key, uploadId)
  }
}

interface Begun {
  readonly upload: Upload
  /** Parts that the store has already, as they should be. */
  readonly stored: readonly CompletedPart[]
}

/** An upload is left as it is when it may be gone on with, or when its completion is in doubt: that may still be carried out. */
function isLeft(error: unknown, claimed: ClaimedRecord | undefined): boolean {
  if (isStoreError(error) && error.ambiguous && error.operation === 'complete') return true
  if (claimed?.record === undefined || isForGood(error)) return false
  return isStoreError(error, 'aborted', 'unavailable', 'throttled', 'denied')
}

/** The file has changed, or conditions do not hold; a request that failed of it may say so in its cause. */
function isForGood(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return isStoreError(error, 'precondition-failed', 'invalid') || isForGood(error.cause)
}

function interrupted(key: string, cause: StoreError): StoreError {
  const message = `${key}: the upload was interrupted; it goes on when it is asked for again`
  return new StoreError('aborted', message, { key, operation: 'put', code: 'Resumable', cause })
}

async function* missing(
  { sizeBytes, partBytes }: FileInParts,
  stored: ReadonlyMap<number, CompletedPart>,
): AsyncGenerator<number> {
  const count = Math.ceil(sizeBytes / partBytes)
  for (let number = 1; number <= count; number++) if (!stored.has(number)) yield number
}

/** What was told of a file's progress, to be taken back where it comes to nothing. */
class CountedBytes {
  readonly #onBytes: (bytes: number) => void
  #bytes = 0

  constructor(onBytes: (bytes: number) => void) {
    this.#onBytes = onBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  add(bytes: number): void {
    this.#bytes += bytes
    this.#onBytes(bytes)
  }

  takeBack(): void {
    this.add(-this.#bytes)
  }
}
