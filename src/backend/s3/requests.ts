import { createHash } from 'node:crypto'
import type { Signal } from '../call-signal.js'
import { closableBody } from '../closable-body.js'
import type {
  Body,
  ByteRange,
  CallOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  PrepareReadOptions,
  ReadSink,
  WriteResult,
} from '../object-store.js'
import { StoreError } from '../store-error.js'
import { type DeleteFailure, readDeleteResult, writeDeleteRequest } from './delete-reply.js'
import { type Attempt, corruptReply } from './errors.js'
import { ExactSink } from './exact-sink.js'
import type { Flow } from './http/exchange.js'
import type { ResponseHead } from './http/response-head.js'
import { readListing } from './list-reply.js'
import { readGet } from './range-reply.js'
import { bodyChecksum, readChecksums, readInfo, readSize, readTime, readWrite } from './replies.js'
import { copySource, type RequestContext } from './request-context.js'
import type { Fields } from './request-head.js'
import type { UnsignedRequest } from './request-writer.js'
import { StreamedBody } from './streamed-body.js'
import { carriedBy } from './wire-fields.js'
import { readFlat, XmlError } from './xml.js'

/** Conditions as they go out: ETags quoted, or not, as the server wants them. */
export interface WireConditions {
  readonly IfMatch?: string | undefined
  readonly IfNoneMatch?: string | undefined
}

export interface WireGet extends PrepareReadOptions {
  readonly range?: ByteRange | undefined
}

export interface WireCopy extends CallOptions {
  /** Default: the bucket itself. */
  readonly sourceBucket?: string | undefined
  readonly conditions: WireConditions
  readonly sourceIfMatch?: string | undefined
  /** Undefined: the source's are kept. */
  readonly attachments?: Fields | undefined
  readonly traits?: Fields | undefined
}

/** The requests about objects: how each is built and its reply read, and nothing else about them stands elsewhere. */
export class ObjectRequests {
  readonly #context: RequestContext

  constructor(context: RequestContext) {
    this.#context = context
  }

  async head(key: string, signal?: Signal): Promise<ObjectInfo> {
    const attempt: Attempt = { operation: 'head', key, reads: true, signal }
    const { channel, shared } = this.#context
    const { fields } = await channel.send(
      {
        method: 'HEAD',
        key,
        fields: { 'x-amz-checksum-mode': 'ENABLED', ...shared.payer, ...shared.customerKey },
      },
      attempt,
    )
    const checksums = readChecksums(fields)
    return {
      ...readInfo(key, readSize(fields['content-length']), fields, attempt),
      ...(checksums !== undefined && { checksums }),
    }
  }

