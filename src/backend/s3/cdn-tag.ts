import type { Tag } from '@aws-sdk/client-s3'
import { cdnUrl, checkedBaseUrl } from '../cdn-url.js'
import type { CallOptions } from '../object-store.js'
import type { CdnPower } from '../powers.js'
import { isStoreError } from '../store-error.js'
import type { Attempt } from './errors.js'
import type { RequestContext } from './request-context.js'
import { DeleteBucketTaggingCommand, GetBucketTaggingCommand, PutBucketTaggingCommand } from './sdk.js'

/** The tag of the bucket whose value is the URL. */
const TAG = 'mount-bucket-cdn'

/**
 * S3 itself knows no CDN: whoever has put one in front of a bucket keeps its URL as a tag of the bucket, where all who use
 * the bucket find it. Other tags stay; a change of theirs at the same moment may be lost, since S3 replaces all at once.
 */
export class CdnTag implements CdnPower {
  readonly #context: RequestContext

  constructor(context: RequestContext) {
    this.#context = context
  }

  async base(options: CallOptions = {}): Promise<string | undefined> {
    return (await this.#tags('getCdn', options)).find(({ Key }) => Key === TAG)?.Value
  }

  async url(keyOrPrefix: string, options?: CallOptions): Promise<string | undefined> {
    return cdnUrl(await this.base(options), keyOrPrefix)
  }

  async setBase(url: string | undefined, options: CallOptions = {}): Promise<void> {
    const value = url === undefined ? undefined : checkedBaseUrl(url, "the CDN's URL")
    const others = (await this.#tags('setCdn', options)).filter(({ Key }) => Key !== TAG)
    const TagSet = value === undefined ? others : [...others, { Key: TAG, Value: value }]
    const { bucket } = this.#context
    const attempt: Attempt = { operation: 'setCdn', writes: true, carries: () => 'tags', signal: options.signal }
    await (TagSet.length === 0
      ? this.#context.send(new DeleteBucketTaggingCommand({ Bucket: bucket }), attempt)
      : this.#context.send(new PutBucketTaggingCommand({ Bucket: bucket, Tagging: { TagSet } }), attempt))
  }

  /** A bucket without tags is answered with an error. */
  async #tags(operation: string, { signal }: CallOptions): Promise<readonly Tag[]> {
    const attempt: Attempt = { operation, reads: true, signal }
    try {
      const { TagSet } = await this.#context.send(
        new GetBucketTaggingCommand({ Bucket: this.#context.bucket }),
        attempt,
      )
      return TagSet ?? []
    } catch (error) {
      if (isStoreError(error, 'not-found')) return []
      throw error
    }
  }
}
