import type { BucketAdmin, BucketInfo, CreateBucketOptions } from '../bucket-admin.js'
import type { Signal } from '../call-signal.js'
import { abortSignalOf } from '../call-signal.js'
import type { CallOptions } from '../object-store.js'
import { isStoreError, StoreError } from '../store-error.js'
import { AWS_REGIONS } from './aws-regions.js'
import { accountClient } from './client.js'
import { type Attempt, toStoreError } from './errors.js'
import type { S3Options } from './options.js'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  type S3Client,
} from './sdk.js'

/** The region that CreateBucket must not name. */
const UNNAMED_REGION = 'us-east-1'

/** Sends nothing. */
export async function openS3Buckets(options: S3Options = {}): Promise<BucketAdmin> {
  const { client, region, isAws } = await accountClient(options)
  return new S3Buckets(client, region, isAws, options)
}

class S3Buckets implements BucketAdmin {
  readonly url = 's3://'
  readonly #client: S3Client
  readonly #region: string
  readonly #isAws: boolean
  readonly #options: S3Options

  constructor(client: S3Client, region: string, isAws: boolean, options: S3Options) {
    this.#client = client
    this.#region = region
    this.#isAws = isAws
    this.#options = options
  }

  async create(name: string, { acl, region, signal }: CreateBucketOptions = {}): Promise<void> {
    const place = region ?? (this.#isAws || this.#options.region !== undefined ? this.#region : UNNAMED_REGION)
    const command = new CreateBucketCommand({
      Bucket: name,
      ...(acl !== undefined && { ACL: acl as 'private' }),
      ...(place !== UNNAMED_REGION && { CreateBucketConfiguration: { LocationConstraint: place as 'eu-central-1' } }),
    })
    // Some servers answer a bucket of one's own as if it had been made: whoever creates wants to know.
    if (await this.#isThere(name, signal))
      throw new StoreError('exists', `the bucket ${name} exists`, {
        operation: 'createBucket',
        code: 'BucketAlreadyExists',
      })
    await this.#call({ operation: 'createBucket', writes: true, signal }, options =>
      this.#client.send(command, options),
    )
  }

  async delete(name: string, { signal }: CallOptions = {}): Promise<void> {
    const attempt: Attempt = { operation: 'deleteBucket', writes: true, signal }
    try {
      await this.#call(attempt, options => this.#client.send(new DeleteBucketCommand({ Bucket: name }), options))
    } catch (error) {
      if (isStoreError(error) && error.code === 'NoSuchBucket') throw noBucket(name, error)
      throw error
    }
  }

  async list({ signal }: CallOptions = {}): Promise<readonly BucketInfo[]> {
    const found: BucketInfo[] = []
    let token: string | undefined
    do {
      const command = new ListBucketsCommand(token === undefined ? {} : { ContinuationToken: token })
      const reply = await this.#call({ operation: 'listBuckets', signal }, options =>
        this.#client.send(command, options),
      )
      for (const { Name, CreationDate } of reply.Buckets ?? [])
        if (Name !== undefined) found.push({ name: Name, createdMs: CreationDate?.getTime() })
      token = reply.ContinuationToken
    } while (token !== undefined && token !== '')
    return found.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async exists(name: string, { signal }: CallOptions = {}): Promise<boolean> {
    const attempt: Attempt = { operation: 'headBucket', reads: true, signal }
    try {
      await this.#call(attempt, options => this.#client.send(new HeadBucketCommand({ Bucket: name }), options))
      return true
    } catch (error) {
      if (isStoreError(error, 'not-found') || (isStoreError(error) && error.code === 'NoSuchBucket')) return false
      // The bucket is in another region.
      if (isStoreError(error, 'invalid') && error.code === 'PermanentRedirect') return true
      throw error
    }
  }

  /** Those who may not list buckets are known all the same. */
  async validateCredentials({ signal }: CallOptions = {}): Promise<void> {
    if (this.#options.anonymous === true)
      throw new StoreError('denied', 'requests are sent without credentials', { operation: 'validateCredentials' })
    const attempt: Attempt = { operation: 'validateCredentials', signal }
    try {
      await this.#call(attempt, options => this.#client.send(new ListBucketsCommand({}), options))
    } catch (error) {
      if (!isStoreError(error, 'denied') || error.code !== 'AccessDenied') throw error
    }
  }

  regions(): readonly string[] {
    if (this.#isAws) return AWS_REGIONS
    throw new StoreError('unsupported', 'only of Amazon the regions are known, not of this endpoint', {
      operation: 'regions',
    })
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  async #isThere(name: string, signal: Signal | undefined): Promise<boolean> {
    try {
      return await this.exists(name, { signal })
    } catch (error) {
      // It may be somebody else's, or nothing may be told: creating it will tell.
      if (isStoreError(error, 'denied', 'invalid')) return false
      throw error
    }
  }

  async #call<T>(attempt: Attempt, send: (options: { abortSignal?: AbortSignal }) => Promise<T>): Promise<T> {
    try {
      const abortSignal = abortSignalOf(attempt.signal)
      return await send(abortSignal === undefined ? {} : { abortSignal })
    } catch (error) {
      throw toStoreError(error, attempt)
    }
  }
}

function noBucket(name: string, cause: unknown): StoreError {
  return new StoreError('not-found', `there is no bucket ${name}`, {
    cause,
    operation: 'deleteBucket',
    code: 'NoSuchBucket',
  })
}