  async get(key: string, options: WireGet): Promise<GetResult> {
    const { range, ifMatch, signal } = options
    const attempt: Attempt = { operation: 'get', key, reads: true, signal }
    const request = await this.#prepareGet(key, options, attempt)
    return new Promise((resolve, reject) => {
      let body: StreamedBody | undefined
      const begin = (head: ResponseHead, flow: Flow) => {
        const { info, bodyBytes } = readGet(head, { key, range, ifMatch }, attempt)
        const checksum = head.status === 200 ? bodyChecksum(head.fields) : undefined
        const streamed = new StreamedBody(flow, bodyBytes, checksum, attempt)
        body = streamed
        resolve({ info, body: closableBody(streamed.bytes(), async () => streamed.giveUp(), signal) })
        return { sink: streamed, bodyBytes }
      }
      this.#receive(request, attempt, begin).then(
        () => body?.finish({}),
        error => (body === undefined ? reject(error) : body.finish({ error })),
      )
    })
  }

  /** Resolves when the sink has all of a range, which must lie within the object as a whole. */
  async getInto(
    key: string,
    range: ByteRange,
    ifMatch: string | undefined,
    sink: ReadSink,
    signal?: Signal,
  ): Promise<ObjectInfo> {
    const attempt: Attempt = { operation: 'get', key, reads: true, signal }
    const prepared = this.#prepareGet(key, { range, ifMatch }, attempt)
    // Each turn of the queue that a small read waits for is a part of what it costs.
    const request = prepared instanceof Promise ? await prepared : prepared
    try {
      return await this.#context.channel.receiveRange({ request, key, range, ifMatch }, sink, attempt)
    } catch (error) {
      if (error instanceof StoreError && error.code === 'InvalidRange')
        throw corruptReply('the object ends before the range', attempt)
      throw error
    }
  }

  /** Runs a GET whose bytes, as many as `begin` says, go into the sink that it gives. */
  async #receive(
    request: UnsignedRequest,
    attempt: Attempt,
    begin: (head: ResponseHead, flow: Flow) => { readonly sink: ReadSink; readonly bodyBytes: number },
  ): Promise<void> {
    let counting: ExactSink | undefined
    await this.#context.channel.receive(request, attempt, (head, flow) => {
      const { sink, bodyBytes } = begin(head, flow)
      if (head.bodyBytes !== undefined) return sink
      counting = new ExactSink(sink, bodyBytes, attempt)
      return counting
    })
    counting?.finish()
  }

  #prepareGet(key: string, { range, ifMatch }: WireGet, attempt: Attempt): UnsignedRequest | Promise<UnsignedRequest> {
    const { channel, shared } = this.#context
    const fields = {
      range: range === undefined ? undefined : rangeField(range),
      'if-match': ifMatch === undefined ? undefined : `"${ifMatch}"`,
      'x-amz-checksum-mode': range === undefined && channel.payloads.isSummed ? 'ENABLED' : undefined,
      ...shared.payer,
      ...shared.customerKey,
    }
    return channel.prepare({ method: 'GET', key, fields }, attempt)
  }

  async put(key: string, body: Body, conditions: WireConditions, given: Fields, signal?: Signal): Promise<WriteResult> {
    const { channel, shared } = this.#context
    const conditional = isConditional(conditions)
    const carries = () => carriedBy({ ...shared.creation, ...given })
    const attempt: Attempt = { operation: 'put', key, writes: true, conditional, carries, signal }
    const { payer, creation, customerKey } = shared
    const fields = { ...conditionFields(conditions), ...creation, ...given, ...payer, ...customerKey }
    const reply = await channel.send({ method: 'PUT', key, fields }, attempt, { body })
    return readWrite(reply.fields, attempt)
  }

  async copy(from: string, to: string, options: WireCopy): Promise<WriteResult> {
    const { conditions, sourceIfMatch, attachments, traits, signal } = options
    const { bucket, channel, shared } = this.#context
    const { sourceBucket = bucket } = options
    const conditional = isConditional(conditions) || sourceIfMatch !== undefined
    const carries = () => carriedBy({ ...shared.creation, ...traits })
    const attempt: Attempt = { operation: 'copy', key: to, writes: true, reads: true, conditional, carries, signal }
    const fields = {
      'x-amz-copy-source': copySource(sourceBucket, from),
      'x-amz-copy-source-if-match': sourceIfMatch === undefined ? undefined : `"${sourceIfMatch}"`,
      'x-amz-metadata-directive': attachments === undefined ? 'COPY' : 'REPLACE',
      'x-amz-tagging-directive': traits?.['x-amz-tagging'] === undefined ? undefined : 'REPLACE',
      ...conditionFields(conditions),
      ...shared.creation,
      ...attachments,
      ...traits,
      ...shared.payer,
      ...shared.customerKey,
      ...shared.sourceCustomerKey,
    }
    const reply = await channel.send({ method: 'PUT', key: to, fields }, attempt, { text: '', isPatient: true })
    const { ETag, LastModified } = readLeaves(reply.text, attempt)
    const written = readWrite(reply.fields, attempt, ETag)
    return LastModified === undefined ? written : { ...written, lastModifiedMs: readTime(LastModified, attempt) }
  }

  /** A key that is not there is deleted. */
  async delete(key: string, conditions: WireConditions, signal?: Signal): Promise<void> {
    const attempt: Attempt = { operation: 'delete', key, writes: true, reads: true, signal }
    const { channel, shared } = this.#context
    const fields = { ...conditionFields(conditions), ...shared.payer }
    try {
      await channel.send({ method: 'DELETE', key, fields }, attempt)
    } catch (error) {
      if (!(error instanceof StoreError && error.kind === 'not-found')) throw error
    }
  }

  /** Up to 1,000 keys, which XML must be able to carry. Gives those that are still there. */
  async deleteMany(keys: readonly string[], signal?: Signal): Promise<readonly DeleteFailure[]> {
    const attempt: Attempt = { operation: 'delete', writes: true, signal }
    const { channel, shared } = this.#context
    const text = writeDeleteRequest(keys)
    // AWS takes any digest, others know this one only.
    const fields = { 'content-md5': createHash('md5').update(text).digest('base64'), ...shared.payer }
    const reply = await channel.send({ method: 'POST', query: { delete: '' }, fields }, attempt, { text })
    return readDeleteResult(reply.text, keys, attempt)
  }

  async list(options: ListOptions): Promise<ListPage> {
    const attempt: Attempt = { operation: 'list', signal: options.signal }
    const { channel, shared } = this.#context
    const query = {
      'list-type': '2',
      'encoding-type': 'url',
      prefix: options.prefix,
      delimiter: options.delimiter,
      'max-keys': options.limit === undefined ? undefined : String(options.limit),
      'start-after': options.cursor !== undefined || options.startAfter === '' ? undefined : options.startAfter,
      'continuation-token': options.cursor,
    }
    const { text } = await channel.send({ method: 'GET', query, fields: shared.payer }, attempt)
    return readListing(text, options.startAfter, attempt)
  }
}

export function isConditional(conditions: WireConditions): boolean {
  return conditions.IfMatch !== undefined || conditions.IfNoneMatch !== undefined
}

export function conditionFields(conditions: WireConditions): Fields {
  return { 'if-match': conditions.IfMatch, 'if-none-match': conditions.IfNoneMatch }
}

export function rangeField(range: ByteRange): string {
  return `bytes=${range.offset}-${range.offset + range.lengthBytes - 1}`
}

/** What a reply of one flat element tells; an empty one tells nothing. */
export function readLeaves(xml: string, attempt: Attempt): Leaves {
  return readElement(xml, attempt).leaves
}

type Leaves = Readonly<Partial<Record<string, string>>>

/** The same with the name of the element. */
export function readElement(xml: string, attempt: Attempt): { readonly root: string; readonly leaves: Leaves } {
  if (xml.trim() === '') return { root: '', leaves: {} }
  try {
    return readFlat(xml)
  } catch (error) {
    if (error instanceof XmlError) throw corruptReply(error.message, attempt)
    throw error
  }
}
