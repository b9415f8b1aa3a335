import { collectBody } from '../body.js'
import { throwIfAborted } from '../call.js'
import { checkConditions, checkVersion } from '../conditions.js'
import { md5Hex, multipartEtag } from '../etag.js'
import { checkKey } from '../keys.js'
import type {
  Body,
  CallOptions,
  Capabilities,
  CompletedPart,
  CopyPartSource,
  Upload,
  WriteConditions,
  WriteResult,
} from '../object-store.js'
import { checkedParts, checkPartNumber } from '../part-list.js'
import { checkWholeRange } from '../range.js'
import { StoreError } from '../store-error.js'
import type { MemoryBucket, StoredObject, StoredUpload } from './memory-bucket.js'

/** An upload of a MemoryBucket, which holds its state; this is only the way to it. */
export class MemoryUpload implements Upload {
  readonly key: string
  readonly uploadId: string
  readonly #bucket: MemoryBucket
  readonly #limits: Capabilities['multipart']
  readonly #store: (object: Omit<StoredObject, 'lastModifiedMs'>) => WriteResult

  constructor(
    bucket: MemoryBucket,
    key: string,
    uploadId: string,
    limits: Capabilities['multipart'],
    store: (object: Omit<StoredObject, 'lastModifiedMs'>) => WriteResult,
  ) {
    this.#bucket = bucket
    this.key = key
    this.uploadId = uploadId
    this.#limits = limits
    this.#store = store
  }

  async part(number: number, body: Body, options: CallOptions = {}): Promise<CompletedPart> {
    checkPartNumber(number, this.#limits, 'part', this.key)
    throwIfAborted(options.signal, 'part', this.key)
    this.#upload('part')
    const bytes = await collectBody(body, 'part', this.key, options.signal)
    return this.#keep(number, bytes, 'part')
  }

  async copyPart(number: number, source: CopyPartSource, options: CallOptions = {}): Promise<CompletedPart> {
    checkPartNumber(number, this.#limits, 'copyPart', this.key)
    checkKey(source.key, 'copyPart')
    throwIfAborted(options.signal, 'copyPart', this.key)
    this.#upload('copyPart')
    const object = this.#bucket.get(source.key)
    if (object === undefined)
      throw new StoreError('not-found', 'copyPart: no such object', { key: source.key, operation: 'copyPart' })
    checkVersion(source.sourceIfMatch, object.etag, 'copyPart', source.key)
    const { offset, lengthBytes } = source.range
    checkWholeRange(source.range, object.bytes.byteLength, 'copyPart', source.key)
    return this.#keep(number, object.bytes.slice(offset, offset + lengthBytes), 'copyPart')
  }

  async complete(parts: readonly CompletedPart[], options: CallOptions & WriteConditions = {}): Promise<WriteResult> {
    throwIfAborted(options.signal, 'complete', this.key)
    const upload = this.#upload('complete')
    const stored = checkedParts(
      parts,
      number => {
        const part = upload.parts.get(number)
        return part && { ...part, sizeBytes: part.bytes.byteLength }
      },
      this.#limits,
      this.key,
    )
    checkConditions(options, this.#bucket.get(this.key)?.etag, 'complete', this.key)
    const bytes = Buffer.concat(stored.map(part => part.bytes))
    const etag = multipartEtag(stored.map(part => part.etag)) ?? md5Hex(bytes)
    this.#bucket.uploads.delete(this.uploadId)
    const { metadata, headers, traits } = upload
    return this.#store({ bytes, etag, metadata, headers, traits })
  }

  async abort(options: CallOptions = {}): Promise<void> {
    throwIfAborted(options.signal, 'abort', this.key)
    if (this.#bucket.uploads.get(this.uploadId)?.key === this.key) this.#bucket.uploads.delete(this.uploadId)
  }

  #upload(operation: string): StoredUpload {
    return uploadOf(this.#bucket, this.key, this.uploadId, operation)
  }

  /** The upload may have gone while the part's bytes came. */
  #keep(number: number, bytes: Uint8Array, operation: string): CompletedPart {
    const etag = md5Hex(bytes)
    this.#upload(operation).parts.set(number, { bytes, etag })
    return { number, etag, sizeBytes: bytes.byteLength }
  }
}

/** Throws `no-such-upload` where there is none of this id for this key. */
export function uploadOf(bucket: MemoryBucket, key: string, uploadId: string, operation: string): StoredUpload {
  const upload = bucket.uploads.get(uploadId)
  if (upload === undefined || upload.key !== key)
    throw new StoreError('no-such-upload', `${operation}: no such upload`, { key, operation, code: 'NoSuchUpload' })
  return upload
}

export function completedPartsOf(upload: StoredUpload): readonly CompletedPart[] {
  return [...upload.parts]
    .map(([number, { etag, bytes }]) => ({ number, etag, sizeBytes: bytes.byteLength }))
    .toSorted((a, b) => a.number - b.number)
}
