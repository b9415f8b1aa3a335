import { keptAttachments } from '../attachments.js'
import type { Signal } from '../call-signal.js'
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
  TraitsOptions,
  Upload,
  WriteResult,
} from '../object-store.js'
import type { Powers } from '../powers.js'
import { checkRange } from '../range.js'
import { connect } from './client.js'
import { Conditions } from './conditions.js'
import { Copier } from './copier.js'
import { BulkDelete } from './delete-many.js'
import { ForeignCopies } from './foreign-copies.js'
import { type Knowledge, KnowledgeBase } from './knowledge.js'
import { MAX_COPY_BYTES, MAX_METADATA_BYTES, MAX_PUT_BYTES, MULTIPART_LIMITS } from './limits.js'
import { MultipartRequests } from './multipart-requests.js'
import type { S3Options } from './options.js'
import { PartSource } from './part-source.js'
import { EndpointProbe, ProbeObjects } from './probe.js'
import { RequestContext } from './request-context.js'
import type { Fields } from './request-head.js'
import { ObjectRequests } from './requests.js'
import { s3Powers } from './s3-powers.js'
import { S3Upload, type UploadServices } from './s3-upload.js'
import { TagProbe } from './tag-probe.js'
import { Tagging } from './tagging.js'
import { TraitRequests } from './trait-requests.js'
import { TraitsReader } from './traits-reader.js'
import { wireAcl, wireAttachments, wireTraits } from './wire-fields.js'

/** AWS documents conditional PUT, CompleteMultipartUpload, CopyObject and DeleteObject (S3 User Guide). */
const KNOWN_OF_AWS: Knowledge = {
  conditions: { put: 'atomic', complete: 'atomic', copy: 'atomic', delete: 'atomic' },
  bareIfMatch: false,
  partSourceTwiceDecoded: false,
  tags: 'counted',
  copiesKeepTags: true,
  uploadsKeepTags: true,
}

/** Opens a bucket. Sends nothing, except that AWS is asked for the bucket's region when no option names it. */
export async function openS3Store(bucket: string, options: S3Options = {}): Promise<ObjectStore> {
  const log = options.log ?? SILENT
  const connection = await connect(bucket, options)
  const { isAws, client, channel } = connection
  const context = new RequestContext(client, channel, bucket, options)
  const objects = new ObjectRequests(context)
  const multipart = new MultipartRequests(context)
  const traitRequests = new TraitRequests(context)
  const knowledge = isAws ? new KnowledgeBase(KNOWN_OF_AWS, log) : await KnowledgeBase.load(options.knowledge, log)
  const temporary = new ProbeObjects(objects, log)
  const probe = new EndpointProbe(objects, multipart, temporary)
  const conditions = new Conditions(objects, probe, knowledge, log)
  const partSource = new PartSource(probe, knowledge)
  const tagProbe = new TagProbe(objects, multipart, traitRequests, temporary)
  const tagging = new Tagging(traitRequests, tagProbe, knowledge, log)
  const traits = new TraitsReader({ objects, traitRequests, tagging, knowledge, log }, options)
  return new S3Store(bucket, {
    context,
    objects,
    multipart,
    conditions,
    partSource,
    tagging,
    traits,
    powers: s3Powers(context, connection),
    provider: isAws ? 'aws' : connection.place.hostField,
  })
}

interface Services extends UploadServices {
  readonly context: RequestContext
  readonly traits: TraitsReader
  readonly powers: Powers
  /** The same for all buckets among which the server copies. */
  readonly provider: string
}

class S3Store implements ObjectStore {
  readonly url: string
  readonly capabilities: Capabilities
  readonly #services: Services
  readonly #bulkDelete: BulkDelete
  readonly #copier: Copier

  constructor(bucket: string, services: Services) {
    this.url = `s3://${bucket}`
    this.#services = services
    this.#bulkDelete = new BulkDelete(services.objects, services.conditions)
    this.#copier = new Copier(services, (key, given) => this.createUpload(key, given))
    this.capabilities = {
      conditions: services.conditions.support,
      multipart: MULTIPART_LIMITS,
      copyPart: true,
      maxPutBytes: MAX_PUT_BYTES,
      maxCopyBytes: MAX_COPY_BYTES,
      maxMetadataBytes: MAX_METADATA_BYTES,
      keysMayNest: true,
      powers: { ...services.powers, foreignCopy: this.#foreignCopies(bucket) },
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
    // Its turn may come when credentials and the time of a signature made now are no longer good.
    const run = (sink: ReadSink, signal?: Signal) => objects.getInto(key, range, options.ifMatch, sink, signal)
    return { key, range, run }
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<WriteResult> {
    checkKey(key, 'put')
    const { conditions, objects } = this.#services
    const given = wireGiven(options, 'put', key)
    const wire = conditions.apply('put', key, options, options)
    return await objects.put(key, body, wire instanceof Promise ? await wire : wire, given, options.signal)
  }

  async createUpload(key: string, options: CallOptions & Attachments = {}): Promise<Upload> {
    checkKey(key, 'createUpload')
    const { multipart, tagging } = this.#services
    const owedTags = await tagging.owedAfterUpload(key, options.traits?.tags, options.signal)
    const traits = owedTags === undefined ? options.traits : { ...options.traits, tags: undefined }
    const uploadId = await multipart.create(key, wireGiven({ ...options, traits }, 'createUpload', key), options.signal)
    return new S3Upload(this.#services, key, uploadId, owedTags)
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

  async traits(key: string, options: TraitsOptions = {}): Promise<ObjectTraits> {
    checkKey(key, 'traits')
    return this.#services.traits.read(key, options)
  }

  #foreignCopies(bucket: string): ForeignCopies {
    const { provider, objects, multipart } = this.#services
    return new ForeignCopies({ bucket, provider, objects, multipart }, (key, given) => this.createUpload(key, given))
  }

  async copy(from: string, to: string, options: CopyOptions = {}): Promise<WriteResult> {
    checkKey(from, 'copy')
    checkKey(to, 'copy')
    return this.#copier.run(from, to, options)
  }

  delete(entries: readonly DeleteEntry[], options: CallOptions = {}): Promise<readonly DeleteResult[]> {
    return this.#bulkDelete.run(entries, options)
  }

  async close(): Promise<void> {
    this.#services.context.close()
  }
}

function wireGiven(given: Attachments, operation: string, key: string): Fields {
  const kept = keptAttachments(given, MAX_METADATA_BYTES, operation, key)
  return { ...wireAttachments(kept, operation, key), ...wireTraits(given.traits), ...wireAcl(given.acl) }
}
