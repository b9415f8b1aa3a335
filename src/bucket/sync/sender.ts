import { lstat, readFile } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { looksLikeMd5 } from '../../backend/etag.js'
import { inParallel } from '../../backend/in-parallel.js'
import type { Log } from '../../backend/log.js'
import type { Attachments, CompletedPart, ObjectStore, PutOptions, Upload } from '../../backend/object-store.js'
import { isStoreError, StoreError } from '../../backend/store-error.js'
import { md5Of } from '../info.js'
import { type Fingerprint, fingerprintOf } from './fingerprint.js'
import { changedError, checkedSource, isChanged } from './local-file.js'
import type { PartDigest } from './part-hasher.js'
import { partSizeFor } from './part-size.js'
import type { UploadRecords } from './upload-records.js'

/** Read at once and sent from memory. */
const SMALL_BYTES = 1024 * 1024

const KEPT_FOR_MS = 7 * 24 * 60 * 60 * 1000

export interface SenderOptions {
  readonly store: ObjectStore
  readonly records: UploadRecords
  readonly log: Log
  readonly partSizeBytes: number
  /** Parts of one file under way at once. */
  readonly partsAtOnce: number
  /** Headers by the file's name and first bytes. */
  readonly attachmentsOf: (path: string, key: string) => Promise<Attachments>
}

export interface FileToSend {
  readonly path: string
  readonly key: string
  /** If it was taken already, with the parts of `partSizeFor`. */
  readonly fingerprint?: Fingerprint | undefined
}

export interface SendOptions {
  readonly signal?: AbortSignal | undefined
  /** Told of bytes that the store has, with a negative number where they have to be sent again. */
  readonly onBytes: (bytes: number) => void
}

/** Stores files as they were at one moment: a file that is changed meanwhile fails, and the object stays what it was. */
export class Sender {
  readonly #options: SenderOptions
  /** Objects that are stored in one piece have an ETag that is no MD5, as HEAD told: not asked again. */
  #etagsAreNoMd5 = false

  constructor(options: SenderOptions) {
    this.#options = options
  }

  /** Gives up uploads that nobody has gone on with for a week: their parts cost room. What fails is tried another time. */
  async dropOld(nowMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { store, records, log } = this.#options
    for await (const { key, uploadId } of records.olderThan(KEPT_FOR_MS, nowMs)) {
      try {
        await store.resumeUpload(key, uploadId).abort({ signal })
        await records.forget(key)
      } catch (error) {
        log.warn('an old upload could not be given up', { key, error })
      }
    }
  }

  /** The size that was sent. */
  async send({ path, key, fingerprint }: FileToSend, options: SendOptions): Promise<number> {
    const taken = fingerprint ?? (await this.#fingerprint(path, key, options.signal))
    const partBytes = partSizeFor(
      taken.sizeBytes,
      this.#options.partSizeBytes,
      this.#options.store.capabilities.multipart,
    )
    const parts = taken.parts.get(partBytes) ?? []
    const only = parts.length === 1 ? parts[0] : undefined
    if (only !== undefined) await this.#sendWhole(path, key, taken, only, options)
    else await this.#sendParts({ path, key, fingerprint: taken, partBytes, parts }, options)
    return taken.sizeBytes
  }

  async #fingerprint(path: string, key: string, signal: AbortSignal | undefined): Promise<Fingerprint> {
    const { store, partSizeBytes } = this.#options
    const sizeBytes = (await lstat(path)).size
    return fingerprintOf(path, key, {
      partSizes: [partSizeFor(sizeBytes, partSizeBytes, store.capabilities.multipart)],
      signal,
    })
  }

