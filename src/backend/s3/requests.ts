import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3'
import { closableBody } from '../closable-body.js'
import type {
  Body,
  ByteRange,
  CallOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  WriteResult,
} from '../object-store.js'
import { checkWholeRange } from '../range.js'
import { StoreError } from '../store-error.js'
import { checkedBody, type ReplyBody } from './bodies.js'
import { type Attempt, corruptReply, toStoreError } from './errors.js'
import { readListing } from './list-reply.js'
import { readChecksums, readExtent, readInfo, readWrite } from './replies.js'
import { copySource, type RequestContext } from './request-context.js'
import { carriedBy, type WireAttachments, type WireTraits } from './wire-fields.js'

/** Conditions as they go out: ETags quoted, or not, as the server wants them. */
export interface WireConditions {
  readonly IfMatch?: string | undefined
  readonly IfNoneMatch?: string | undefined
}

export interface WireGet extends CallOptions {
  readonly range?: ByteRange | undefined
  readonly ifMatch?: string | undefined
  /** An object that ends before the range does is refused as `corrupt` instead of cut. */
  readonly whole?: boolean | undefined
}

export interface WireCopy extends CallOptions {
  readonly conditions: WireConditions
  readonly sourceIfMatch?: string | undefined
  /** Undefined: the source's are kept. */
  readonly attachments?: WireAttachments | undefined
  readonly traits?: WireTraits | undefined
}

/** A key that DeleteObjects did not delete. */
export interface DeleteFailure {
  readonly key: string
  readonly error: StoreError
}

/** The requests about objects: how each is built and its reply read, and nothing else about them stands elsewhere. */
export class ObjectRequests {
  readonly #context: RequestContext

  constructor(context: RequestContext) {
    this.#context = context
  }

  async head(key: string, signal?: AbortSignal): Promise<ObjectInfo> {
    const attempt: Attempt = { operation: 'head', key, reads: true, signal }
    const { bucket, shared } = this.#context
    const command = new HeadObjectCommand({
      Bucket: bucket,
      Key: key,
      ChecksumMode: 'ENABLED',
      ...shared.payer,
      ...shared.customerKey,
    })
    const reply = await this.#context.send(command, attempt)
    const checksums = readChecksums(reply)
    return { ...readInfo(key, reply.ContentLength, reply, attempt), ...(checksums !== undefined && { checksums }) }
  }

