import type { Signal } from '../call-signal.js'
import type { ReadSink } from '../object-store.js'
import { StoreError } from '../store-error.js'
import { Collector } from './collector.js'
import type { Flow, HttpRequest, Receiver, RequestBody } from './http/exchange.js'
import type { HttpPool } from './http/pool.js'
import type { ResponseHead } from './http/response-head.js'

/** Decides where the body of a good reply goes; what it throws ends the request. */
export type Accept = (head: ResponseHead, flow: Flow) => ReadSink

/** What became of a request. */
export interface Received {
  /** Of a reply that was accepted and has come as a whole. */
  readonly head?: ResponseHead | undefined
  readonly refusal?: Refusal | undefined
  /** What it failed with; beside a refusal, how the refusal's body broke off. */
  readonly error?: unknown
}

/** The text may be less than what was sent. */
export interface Refusal {
  readonly head: ResponseHead
  readonly text: string
}

/** More of a refusal nobody reads. */
const MAX_REFUSAL_BYTES = 64 * 1024

/** Runs a request: a good reply's body goes where `accept` says, a refusal's into memory. Never rejects. */
export async function receiveReply(
  pool: HttpPool,
  sent: { readonly request: HttpRequest; readonly body?: RequestBody | undefined },
  accept: Accept,
  signal: Signal | undefined,
): Promise<Received> {
  const receiver = new ReplyReceiver(accept)
  try {
    const head = await pool.run({ ...sent, receiver }, signal)
    return receiver.refusal === undefined ? { head } : { refusal: receiver.refusal }
  } catch (error) {
    return { refusal: receiver.refusal, error }
  }
}

class ReplyReceiver implements Receiver {
  readonly #accept: Accept
  #refused: { readonly head: ResponseHead; readonly text: Collector } | undefined

  constructor(accept: Accept) {
    this.#accept = accept
  }

  get refusal(): Refusal | undefined {
    return this.#refused && { head: this.#refused.head, text: this.#refused.text.text() }
  }

  begin(head: ResponseHead, flow: Flow): ReadSink {
    if (head.status < 300) return this.#accept(head, flow)
    const text = new Collector(MAX_REFUSAL_BYTES, head.bodyBytes)
    this.#refused = { head, text }
    return text
  }
}

/** What failed, as plain data, for another thread. */
export function plainFailure({ refusal, error }: Received): Received {
  return { refusal, error: error === undefined ? undefined : plainError(error) }
}

/** What `plainFailure` made plain, with an error as it was. */
export function failureFromPlain({ refusal, error }: Received): Received {
  return { refusal, error: error === undefined ? undefined : errorFromPlain(error as PlainError) }
}

interface PlainError {
  readonly name: string
  readonly message: string
  readonly code: string | undefined
  readonly syscall: string | undefined
  /** Of an error that a check of the reply made. */
  readonly store: Pick<StoreError, 'kind' | 'key' | 'operation' | 'retryable'> | undefined
}

function plainError(error: unknown): PlainError {
  if (error instanceof StoreError) return { ...errnoFields(error), store: storeFields(error) }
  return { ...errnoFields(error instanceof Error ? error : new Error(String(error))), store: undefined }
}

function errnoFields({ name, message, code, syscall }: NodeJS.ErrnoException): Omit<PlainError, 'store'> {
  return { name, message, code, syscall }
}

function storeFields({ kind, key, operation, retryable }: StoreError): PlainError['store'] {
  return { kind, key, operation, retryable }
}

function errorFromPlain({ name, message, code, syscall, store }: PlainError): Error {
  if (store === undefined) return Object.assign(new Error(message), { name, code, syscall })
  const { kind, key, operation, retryable } = store
  return new StoreError(kind, message, {
    retryable,
    ...(key !== undefined && { key }),
    ...(operation !== undefined && { operation }),
    ...(code !== undefined && { code }),
  })
}