  async #attachments(path: string, key: string, { sha256 }: Fingerprint): Promise<Attachments> {
    const given = await this.#options.attachmentsOf(path, key)
    return { ...given, metadata: { ...given.metadata, sha256 } }
  }

  async #sendWhole(path: string, key: string, fingerprint: Fingerprint, part: PartDigest, options: SendOptions) {
    const { store } = this.#options
    const { signal, onBytes } = options
    const attachments = await this.#attachments(path, key, fingerprint)
    const counted = new CountedBytes(onBytes)
    const etag = await this.#put(path, key, part, { ...attachments, signal }, counted)
    if (etag === fingerprint.md5 || !looksLikeMd5(etag) || this.#etagsAreNoMd5) return
    const info = await store.head(key, { signal })
    if (info.etag !== etag) return
    if (md5Of(info) !== undefined) throw new StoreError('corrupt', 'the store has other bytes than were sent', { key })
    this.#etagsAreNoMd5 = true
  }

  async #put(path: string, key: string, part: PartDigest, options: PutOptions, counted: CountedBytes) {
    const { store } = this.#options
    try {
      if (part.sizeBytes > SMALL_BYTES) {
        const source = checkedSource({ ...part, path }, key, bytes => counted.add(bytes))
        return (await store.put(key, source, options)).etag
      }
      const bytes = await readFile(path)
      if (bytes.byteLength !== part.sizeBytes || crc32(bytes) !== part.crc32) throw changedError(path, key)
      const { etag } = await store.put(key, bytes, options)
      counted.add(bytes.byteLength)
      return etag
    } catch (error) {
      counted.takeBack()
      throw error
    }
  }

  async #sendParts(file: FileInParts, options: SendOptions): Promise<void> {
    try {
      await this.#throughUpload(file, await this.#upload(file, options), options)
    } catch (error) {
      if (!isStoreError(error, 'no-such-upload')) throw error
      // Somebody has ended it, or another process has gone on with the same one.
      await this.#options.records.forget(file.key)
      await this.#throughUpload(file, await this.#begin(file, options), options)
    }
    await this.#options.records.forget(file.key)
  }

  /** The upload that was begun before, with the parts that hold what they should; else a new one. */
  async #upload(file: FileInParts, options: SendOptions): Promise<Begun> {
    const { store, records } = this.#options
    const record = await records.load(file.key)
    if (record === undefined) return this.#begin(file, options)
    const upload = store.resumeUpload(file.key, record.uploadId)
    const { sha256, sizeBytes } = file.fingerprint
    if (record.sha256 !== sha256 || record.sizeBytes !== sizeBytes || record.partBytes !== file.partBytes) {
      await upload.abort({ signal: options.signal })
      return this.#begin(file, options)
    }
    const stored = await store.listParts(file.key, record.uploadId, { signal: options.signal })
    return { upload, done: stored.filter(part => isPartOf(part, file.parts)) }
  }

  async #begin(file: FileInParts, { signal }: SendOptions): Promise<Begun> {
    const { store, records } = this.#options
    const { path, key, fingerprint, partBytes } = file
    const upload = await store.createUpload(key, { ...(await this.#attachments(path, key, fingerprint)), signal })
    const { sha256, sizeBytes } = fingerprint
    await records.save({ key, uploadId: upload.uploadId, partBytes, sizeBytes, sha256 })
    return { upload, done: [] }
  }

  /** What was sent stays for the next try, unless it can never be completed or nobody would find it. */
  async #throughUpload(file: FileInParts, { upload, done }: Begun, options: SendOptions): Promise<void> {
    const counted = new CountedBytes(options.onBytes)
    try {
      const parts = new Map(done.map(part => [part.number, part]))
      for (const { sizeBytes } of done) counted.add(sizeBytes)
      await inParallel(missing(file.parts.length, parts), this.#options.partsAtOnce, async number => {
        parts.set(number, await this.#sendPart(file, upload, number, counted, options.signal))
      })
      const complete = [...parts.values()].sort((a, b) => a.number - b.number)
      await upload.complete(complete, { signal: options.signal })
    } catch (error) {
      counted.takeBack()
      if (isChanged(error) || (!this.#options.records.areKept && !mayBeDone(error))) {
        await upload.abort()
        await this.#options.records.forget(file.key)
      }
      throw error
    }
  }

  #sendPart(file: FileInParts, upload: Upload, number: number, counted: CountedBytes, signal: AbortSignal | undefined) {
    const { path, key, parts } = file
    const part = parts[number - 1]
    if (part === undefined) throw new StoreError('invalid', `there is no part ${number}`, { key })
    return upload.part(
      number,
      checkedSource({ ...part, path }, key, bytes => counted.add(bytes)),
      { signal },
    )
  }
}

interface FileInParts {
  readonly path: string
  readonly key: string
  readonly fingerprint: Fingerprint
  readonly partBytes: number
  readonly parts: readonly PartDigest[]
}

interface Begun {
  readonly upload: Upload
  /** Parts that the store has already, as they should be. */
  readonly done: readonly CompletedPart[]
}

/** A completion without an answer may have been carried out, or may still be. */
function mayBeDone(error: unknown): boolean {
  return isStoreError(error) && error.ambiguous
}

async function* missing(count: number, stored: ReadonlyMap<number, CompletedPart>): AsyncGenerator<number> {
  const numbers = Array.from({ length: count }, (_, index) => index + 1)
  yield* numbers.filter(number => !stored.has(number))
}

/** An ETag that is no MD5 proves nothing: such a part is sent again. */
function isPartOf(stored: CompletedPart, parts: readonly PartDigest[]): boolean {
  const part = parts[stored.number - 1]
  return part !== undefined && part.sizeBytes === stored.sizeBytes && part.md5 === stored.etag
}

/** What was told of a file's progress, to be taken back where it comes to nothing. */
class CountedBytes {
  readonly #onBytes: (bytes: number) => void
  #bytes = 0

  constructor(onBytes: (bytes: number) => void) {
    this.#onBytes = onBytes
  }

  add(bytes: number): void {
    this.#bytes += bytes
    this.#onBytes(bytes)
  }

  takeBack(): void {
    this.add(-this.#bytes)
  }
}
