import { lstat, readFile } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { looksLikeMd5 } from '../../backend/etag.js'
import type { Attachments, CompletedPart, ObjectStore, PutOptions } from '../../backend/object-store.js'
import { StoreError } from '../../backend/store-error.js'
import type { FileUploads } from '../file-uploads.js'
import { md5Of } from '../info.js'
import { type Fingerprint, fingerprintOf } from './fingerprint.js'
import { changedError, checkedSource } from './local-file.js'
import type { PartDigest } from './part-hasher.js'
import { partSizeFor } from './part-size.js'

/** Read at once and sent from memory. */
const SMALL_BYTES = 1024 * 1024

export interface SenderOptions {
  readonly store: ObjectStore
  readonly uploads: FileUploads
  readonly partSizeBytes: number
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
    else await this.#sendParts({ path, key, fingerprint: taken }, partBytes, parts, options)
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

  async #sendParts(
    { path, key, fingerprint }: FileToSend & { readonly fingerprint: Fingerprint },
    partBytes: number,
    parts: readonly PartDigest[],
    options: SendOptions,
  ): Promise<void> {
    const attachments = await this.#attachments(path, key, fingerprint)
    const file = {
      key,
      sizeBytes: fingerprint.sizeBytes,
      partBytes,
      content: ['sync', attachments],
      attachments: async () => attachments,
      part: (number: number, onBytes: (bytes: number) => void) => {
        const part = parts[number - 1]
        if (part === undefined) throw new StoreError('invalid', `there is no part ${number}`, { key })
        return checkedSource({ ...part, path }, key, onBytes)
      },
      isStored: (stored: CompletedPart) => isPartOf(stored, parts),
    }
    await this.#options.uploads.send(file, options)
  }
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
