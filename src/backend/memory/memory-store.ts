import { copiedAttachments, keptAttachments } from '../attachments.js'
import { collectBody } from '../body.js'
import { throwIfAborted } from '../call.js'
import type { Signal } from '../call-signal.js'
import { checkConditions, checkVersion } from '../conditions.js'
import { looksLikeMd5, md5Hex } from '../etag.js'
import { fillSink } from '../fill-sink.js'
import { checkKey } from '../keys.js'
import type {
  Attachments,
  Body,
  ByteRange,
  CallOptions,
  Capabilities,
  CompletedPart,
  CopyOptions,
  DeleteEntry,
  DeleteResult,
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  ObjectTraits,
  PendingUpload,
  PrepareReadOptions,
  PutOptions,
  ReadPlan,
  ReadSink,
  TraitsOptions,
  Upload,
  WriteResult,
} from '../object-store.js'
import { checkRange, checkWholeRange, clampRange } from '../range.js'
import { isStoreError, StoreError } from '../store-error.js'
import { infoOf, MemoryBucket, type StoredObject } from './memory-bucket.js'
import { buckets } from './memory-buckets.js'
import { checkedGrants, memoryPowers } from './memory-powers.js'
import { completedPartsOf, MemoryUpload, uploadOf } from './memory-upload.js'

const CHUNK_BYTES = 256 * 1024
const GIB = 1024 ** 3

export interface MemoryStoreOptions {
  readonly nowMs?: (() => number) | undefined
  /** Default as S3: 5 MiB. */
  readonly minPartBytes?: number | undefined
  readonly newUploadId?: (() => string) | undefined
}

/** The store of `mem://name`: all stores of one name in a process share a bucket. */
export function openMemoryStore(name: string, options: MemoryStoreOptions = {}): MemoryStore {
  const bucket = buckets.get(name) ?? new MemoryBucket()
  buckets.set(name, bucket)
  return new MemoryStore(`mem://${name}`, bucket, options)
}

/** An object store in memory that keeps every rule of S3; bodies it hands out are views of what it holds. */
export class MemoryStore implements ObjectStore {
  readonly url: string
  readonly capabilities: Capabilities
  readonly #bucket: MemoryBucket
  readonly #nowMs: () => number
  readonly #newUploadId: () => string

