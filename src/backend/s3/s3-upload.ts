import type {
  Body,
  CallOptions,
  CompletedPart,
  CopyPartSource,
  Upload,
  WriteConditions,
  WriteResult,
} from '../object-store.js'
import { checkPartNumber } from '../part-list.js'
import { checkRange } from '../range.js'
import { isStoreError, StoreError } from '../store-error.js'
import type { Conditions } from './conditions.js'
import { MULTIPART_LIMITS } from './limits.js'
import type { MultipartRequests } from './multipart-requests.js'
import type { PartSource } from './part-source.js'
import type { ObjectRequests, WireConditions } from './requests.js'
import type { Tagging } from './tagging.js'
import type { Tags } from './trait-requests.js'

export interface UploadServices {
  readonly objects: ObjectRequests
  readonly multipart: MultipartRequests
  readonly conditions: Conditions
  readonly partSource: PartSource
  readonly tagging: Tagging
}

/** One multipart upload; it holds nothing but its name, and the tags of its object where the server loses an upload's. */
export class S3Upload implements Upload {
  readonly key: string
  readonly uploadId: string
  readonly #services: UploadServices
  readonly #owedTags: Tags | undefined

  constructor(services: UploadServices, key: string, uploadId: string, owedTags?: Tags) {
    this.#services = services
    this.#owedTags = owedTags
    this.key = key
    this.uploadId = uploadId
  }

  async part(number: number, body: Body, options: CallOptions = {}): Promise<CompletedPart> {
    checkPartNumber(number, MULTIPART_LIMITS, 'part', this.key)
    return this.#services.multipart.part(this, number, body, options.signal)
  }

  async copyPart(number: number, source: CopyPartSource, options: CallOptions = {}): Promise<CompletedPart> {
    checkPartNumber(number, MULTIPART_LIMITS, 'copyPart', this.key)
    checkRange(source.range, 'copyPart', source.key)
    const { conditions, partSource } = this.#services
    const key = await partSource.keyFor(source.key, this.key, options.signal)
    const named = { ...source, key }
    if (source.isAskedAgain === true) return this.#copyUnasked(number, named, source, options)
    const sourceIfMatch = await conditions.applyToSource(source.key, source.sourceIfMatch, this.key, options)
    return this.#copyPart(number, { ...named, sourceIfMatch }, options)
  }

  /**
   * A HEAD before every part, in place of a real condition, tells nothing that the one before Complete does not. How the
   * server keeps it is found out when it seems not to hold: it may want it in another form.
   */
  async #copyUnasked(number: number, named: CopyPartSource, source: CopyPartSource, options: CallOptions) {
    const { conditions } = this.#services
    const support = conditions.support.copy
    if (support === 'checked') return this.#copyPart(number, { ...named, sourceIfMatch: undefined }, options)
    try {
      return await this.#copyPart(number, named, options)
    } catch (error) {
      const isInDoubt = support === 'unknown' && isStoreError(error, 'precondition-failed', 'unsupported', 'invalid')
      if (!isInDoubt) throw error
      const sourceIfMatch = await conditions.applyToSource(source.key, source.sourceIfMatch, this.key, options)
      return this.#copyPart(number, { ...named, sourceIfMatch }, options)
    }
  }

  #copyPart(number: number, source: CopyPartSource, { signal }: CallOptions): Promise<CompletedPart> {
    return this.#services.multipart.copyPart(this, number, source, signal)
  }

  async complete(parts: readonly CompletedPart[], options: CallOptions & WriteConditions = {}): Promise<WriteResult> {
    const { conditions, tagging } = this.#services
    if (parts.length === 0)
      throw new StoreError('invalid', 'complete: no parts', { key: this.key, operation: 'complete' })
    const wire = await conditions.apply('complete', this.key, options, options)
    const result = await this.#complete(parts, wire, options)
    if (this.#owedTags !== undefined) await tagging.putBack(this.key, this.#owedTags, 'complete', options.signal)
    return result
  }

  async #complete(parts: readonly CompletedPart[], wire: WireConditions, options: CallOptions): Promise<WriteResult> {
    const { multipart } = this.#services
    try {
      const result = await multipart.complete(this, parts, wire, options.signal)
      return result.etag === '' ? await this.#lookUp(options) : result
    } catch (error) {
      throw await this.#settle(error, options)
    }
  }

  abort(options: CallOptions = {}): Promise<void> {
    return this.#services.multipart.abort(this, options.signal)
  }

  /** Ceph RGW 16 answers 500 for an upload that is gone. */
  async #settle(error: unknown, options: CallOptions): Promise<unknown> {
    if (!isStoreError(error, 'unavailable') || error.code !== 'InternalError') return error
    try {
      await this.#services.multipart.listParts(this, options.signal)
      return error
    } catch (second) {
      if (!isStoreError(second, 'no-such-upload')) return error
      return new StoreError('no-such-upload', 'complete: the upload is gone', {
        cause: error,
        key: this.key,
        operation: 'complete',
        ambiguous: true,
      })
    }
  }

  /** Ceph RGW 16 completes the upload and leaves the ETag out of its reply. */
  async #lookUp(options: CallOptions): Promise<WriteResult> {
    try {
      const { etag, versionId, lastModifiedMs } = await this.#services.objects.head(this.key, options.signal)
      return { etag, versionId, lastModifiedMs }
    } catch (error) {
      const kind = isStoreError(error) ? error.kind : 'unavailable'
      throw new StoreError(kind === 'not-found' ? 'corrupt' : kind, 'complete: the reply had no ETag, nor had HEAD', {
        cause: error,
        key: this.key,
        operation: 'complete',
        ambiguous: true,
      })
    }
  }
}
