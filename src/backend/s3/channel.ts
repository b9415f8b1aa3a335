import { throwIfAborted, unlessAborted } from '../call.js'
import type { FillingThreads } from '../filling-threads.js'
import type { Body, ObjectInfo, ReadSink } from '../object-store.js'
import { signingTime } from '../signing/signature.js'
import type { StoreError } from '../store-error.js'
import type { BucketPlace } from './bucket-place.js'
import { Collector } from './collector.js'
import { type Attempt, corruptReply, toStoreError } from './errors.js'
import type { CredentialSource } from './held-credentials.js'
import type { HttpRequest, RequestBody } from './http/exchange.js'
import type { HttpPool } from './http/pool.js'
import type { ResponseFields, ResponseHead } from './http/response-head.js'
import { NO_PAYLOAD } from './no-payload.js'
import type { S3Credentials } from './options.js'
import { makePayload, type Payload, type PayloadRules, textPayload } from './payload.js'
import { type PreparedGet, type ReceivedRange, receiveRange } from './range-reply.js'
import { type Accept, failureFromPlain, type Received, receiveReply } from './received.js'
import { ReplyError } from './reply-error.js'
import type { WireRequest } from './request-head.js'
import { RequestWriter, type UnsignedRequest } from './request-writer.js'
import { XmlError, XmlReader } from './xml.js'

export interface ChannelSettings {
  readonly place: BucketPlace
  readonly pool: HttpPool
  /** Where ranges are received, if not here; they run range-program.ts. */
  readonly threads?: FillingThreads | undefined
  /** Undefined: requests are not signed. What a request is signed with is plain data. */
  readonly credentials: CredentialSource | undefined
  readonly payloads: PayloadRules
  readonly idleTimeoutMs: number
  /** For what the server does alone for long without a byte on the connection: copies and completions. */
  readonly patientTimeoutMs: number
  readonly nowMs: () => number
}

export interface SendOptions {
  /** The bytes of an object or a part. */
  readonly body?: Body | undefined
  /** Any other body; empty is one, too. */
  readonly text?: string | undefined
  readonly isPatient?: boolean | undefined
  /** It is sent without credentials. */
  readonly isAnonymous?: boolean | undefined
}

export interface Reply {
  readonly fields: ResponseFields
  /** Empty where none came. */
  readonly text: string
}

interface Sent {
  readonly request: HttpRequest
  readonly body?: RequestBody | undefined
}

/** A page of a thousand keys of 1,024 bytes, each percent-encoded, and what is said of them. */
const MAX_TEXT_BYTES = 16 * 1024 ** 2
/** Statuses that mean many things: which one is told by the body. */
const NEEDS_CODE: ReadonlySet<number> = new Set([400, 404, 409])
/** Clocks that differ by less refuse nothing: AWS allows 15 minutes. */
const MAX_SKEW_MS = 5 * 60_000
const SKEWED = '<Error><Code>RequestTimeTooSkewed</Code><Message>the clocks differ too much</Message></Error>'

/** The way of hot requests to a bucket: built, signed, sent and read here; nothing but StoreError comes back. */
export class Channel {
  readonly #settings: ChannelSettings
  readonly #writer: RequestWriter
  /** How far the server's clock is ahead of ours; told by a refusal, so that the next try is signed right. */
  #clockAheadMs = 0

  constructor(settings: ChannelSettings) {
    this.#settings = settings
    this.#writer = new RequestWriter(settings.place)
  }

  get payloads(): PayloadRules {
    return this.#settings.payloads
  }

  /** A request without a body, ready to run once, soon. Plain data. At once, where the credentials are at hand. */
  prepare(wire: WireRequest, attempt: Attempt): UnsignedRequest | Promise<UnsignedRequest> {
    const unsigned = this.#unsigned(wire, attempt, {})
    if (!(unsigned instanceof Promise)) return unsigned
    return unsigned.catch((error: unknown) => {
      throw toStoreError(error, attempt)
    })
  }

