import { keptAttachments } from '../attachments.js'
import { checkKey } from '../keys.js'
import { UploadLayer } from '../layers/upload-layer.js'
import type {
  Attachments,
  CallOptions,
  CompletedPart,
  CopyPartSource,
  ObjectInfo,
  Upload,
  WriteResult,
} from '../object-store.js'
import type { ForeignCopyPower, ForeignObject } from '../powers.js'
import { beginUpload } from '../upload-ends.js'
import { copyByParts } from './large-copy.js'
import { MAX_COPY_BYTES, MAX_METADATA_BYTES } from './limits.js'
import type { MultipartRequests } from './multipart-requests.js'
import type { ObjectRequests } from './requests.js'
import { wireAttachments } from './wire-fields.js'

interface ForeignServices {
  readonly bucket: string
  /** The same for all buckets that one server has, or knows of each other. */
  readonly provider: string
  readonly objects: ObjectRequests
  readonly multipart: MultipartRequests
}

type CreateUpload = (key: string, options: CallOptions & Attachments) => Promise<Upload>

/** Copies from other buckets of the same endpoint: by CopyObject, or by parts what is too large for it. */
export class ForeignCopies implements ForeignCopyPower {
  readonly #services: ForeignServices
  readonly #createUpload: CreateUpload

  constructor(services: ForeignServices, createUpload: CreateUpload) {
    this.#services = services
    this.#createUpload = createUpload
  }

  nameOf(info: ObjectInfo): ForeignObject {
    const { provider, bucket } = this.#services
    return { provider, bucket, info }
  }

  reaches({ provider }: ForeignObject): boolean {
    return provider === this.#services.provider
  }

  async copyFrom(
    { bucket, info }: ForeignObject,
    to: string,
    options: CallOptions & Attachments = {},
  ): Promise<WriteResult> {
    const { metadata, headers, signal, priority } = options
    checkKey(to, 'copy')
    if (info.sizeBytes > MAX_COPY_BYTES) {
      const kept = { metadata: metadata ?? info.metadata, headers: headers ?? info.headers }
      const upload = await beginUpload(to, signal, given => this.#createUpload(to, { ...kept, signal: given }))
      return copyByParts(info, new ForeignUpload(upload, bucket, this.#services.multipart), { signal, priority })
    }
    const isReplaced = metadata !== undefined || headers !== undefined
    const kept = isReplaced ? keptAttachments(options, MAX_METADATA_BYTES, 'copy', to) : undefined
    return this.#services.objects.copy(info.key, to, {
      sourceBucket: bucket,
      sourceIfMatch: info.etag,
      conditions: {},
      attachments: kept && wireAttachments(kept, 'copy', to),
      signal,
    })
  }
}

/** An upload whose parts come from another bucket. */
class ForeignUpload extends UploadLayer {
  readonly #bucket: string
  readonly #multipart: MultipartRequests

  constructor(inner: Upload, bucket: string, multipart: MultipartRequests) {
    super(inner)
    this.#bucket = bucket
    this.#multipart = multipart
  }

  override copyPart(number: number, source: CopyPartSource, options: CallOptions = {}): Promise<CompletedPart> {
    return this.#multipart.copyPart(this, number, source, options.signal, this.#bucket)
  }
}