  constructor(url: string, bucket: MemoryBucket = new MemoryBucket(), options: MemoryStoreOptions = {}) {
    this.url = url
    this.#bucket = bucket
    this.#nowMs = options.nowMs ?? Date.now
    this.#newUploadId = options.newUploadId ?? (() => crypto.randomUUID())
    this.capabilities = {
      conditions: { put: 'atomic', complete: 'atomic', copy: 'atomic', delete: 'atomic' },
      multipart: { minPartBytes: options.minPartBytes ?? 5 * 1024 ** 2, maxPartBytes: 5 * GIB, maxParts: 10_000 },
      copyPart: true,
      maxPutBytes: 5 * GIB,
      maxCopyBytes: 5 * GIB,
      maxMetadataBytes: 2048,
      keysMayNest: true,
      powers: memoryPowers(bucket, (key, operation, signal) => this.#find(key, operation, signal)),
    }
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo> {
    return infoOf(key, this.#find(key, 'head', options.signal))
  }

  async list(options: ListOptions = {}): Promise<ListPage> {
    throwIfAborted(options.signal, 'list')
    return this.#bucket.list(options)
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    const object = this.#find(key, 'get', options.signal)
    checkVersion(options.ifMatch, object.etag, 'get', key)
    const range = clampRange(options.range, object.bytes.byteLength, 'get', key)
    return { info: infoOf(key, object), body: chunksOf(object, range, key, options.signal) }
  }

  async prepareRead(key: string, range: ByteRange, options: PrepareReadOptions = {}): Promise<ReadPlan> {
    checkKey(key, 'prepareRead')
    checkRange(range, 'prepareRead', key)
    throwIfAborted(options.signal, 'prepareRead', key)
    const run = async (sink: ReadSink, signal?: Signal) => {
      const object = this.#find(key, 'get', signal)
      checkVersion(options.ifMatch, object.etag, 'get', key)
      checkWholeRange(range, object.bytes.byteLength, 'get', key)
      for await (const chunk of chunksOf(object, range, key, signal)) fillSink(sink, chunk)
      return infoOf(key, object)
    }
    return { key, range, run }
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<WriteResult> {
    checkKey(key, 'put')
    throwIfAborted(options.signal, 'put', key)
    const attachments = this.#kept(options, 'put', key)
    const bytes = await collectBody(body, 'put', key, options.signal)
    throwIfAborted(options.signal, 'put', key)
    checkConditions(options, this.#bucket.get(key)?.etag, 'put', key)
    return this.#store(key, { bytes, etag: md5Hex(bytes), ...attachments })
  }

  async createUpload(key: string, options: CallOptions & Attachments = {}): Promise<Upload> {
    checkKey(key, 'createUpload')
    throwIfAborted(options.signal, 'createUpload', key)
    const attachments = this.#kept(options, 'createUpload', key)
    const uploadId = this.#newUploadId()
    this.#bucket.uploads.set(uploadId, { key, startedMs: this.#nowMs(), parts: new Map(), ...attachments })
    return this.resumeUpload(key, uploadId)
  }

  resumeUpload(key: string, uploadId: string): Upload {
    const { multipart } = this.capabilities
    return new MemoryUpload(this.#bucket, key, uploadId, multipart, object => this.#store(key, object))
  }

  async listUploads(options: CallOptions & { readonly prefix?: string } = {}): Promise<readonly PendingUpload[]> {
    throwIfAborted(options.signal, 'listUploads')
    return [...this.#bucket.uploads]
      .filter(([, upload]) => upload.key.startsWith(options.prefix ?? ''))
      .map(([uploadId, { key, startedMs }]) => ({ key, uploadId, startedMs }))
  }

  async listParts(key: string, uploadId: string, options: CallOptions = {}): Promise<readonly CompletedPart[]> {
    throwIfAborted(options.signal, 'listParts', key)
    return completedPartsOf(uploadOf(this.#bucket, key, uploadId, 'listParts'))
  }

  /** What was given with the object: nothing here acts by it. In brief it tells as little as S3 does. */
  async traits(key: string, { brief, listed, only, signal }: TraitsOptions = {}): Promise<ObjectTraits> {
    const { grants, ...all } = this.#find(key, 'traits', signal).traits
    const others = brief === true ? { storageClass: listed?.storageClass } : all
    return givenTraits({ ...(only !== 'grants' && others), ...(only !== 'others' && { grants }) })
  }

  async copy(from: string, to: string, options: CopyOptions = {}): Promise<WriteResult> {
    checkKey(to, 'copy')
    const source = this.#find(from, 'copy', options.signal)
    checkVersion(options.sourceIfMatch, source.etag, 'copy', from)
    checkConditions(options, this.#bucket.get(to)?.etag, 'copy', to)
    const attachments = copiedAttachments(options, source, this.capabilities.maxMetadataBytes, 'copy', to)
    const etag = looksLikeMd5(source.etag) ? source.etag : md5Hex(source.bytes)
    const tags = options.traits?.tags ?? source.traits.tags
    const traits = { ...this.#traits(options, 'copy', to), ...(tags !== undefined && { tags }) }
    return this.#store(to, { bytes: source.bytes, etag, ...attachments, traits })
  }

  async delete(entries: readonly DeleteEntry[], options: CallOptions = {}): Promise<readonly DeleteResult[]> {
    throwIfAborted(options.signal, 'delete')
    return entries.map(entry => this.#delete(entry))
  }

  async close(): Promise<void> {}

  #delete({ key, ifMatch }: DeleteEntry): DeleteResult {
    try {
      checkKey(key, 'delete')
      const object = this.#bucket.get(key)
      if (object !== undefined) checkVersion(ifMatch, object.etag, 'delete', key)
      this.#bucket.delete(key)
      return { key }
    } catch (error) {
      if (isStoreError(error)) return { key, error }
      throw error
    }
  }

  #find(key: string, operation: string, signal: Signal | undefined): StoredObject {
    checkKey(key, operation)
    throwIfAborted(signal, operation, key)
    const object = this.#bucket.get(key)
    if (object === undefined)
      throw new StoreError('not-found', `${operation}: no such object`, { key, operation, code: 'NoSuchKey' })
    return object
  }

  #kept(options: Attachments, operation: string, key: string) {
    const attachments = keptAttachments(options, this.capabilities.maxMetadataBytes, operation, key)
    return { ...attachments, traits: this.#traits(options, operation, key) }
  }

  #traits({ traits, acl }: Attachments, operation: string, key: string): ObjectTraits {
    return givenTraits({ ...traits, ...(acl !== undefined && { grants: checkedGrants(acl, operation, key) }) })
  }

  #store(key: string, object: Omit<StoredObject, 'lastModifiedMs'>): WriteResult {
    const lastModifiedMs = this.#nowMs()
    this.#bucket.set(key, { ...object, lastModifiedMs })
    return { etag: object.etag, lastModifiedMs }
  }
}

/** Without what is undefined. */
function givenTraits(traits: ObjectTraits): ObjectTraits {
  return Object.fromEntries(Object.entries(traits).filter(([, value]) => value !== undefined))
}

async function* chunksOf(
  object: StoredObject,
  range: ByteRange,
  key: string,
  signal: Signal | undefined,
): AsyncGenerator<Uint8Array> {
  const end = range.offset + range.lengthBytes
  for (let at = range.offset; at < end; at += CHUNK_BYTES) {
    throwIfAborted(signal, 'get', key)
    yield object.bytes.subarray(at, Math.min(at + CHUNK_BYTES, end))
  }
}
