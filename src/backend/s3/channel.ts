import { throwIfAborted, unlessAborted } from '../call.js'
import type { Body, ReadSink } from '../object-store.js'
import { Signer, signingTime } from '../signing/signature.js'
import type { BucketPlace } from './bucket-place.js'
import { Collector } from './collector.js'
import { type Attempt, corruptReply, toStoreError } from './errors.js'
import type { Flow, HttpRequest, Receiver, RequestBody } from './http/exchange.js'
import type { HttpPool } from './http/pool.js'
import type { ResponseFields, ResponseHead } from './http/response-head.js'
import type { S3Credentials } from './options.js'
import { makePayload, NO_PAYLOAD, type Payload, type PayloadRules, textPayload } from './payload.js'
import { ReplyError } from './reply-error.js'
import { requestHead, type WireRequest } from './request-head.js'
import { XmlError, XmlReader } from './xml.js'

export interface ChannelSettings {
  readonly place: BucketPlace
  readonly pool: HttpPool
  /** Undefined: requests are not signed. */
  readonly credentials: (() => Promise<S3Credentials>) | undefined
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

/** Decides where the body of a good reply goes; what it throws ends the request. */
export type Accept = (head: ResponseHead, flow: Flow) => ReadSink

/** A page of a thousand keys of 1,024 bytes, each percent-encoded, and what is said of them. */
const MAX_TEXT_BYTES = 16 * 1024 ** 2
/** Statuses that mean many things: which one is told by the body. */
const NEEDS_CODE: ReadonlySet<number> = new Set([400, 404, 409])
/** More of a refusal nobody reads. */
const MAX_REFUSAL_BYTES = 64 * 1024
/** Clocks that differ by less refuse nothing: AWS allows 15 minutes. */
const MAX_SKEW_MS = 5 * 60_000
const SKEWED = '<Error><Code>RequestTimeTooSkewed</Code><Message>the clocks differ too much</Message></Error>'

/** The way of hot requests to a bucket: built, signed, sent and read here; nothing but StoreError comes back. */
export class Channel {
  readonly #settings: ChannelSettings
  readonly #signer: Signer
  /** How far the server's clock is ahead of ours; told by a refusal, so that the next try is signed right. */
  #clockAheadMs = 0

  constructor(settings: ChannelSettings) {
    this.#settings = settings
    this.#signer = new Signer(settings.place.scope)
  }

  get payloads(): PayloadRules {
    return this.#settings.payloads
  }

  /** A request without a body, ready to run once, soon. Plain data. */
  async prepare(wire: WireRequest, attempt: Attempt): Promise<HttpRequest> {
    try {
      return await this.#signed(wire, attempt, NO_PAYLOAD, {})
    } catch (error) {
      throw toStoreError(error, attempt)
    }
  }

  /** Sends a request and keeps the reply's body in memory. */
  async send(wire: WireRequest, attempt: Attempt, options: SendOptions = {}): Promise<Reply> {
    throwIfAborted(attempt.signal, attempt.operation, attempt.key)
    let collector: Collector | undefined
    const accept = ({ bodyBytes }: ResponseHead) => {
      collector = new Collector(MAX_TEXT_BYTES, bodyBytes)
      return collector
    }
    const { request, sent } = await this.#prepared(wire, attempt, options)
    const { status, fields } = await this.receive(request, attempt, accept, sent)
    if (collector?.isCut) throw corruptReply(`a reply of more than ${MAX_TEXT_BYTES} bytes`, attempt)
    const text = collector?.text() ?? ''
    if (isError(text)) throw toStoreError(this.#refusal(status, fields, text), attempt)
    return { fields, text }
  }

  /** Runs a request whose reply's body goes elsewhere; resolves when it has come as a whole. */
  async receive(request: HttpRequest, attempt: Attempt, accept: Accept, body?: RequestBody): Promise<ResponseHead> {
    const receiver = new ReplyReceiver(accept)
    let broken: unknown
    try {
      const head = await this.#settings.pool.run({ request, body, receiver }, attempt.signal)
      if (receiver.refusal === undefined) return head
    } catch (error) {
      if (receiver.refusal === undefined || attempt.signal?.aborted) throw toStoreError(error, attempt)
      broken = error
    }
    const { head, text } = receiver.refusal
    const refusal = this.#refusal(head.status, head.fields, text.text())
    // A refusal whose body broke off is one all the same, if what came of it says which.
    const isTold = broken === undefined || refusal.code !== '' || !NEEDS_CODE.has(head.status)
    throw toStoreError(isTold ? refusal : broken, attempt)
  }

  close(): void {
    this.#settings.pool.close()
  }

  async #prepared(wire: WireRequest, attempt: Attempt, options: SendOptions) {
    const { body, text } = options
    try {
      const payload = text !== undefined ? textPayload(text) : await this.#payloadOf(body, attempt)
      return { request: await this.#signed(wire, attempt, payload, options), sent: payload.body }
    } catch (error) {
      throw toStoreError(error, attempt)
    }
  }

  #payloadOf(body: Body | undefined, attempt: Attempt): Payload | Promise<Payload> {
    return body === undefined ? NO_PAYLOAD : makePayload(body, this.#settings.payloads, attempt)
  }

  async #signed(
    wire: WireRequest,
    attempt: Attempt,
    payload: Payload,
    { isPatient = false, isAnonymous = false }: SendOptions,
  ): Promise<HttpRequest> {
    const { place, nowMs, idleTimeoutMs, patientTimeoutMs } = this.#settings
    const credentials = isAnonymous ? undefined : this.#settings.credentials
    const { signal, operation, key } = attempt
    const signing = credentials && {
      signer: this.#signer,
      credentials: await unlessAborted(credentials(), signal, operation, key),
    }
    const isHead = wire.method === 'HEAD'
    return {
      head: requestHead(wire, payload, place, signingTime(nowMs() + this.#clockAheadMs), signing),
      isBodiless: isHead,
      isRepeatable: isHead || wire.method === 'GET',
      idleTimeoutMs: isPatient ? patientTimeoutMs : idleTimeoutMs,
    }
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

/** Good replies go where the caller wants them, refusals into memory. */
class ReplyReceiver implements Receiver {
  readonly #accept: Accept
  refusal: { readonly head: ResponseHead; readonly text: Collector } | undefined

  constructor(accept: Accept) {
    this.#accept = accept
  }

  begin(head: ResponseHead, flow: Flow): ReadSink {
    if (head.status < 300) return this.#accept(head, flow)
    const text = new Collector(MAX_REFUSAL_BYTES, head.bodyBytes)
    this.refusal = { head, text }
    return text
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