  async get(key: string, options: WireGet): Promise<GetResult> {
    const { range, ifMatch, signal } = options
    const attempt: Attempt = { operation: 'get', key, reads: true, signal }
    const { bucket, shared } = this.#context
    const command = new GetObjectCommand({
      Bucket: bucket,
      Key: key,
      ...(range !== undefined && { Range: `bytes=${range.offset}-${range.offset + range.lengthBytes - 1}` }),
      ...(ifMatch !== undefined && { IfMatch: `"${ifMatch}"` }),
      ...shared.payer,
      ...shared.customerKey,
    })
    const reply = await this.#context.send(command, attempt).catch(error => {
      if (options.whole && error instanceof StoreError && error.code === 'InvalidRange')
        throw corruptReply('the object ends before the range', attempt)
      throw error
    })
    const body = reply.Body as ReplyBody | undefined
    if (body === undefined) throw corruptReply('no body', attempt)
    try {
      const { httpStatusCode } = reply.$metadata
      const extent = readExtent(range, httpStatusCode, reply.ContentRange, reply.ContentLength, attempt)
      const info = readInfo(key, extent.objectBytes, reply, attempt)
      if (ifMatch !== undefined && info.etag !== ifMatch)
        throw new StoreError('precondition-failed', 'get: the object is another version', { key, operation: 'get' })
      if (options.whole && range !== undefined) checkWholeRange(range, info.sizeBytes, 'get', key)
      const close = async () => void body.destroy()
      return { info, body: closableBody(checkedBody(body, extent.bodyBytes, attempt), close, signal) }
    } catch (error) {
      body.destroy()
      throw error
    }
  }

  async put(
    key: string,
    body: Body,
    conditions: WireConditions,
    given: WireAttachments & WireTraits,
    signal?: AbortSignal,
  ): Promise<WriteResult> {
    const { bucket, shared } = this.#context
    const conditional = isConditional(conditions)
    const carries = carriedBy({ ...shared.creation, ...given })
    const attempt: Attempt = { operation: 'put', key, writes: true, conditional, carries, signal }
    const reply = await this.#context.sendBody(body, attempt, outgoing => {
      const input: PutObjectCommandInput = {
        Bucket: bucket,
        Key: key,
        Body: outgoing.payload,
        ContentLength: outgoing.sizeBytes,
        ...conditions,
        ...shared.creation,
        ...given,
        ...shared.payer,
        ...shared.customerKey,
      }
      return new PutObjectCommand(input)
    })
    return readWrite(reply, attempt)
  }

  async copy(from: string, to: string, options: WireCopy): Promise<WriteResult> {
    const { conditions, sourceIfMatch, attachments, traits, signal } = options
    const { bucket, shared } = this.#context
    const conditional = isConditional(conditions) || sourceIfMatch !== undefined
    const carries = carriedBy({ ...shared.creation, ...traits })
    const attempt: Attempt = { operation: 'copy', key: to, writes: true, reads: true, conditional, carries, signal }
    const command = new CopyObjectCommand({
      Bucket: bucket,
      Key: to,
      CopySource: copySource(bucket, from),
      ...(sourceIfMatch !== undefined && { CopySourceIfMatch: `"${sourceIfMatch}"` }),
      MetadataDirective: attachments === undefined ? 'COPY' : 'REPLACE',
      ...(traits?.Tagging !== undefined && { TaggingDirective: 'REPLACE' }),
      ...conditions,
      ...shared.creation,
      ...attachments,
      ...traits,
      ...shared.payer,
      ...shared.customerKey,
      ...shared.sourceCustomerKey,
    })
    const reply = await this.#context.sendPatiently(command, attempt)
    const { ETag, LastModified } = reply.CopyObjectResult ?? {}
    const written = readWrite({ ETag, VersionId: reply.VersionId }, attempt)
    return LastModified === undefined ? written : { ...written, lastModifiedMs: LastModified.getTime() }
  }

  /** A key that is not there is deleted. */
  async delete(key: string, conditions: WireConditions, signal?: AbortSignal): Promise<void> {
    const attempt: Attempt = { operation: 'delete', key, writes: true, reads: true, signal }
    const { bucket, shared } = this.#context
    const command = new DeleteObjectCommand({ Bucket: bucket, Key: key, ...conditions, ...shared.payer })
    try {
      await this.#context.send(command, attempt)
    } catch (error) {
      if (!(error instanceof StoreError && error.kind === 'not-found')) throw error
    }
  }

  /** Up to 1,000 keys, which XML must be able to carry. Gives those that are still there. */
  async deleteMany(keys: readonly string[], signal?: AbortSignal): Promise<readonly DeleteFailure[]> {
    const attempt: Attempt = { operation: 'delete', writes: true, signal }
    const { bucket, shared } = this.#context
    const command = new DeleteObjectsCommand({
      Bucket: bucket,
      Delete: { Objects: keys.map(Key => ({ Key })), Quiet: true },
      ...shared.payer,
    })
    const reply = await this.#context.send(command, attempt)
    const asked = new Set(keys)
    return (reply.Errors ?? [])
      .filter(({ Code }) => Code !== 'NoSuchKey')
      .map(({ Key, Code, Message }) => {
        if (Key === undefined || !asked.has(Key)) throw corruptReply(`an error about another key: ${Key}`, attempt)
        return { key: Key, error: toStoreError({ Code, message: Message }, { ...attempt, key: Key }) }
      })
  }

  async list(options: ListOptions): Promise<ListPage> {
    const attempt: Attempt = { operation: 'list', signal: options.signal }
    const { bucket, shared } = this.#context
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      EncodingType: 'url',
      Prefix: options.prefix,
      Delimiter: options.delimiter,
      MaxKeys: options.limit,
      ...(options.cursor === undefined
        ? { StartAfter: options.startAfter === '' ? undefined : options.startAfter }
        : { ContinuationToken: options.cursor }),
      ...shared.payer,
    })
    return readListing(await this.#context.send(command, attempt), options.startAfter, attempt)
  }
}

export function isConditional(conditions: WireConditions): boolean {
  return conditions.IfMatch !== undefined || conditions.IfNoneMatch !== undefined
}
