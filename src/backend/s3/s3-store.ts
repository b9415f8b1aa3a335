import { keptAttachments } from '../attachments.js'
import { fillSink } from '../fill-sink.js'
import { checkKey } from '../keys.js'
import { SILENT } from '../log.js'
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
  Upload,
  WriteResult,
} from '../object-store.js'
import { checkRange } from '../range.js'
import { isStoreError, StoreError } from '../store-error.js'
import { connect } from './client.js'
import { Conditions } from './conditions.js'
import { BulkDelete } from './delete-many.js'
import { type Knowledge, KnowledgeBase } from './knowledge.js'
import { copyByParts } from './large-copy.js'
import { MAX_COPY_BYTES, MAX_METADATA_BYTES, MAX_PUT_BYTES, MULTIPART_LIMITS } from './limits.js'
import { MultipartRequests } from './multipart-requests.js'
import type { S3Options } from './options.js'
import { PartSource } from './part-source.js'
import { EndpointProbe } from './probe.js'
import { RequestContext } from './request-context.js'
import { ObjectRequests } from './requests.js'
import { S3Upload, type UploadServices } from './s3-upload.js'
import { sharedFields, type WireAttachments, wireAttachments } from './wire-fields.js'

/** AWS documents conditional PUT, CompleteMultipartUpload, CopyObject and DeleteObject (S3 User Guide). */
const KNOWN_OF_AWS: Knowledge = {
  conditions: { put: 'atomic', complete: 'atomic', copy: 'atomic', delete: 'atomic' },
  bareIfMatch: false,
  partSourceTwiceDecoded: false,
}

/** Opens a bucket. Sends nothing, except that AWS is asked for the bucket's region when no option names it. */
export async function openS3Store(bucket: string, options: S3Options = {}): Promise<ObjectStore> {
  const log = options.log ?? SILENT
  const shared = sharedFields(options)
  const { client, isAws } = await connect(bucket, options)
  const context = new RequestContext(client, bucket, shared, options.signPayload === true)
  const objects = new ObjectRequests(context)
  const multipart = new MultipartRequests(context)
  const knowledge = isAws ? new KnowledgeBase(KNOWN_OF_AWS, log) : await KnowledgeBase.load(options.knowledge, log)
  const probe = new EndpointProbe(objects, multipart, log)
  const conditions = new Conditions(objects, probe, knowledge, log)
  const partSource = new PartSource(probe, knowledge)
  return new S3Store(bucket, { context, objects, multipart, conditions, partSource })
}

interface Services extends UploadServices {
  readonly context: RequestContext
}

class S3Store implements ObjectStore {
  readonly url: string
  readonly capabilities: Capabilities
  readonly #services: Services
  readonly #bulkDelete: BulkDelete

  constructor(bucket: string, services: Services) {
    this.url = `s3://${bucket}`
    this.#services = services
    this.#bulkDelete = new BulkDelete(services.objects, services.conditions)
    this.capabilities = {
      conditions: services.conditions.support,
      multipart: MULTIPART_LIMITS,
      copyPart: true,
      maxPutBytes: MAX_PUT_BYTES,
      maxCopyBytes: MAX_COPY_BYTES,
      maxMetadataBytes: MAX_METADATA_BYTES,
      keysMayNest: true,
    }
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo> {
    checkKey(key, 'head')
    return this.#services.objects.head(key, options.signal)
  }

  async list(options: ListOptions = {}): Promise<ListPage> {
    return this.#services.objects.list(options)
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    checkKey(key, 'get')
    if (options.range !== undefined) checkRange(options.range, 'get', key)
    return this.#services.objects.get(key, options)
  }

  async prepareRead(key: string, range: ByteRange, options: PrepareReadOptions = {}): Promise<ReadPlan> {
    checkKey(key, 'prepareRead')
    checkRange(range, 'prepareRead', key)
    const { objects } = this.#services
    const run = async (sink: ReadSink, signal?: AbortSignal) => {
      const { info, body } = await objects.get(key, { range, ifMatch: options.ifMatch, whole: true, signal })
      for await (const chunk of body) fillSink(sink, chunk)
      return info
    }
    return { key, range, run }
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<WriteResult> {
    checkKey(key, 'put')
    const { conditions, objects } = this.#services
    const attachments = this.#attachments(options, 'put', key)
    const wire = await conditions.apply('put', key, options, options)
    return objects.put(key, body, wire, attachments, options.signal)
  }

  async createUpload(key: string, options: CallOptions & Attachments = {}): Promise<Upload> {
    checkKey(key, 'createUpload')
    const attachments = this.#attachments(options, 'createUpload', key)
    return this.resumeUpload(key, await this.#services.multipart.create(key, attachments, options.signal))
  }

  resumeUpload(key: string, uploadId: string): Upload {
    return new S3Upload(this.#services, key, uploadId)
  }

  listUploads(options: CallOptions & { readonly prefix?: string } = {}): Promise<readonly PendingUpload[]> {
    return this.#services.multipart.list(options.prefix, options.signal)
  }

  listParts(key: string, uploadId: string, options: CallOptions = {}): Promise<readonly CompletedPart[]> {
    return this.#services.multipart.listParts({ key, uploadId }, options.signal)
  }

  async traits(): Promise<ObjectTraits> {
    return {}
  }

  async copy(from: string, to: string, options: CopyOptions = {}): Promise<WriteResult> {
    checkKey(from, 'copy')
    checkKey(to, 'copy')
    const replaced = options.metadata !== undefined || options.headers !== undefined
    const attachments = replaced ? this.#attachments(options, 'copy', to) : undefined
    const { conditions, objects } = this.#services
    const sourceIfMatch = await conditions.applyToSource(from, options.sourceIfMatch, to, options)
    const wire = await conditions.apply('copy', to, options, options)
    try {
      return await objects.copy(from, to, { conditions: wire, sourceIfMatch, attachments, signal: options.signal })
    } catch (error) {
      return this.#settleCopy(error, from, to, options)
    }
  }

  delete(entries: readonly DeleteEntry[], options: CallOptions = {}): Promise<readonly DeleteResult[]> {
    return this.#bulkDelete.run(entries, options)
  }

  async close(): Promise<void> {
    this.#services.context.close()
  }

  /**
   * Two answers to CopyObject can mean two things. A missing key is the source's, unless a condition on the target was
   * given and the source exists; a request that is refused as such may have too large a source.
   */
  async #settleCopy(error: unknown, from: string, to: string, options: CopyOptions): Promise<WriteResult> {
    const missing = isStoreError(error, 'not-found') && options.ifMatch !== undefined
    const refused =
      isStoreError(error, 'invalid') && (error.code === 'InvalidRequest' || error.code === 'EntityTooLarge')
    if (!missing && !refused) throw error
    const source = await this.head(from, options)
    if (missing)
      throw new StoreError('precondition-failed', 'copy: there is no object to be replaced', { cause: error, key: to })
    if (source.sizeBytes <= MAX_COPY_BYTES) throw error
    if (options.sourceIfMatch !== undefined && options.sourceIfMatch !== source.etag)
      throw new StoreError('precondition-failed', 'copy: the source is another version', { key: from })
    const replaced = options.metadata !== undefined || options.headers !== undefined
    const { metadata, headers } = replaced ? options : source
    const upload = await this.createUpload(to, { metadata, headers, signal: options.signal })
    return copyByParts(source, upload, options, { signal: options.signal, priority: options.priority })
  }

  #attachments(given: Attachments, operation: string, key: string): WireAttachments {
    return wireAttachments(keptAttachments(given, MAX_METADATA_BYTES, operation, key), operation, key)
  }
}