  /** Sends a request and keeps the reply's body in memory. */
  async send(wire: WireRequest, attempt: Attempt, options: SendOptions = {}): Promise<Reply> {
    throwIfAborted(attempt.signal, attempt.operation, attempt.key)
    let collector: Collector | undefined
    const accept = ({ bodyBytes }: ResponseHead) => {
      collector = new Collector(MAX_TEXT_BYTES, bodyBytes)
      return collector
    }
    const prepared = this.#prepared(wire, attempt, options)
    const sent = prepared instanceof Promise ? await prepared : prepared
    const { status, fields } = this.#headOf(
      await receiveReply(this.#settings.pool, sent, accept, attempt.signal),
      attempt,
    )
    if (collector?.isCut) throw corruptReply(`a reply of more than ${MAX_TEXT_BYTES} bytes`, attempt)
    const text = collector?.text() ?? ''
    if (isError(text)) throw toStoreError(this.#refusal(status, fields, text), attempt)
    return { fields, text }
  }

  /** Runs a request whose reply's body goes elsewhere; resolves when it has come as a whole. */
  async receive(request: UnsignedRequest, attempt: Attempt, accept: Accept): Promise<ResponseHead> {
    const sent = { request: this.#written(request, attempt) }
    return this.#headOf(await receiveReply(this.#settings.pool, sent, accept, attempt.signal), attempt)
  }

  /** Runs a GET, in another thread where the sink's memory is shared; resolves when the sink has all of its range. */
  async receiveRange(get: PreparedGet, sink: ReadSink, attempt: Attempt): Promise<ObjectInfo> {
    const { pool, threads } = this.#settings
    const memory = threads && sink.free()
    const received =
      memory?.byteLength === get.range.lengthBytes && threads?.share(memory)
        ? await this.#receiveElsewhere(threads, get, memory, sink, attempt)
        : await receiveRange(pool, this.#writer, get, sink, attempt.signal)
    if (received.info === undefined) throw this.#failure(received, attempt)
    return received.info
  }

  async #receiveElsewhere(
    threads: FillingThreads,
    get: PreparedGet,
    memory: Uint8Array,
    sink: ReadSink,
    { signal, operation, key }: Attempt,
  ): Promise<ReceivedRange> {
    throwIfAborted(signal, operation, key)
    const plain = (await threads.fill(get, memory, bytes => sink.advance(bytes), signal)) as ReceivedRange
    return plain.info === undefined ? failureFromPlain(plain) : plain
  }

  close(): void {
    this.#settings.pool.close()
  }

  #headOf(received: Received, attempt: Attempt): ResponseHead {
    if (received.head === undefined) throw this.#failure(received, attempt)
    return received.head
  }

  /** At once where all that the request is made of is at hand. */
  #prepared(wire: WireRequest, attempt: Attempt, options: SendOptions): Sent | Promise<Sent> {
    const { body, text } = options
    const fail = (error: unknown): never => {
      throw toStoreError(error, attempt)
    }
    try {
      const made = text !== undefined ? textPayload(text) : this.#payloadOf(body, attempt)
      const signed = (payload: Payload) => this.#signed(wire, payload, attempt, options)
      const sent = made instanceof Promise ? made.then(signed) : signed(made)
      return sent instanceof Promise ? sent.catch(fail) : sent
    } catch (error) {
      return fail(error)
    }
  }

  #signed(wire: WireRequest, payload: Payload, attempt: Attempt, options: SendOptions): Sent | Promise<Sent> {
    const write = (unsigned: UnsignedRequest) => ({
      request: this.#writer.write(unsigned, payload),
      body: payload.body,
    })
    const unsigned = this.#unsigned(wire, attempt, options)
    return unsigned instanceof Promise ? unsigned.then(write) : write(unsigned)
  }

  #written(request: UnsignedRequest, attempt: Attempt): HttpRequest {
    try {
      return this.#writer.write(request)
    } catch (error) {
      throw toStoreError(error, attempt)
    }
  }

  #payloadOf(body: Body | undefined, attempt: Attempt): Payload | Promise<Payload> {
    return body === undefined ? NO_PAYLOAD : makePayload(body, this.#settings.payloads, attempt)
  }

  #unsigned(
    wire: WireRequest,
    { signal, operation, key }: Attempt,
    { isPatient = false, isAnonymous = false }: SendOptions,
  ): UnsignedRequest | Promise<UnsignedRequest> {
    const { nowMs, idleTimeoutMs, patientTimeoutMs } = this.#settings
    const signedBy = (credentials: S3Credentials | undefined) => ({
      wire,
      time: signingTime(nowMs() + this.#clockAheadMs),
      credentials,
      idleTimeoutMs: isPatient ? patientTimeoutMs : idleTimeoutMs,
    })
    const given = isAnonymous ? undefined : this.#settings.credentials?.()
    return given instanceof Promise ? unlessAborted(given, signal, operation, key).then(signedBy) : signedBy(given)
  }

  #failure({ refusal, error }: Received, attempt: Attempt): StoreError {
    if (refusal === undefined || (error !== undefined && attempt.signal?.aborted)) return toStoreError(error, attempt)
    const { status, fields } = refusal.head
    const told = this.#refusal(status, fields, refusal.text)
    // A refusal whose body broke off is one all the same, if what came of it says which.
    const isTold = error === undefined || told.code !== '' || !NEEDS_CODE.has(status)
    return toStoreError(isTold ? told : error, attempt)
  }

  #refusal(status: number, fields: ResponseFields, text: string): ReplyError {
    const error = new ReplyError(status, fields, text)
    const aheadMs = Date.parse(fields.date ?? '') - this.#settings.nowMs()
    if (status !== 403 || !(Math.abs(aheadMs - this.#clockAheadMs) > MAX_SKEW_MS)) return error
    this.#clockAheadMs = aheadMs
    // The refusal of a HEAD has no body to say it in.
    return error.code === '' ? new ReplyError(status, fields, SKEWED) : error
  }
}

/** CopyObject and CompleteMultipartUpload may answer 200, and tell of their failure in the body. */
function isError(text: string): boolean {
  if (!text.includes('<Error')) return false
  try {
    return new XmlReader(text).enter() === 'Error'
  } catch (error) {
    if (error instanceof XmlError) return false
    throw error
  }
}
