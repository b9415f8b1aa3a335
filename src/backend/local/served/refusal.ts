import type { ServerResponse } from 'node:http'
import { isStoreError, type StoreErrorKind } from '../../store-error.js'

/** Why a request is not carried out, in the words of S3 ("Error responses", Amazon S3 API Reference). */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly code: string
  /** Sent with it. */
  readonly headers: Readonly<Record<string, string>> = {}

  constructor(status: number, code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.status = status
    this.code = code
  }
}

const BY_KIND: Readonly<Record<StoreErrorKind, readonly [status: number, code: string]>> = {
  'not-found': [404, 'NoSuchKey'],
  'no-such-upload': [404, 'NoSuchUpload'],
  exists: [409, 'Conflict'],
  'precondition-failed': [412, 'PreconditionFailed'],
  denied: [403, 'AccessDenied'],
  throttled: [503, 'SlowDown'],
  unavailable: [500, 'InternalError'],
  aborted: [400, 'RequestTimeout'],
  invalid: [400, 'InvalidArgument'],
  unsupported: [501, 'NotImplemented'],
  corrupt: [500, 'InternalError'],
}

/** What the store could not do is told by its kind alone: its words may name paths of this machine. */
export function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  // The store wraps what a body has thrown.
  if (error instanceof Error && error.cause instanceof Refusal) return error.cause
  const [status, code] = isStoreError(error) ? BY_KIND[error.kind] : BY_KIND.unavailable
  return new Refusal(status, code, `the request failed: ${code}`, error)
}

export function sendRefusal(response: ServerResponse, refusal: Refusal, isHead: boolean): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n${element('Error', `${element('Code', escaped(refusal.code))}${element('Message', escaped(refusal.message))}`)}\n`
  for (const name of response.getHeaderNames()) response.removeHeader(name)
  response.writeHead(refusal.status, {
    ...refusal.headers,
    'content-type': 'application/xml',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  })
  response.end(isHead ? undefined : body)
}

export function element(name: string, content: string): string {
  return `<${name}>${content}</${name}>`
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, character => ESCAPES[character] ?? character)
}
