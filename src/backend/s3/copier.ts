import { keptAttachments } from '../attachments.js'
import { checkVersion } from '../conditions.js'
import type { Attachments, CallOptions, CopyOptions, ObjectInfo, Upload, WriteResult } from '../object-store.js'
import { isStoreError, StoreError } from '../store-error.js'
import { beginUpload } from '../upload-ends.js'
import type { Conditions } from './conditions.js'
import { copyByParts } from './large-copy.js'
import { MAX_COPY_BYTES, MAX_METADATA_BYTES } from './limits.js'
import type { ObjectRequests } from './requests.js'
import type { Tagging } from './tagging.js'
import { wireAcl, wireAttachments, wireTraits } from './wire-fields.js'

export interface CopyServices {
  readonly objects: ObjectRequests
  readonly conditions: Conditions
  readonly tagging: Tagging
}

type CreateUpload = (key: string, options: CallOptions & Attachments) => Promise<Upload>

/** Copies on the server: by CopyObject, or by parts what is too large for it. */
export class Copier {
  readonly #services: CopyServices
  readonly #createUpload: CreateUpload

  constructor(services: CopyServices, createUpload: CreateUpload) {
    this.#services = services
    this.#createUpload = createUpload
  }

  async run(from: string, to: string, options: CopyOptions): Promise<WriteResult> {
    const { conditions, objects, tagging } = this.#services
    const { traits, sizeBytes, signal } = options
    if (sizeBytes !== undefined && sizeBytes > MAX_COPY_BYTES)
      return this.#byParts(await objects.head(from, signal), to, options)
    const isReplaced = replaces(options)
    const kept = isReplaced ? keptAttachments(options, MAX_METADATA_BYTES, 'copy', to) : undefined
    const attachments = kept && wireAttachments(kept, 'copy', to)
    const owedTags = await tagging.owedAfterCopy(from, to, traits?.tags, isReplaced, signal)
    const sourceIfMatch = await conditions.applyToSource(from, options.sourceIfMatch, to, options)
    // A version that was just looked at, since the server keeps no conditions, is not looked at once more.
    const isLookedAt = from === to && sourceIsOf(options) && conditions.support.copy !== 'atomic'
    const wire = {
      attachments,
      traits: {
        ...wireTraits(owedTags === undefined ? traits : { ...traits, tags: undefined }),
        ...wireAcl(options.acl),
      },
      sourceIfMatch,
      conditions: isLookedAt ? {} : await conditions.apply('copy', to, options, options),
      signal,
    }
    let result: WriteResult
    try {
      result = await objects.copy(from, to, wire)
    } catch (error) {
      return this.#settle(error, from, to, options)
    }
    if (owedTags !== undefined) await tagging.putBack(to, owedTags, 'copy', signal)
    return result
  }

  /**
   * Two answers to CopyObject can mean two things. A missing key is the source's, unless a condition on the target was
   * given and the source exists; a request that is refused as such may have too large a source.
   */
  async #settle(error: unknown, from: string, to: string, options: CopyOptions): Promise<WriteResult> {
    const missing = isStoreError(error, 'not-found') && options.ifMatch !== undefined
    const refused =
      isStoreError(error, 'invalid') && (error.code === 'InvalidRequest' || error.code === 'EntityTooLarge')
    if (!missing && !refused) throw error
    const source = await this.#services.objects.head(from, options.signal)
    if (missing)
      throw new StoreError('precondition-failed', 'copy: there is no object to be replaced', { cause: error, key: to })
    if (source.sizeBytes <= MAX_COPY_BYTES) throw error
    return this.#byParts(source, to, options)
  }

  /** Keeps by hand what CopyObject keeps by itself. */
  async #byParts(source: ObjectInfo, to: string, options: CopyOptions): Promise<WriteResult> {
    const { signal, priority } = options
    checkVersion(options.sourceIfMatch, source.etag, 'copy', source.key)
    const { metadata, headers } = replaces(options) ? options : source
    const tags = options.traits?.tags ?? (await this.#services.tagging.of(source.key, source.tagCount, { signal }))
    const traits = { ...options.traits, tags }
    const attachments = { metadata, headers, traits, acl: options.acl }
    const upload = await beginUpload(to, signal, given => this.#createUpload(to, { ...attachments, signal: given }))
    const { ifMatch, ifNoneMatch } = options
    return copyByParts(source, upload, { signal, priority, ifMatch, ifNoneMatch })
  }
}

/** The source has to be the version that is replaced. */
function sourceIsOf({ ifMatch, sourceIfMatch }: CopyOptions): boolean {
  return sourceIfMatch !== undefined && ifMatch === sourceIfMatch
}

/** Given metadata or headers replace both. */
function replaces(options: CopyOptions): boolean {
  return options.metadata !== undefined || options.headers !== undefined
}
