import type { Signal } from '../call-signal.js'
import { isStoreError, StoreError, type StoreErrorDetails, type StoreErrorKind } from '../store-error.js'
import { ReplyError } from './reply-error.js'

/** What the request was, as far as the meaning of its failure depends on it. */
export interface Attempt {
  readonly operation: string
  readonly key?: string | undefined
  /** It may have changed something although no good answer came. */
  readonly writes?: boolean | undefined
  /** It carried If-Match or If-None-Match. */
  readonly conditional?: boolean | undefined
  /** A missing key is an answer: GET, HEAD and copy sources. */
  readonly reads?: boolean | undefined
  /** It names an upload, so that a missing key (as some servers say) is a missing upload. */
  readonly inUpload?: boolean | undefined
  /** What else it asked for that the server may not want to give: told with a refusal. */
  readonly carries?: (() => string | undefined) | undefined
  readonly signal?: Signal | undefined
}

interface Row {
  readonly kind: StoreErrorKind
  readonly retryable?: boolean
  /** The server certainly did not carry the request out. Other rows of kind `unavailable` are in doubt. */
  readonly refused?: boolean
}

const DENIED: Row = { kind: 'denied' }
const INVALID: Row = { kind: 'invalid' }
const BAD_BODY: Row = { kind: 'corrupt', refused: true }
const THROTTLED: Row = { kind: 'throttled' }
const UNSUPPORTED: Row = { kind: 'unsupported' }
const BROKEN_OFF: Row = { kind: 'unavailable' }
const NOT_REACHED: Row = { kind: 'unavailable', refused: true }
const NO_BUCKET: Row = { kind: 'unavailable', refused: true, retryable: false }

/** By the code of S3 ("Error responses", Amazon S3 API Reference) or of a socket. */
const BY_CODE: Readonly<Record<string, Row>> = {
  NoSuchUpload: { kind: 'no-such-upload' },
  NoSuchBucket: NO_BUCKET,
  BucketAlreadyExists: { kind: 'exists' },
  BucketAlreadyOwnedByYou: { kind: 'exists' },
  BucketNotEmpty: { kind: 'precondition-failed' },
  PreconditionFailed: { kind: 'precondition-failed' },
  ConditionalRequestConflict: { kind: 'precondition-failed' },

  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  AccountProblem: DENIED,
  CredentialsProviderError: DENIED,
  ExpiredToken: DENIED,
  InvalidAccessKeyId: DENIED,
  InvalidObjectState: DENIED,
  InvalidToken: DENIED,
  KMS: DENIED,
  NotSignedUp: DENIED,
  SignatureDoesNotMatch: DENIED,
  TokenRefreshRequired: DENIED,
  // The server's clock has been taken over by the time this arrives: the next try is signed right.
  RequestTimeTooSkewed: { kind: 'denied', retryable: true },

  SlowDown: THROTTLED,
  ServiceUnavailable: THROTTLED,
  TooManyRequests: THROTTLED,
  ThrottlingException: THROTTLED,
  Throttling: THROTTLED,
  RequestLimitExceeded: THROTTLED,
  BandwidthLimitExceeded: THROTTLED,

  InternalError: BROKEN_OFF,
  RequestTimeout: BROKEN_OFF,
  OperationAborted: { kind: 'unavailable', refused: true },
  TimeoutError: BROKEN_OFF,
  ECONNRESET: BROKEN_OFF,
  ECONNABORTED: BROKEN_OFF,
  ENETRESET: BROKEN_OFF,
  EPIPE: BROKEN_OFF,
  ETIMEDOUT: BROKEN_OFF,
  ERR_STREAM_PREMATURE_CLOSE: BROKEN_OFF,
  HPE_INVALID_CONSTANT: BROKEN_OFF,
  BadHttp: BROKEN_OFF,
  ConnectTimeout: NOT_REACHED,
  ECONNREFUSED: NOT_REACHED,
  EHOSTDOWN: NOT_REACHED,
  EHOSTUNREACH: NOT_REACHED,
  ENETDOWN: NOT_REACHED,
  ENETUNREACH: NOT_REACHED,
  EADDRNOTAVAIL: NOT_REACHED,
  EAI_AGAIN: NOT_REACHED,
  ENOTFOUND: NOT_REACHED,
  CERT_HAS_EXPIRED: { ...NOT_REACHED, retryable: false },
  DEPTH_ZERO_SELF_SIGNED_CERT: { ...NOT_REACHED, retryable: false },
  SELF_SIGNED_CERT_IN_CHAIN: { ...NOT_REACHED, retryable: false },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: { ...NOT_REACHED, retryable: false },
  ERR_TLS_CERT_ALTNAME_INVALID: { ...NOT_REACHED, retryable: false },

  BadDigest: BAD_BODY,
  IncompleteBody: BAD_BODY,
  InvalidDigest: BAD_BODY,
  XAmzContentChecksumMismatch: BAD_BODY,
  XAmzContentSHA256Mismatch: BAD_BODY,

  AuthorizationHeaderMalformed: INVALID,
  IllegalLocationConstraintException: INVALID,
  PermanentRedirect: INVALID,
  InvalidRange: INVALID,
  AccessControlListNotSupported: UNSUPPORTED,
  NotImplemented: UNSUPPORTED,
  MethodNotAllowed: UNSUPPORTED,
}

/** By status, where the code says nothing: HEAD replies have no body, and proxies answer in their own words. */
const BY_STATUS: Readonly<Record<number, Row>> = {
  301: INVALID,
  307: INVALID,
  400: INVALID,
  401: DENIED,
  403: DENIED,
  405: UNSUPPORTED,
  408: BROKEN_OFF,
  409: { kind: 'unavailable', refused: true },
  412: { kind: 'precondition-failed' },
  416: INVALID,
  429: THROTTLED,
  500: BROKEN_OFF,
  501: UNSUPPORTED,
  502: BROKEN_OFF,
  503: THROTTLED,
  504: BROKEN_OFF,
}

const UNKNOWN: Row = { kind: 'unavailable', retryable: false }

/** What an error of a reply, the SDK or a socket says, whichever of its many shapes it has. */
export interface ProviderError {
  readonly code: string
  readonly status: number | undefined
  readonly message: string
  readonly headers: Readonly<Partial<Record<string, string>>>
  /** The region that a redirect or AuthorizationHeaderMalformed names. */
  readonly region: string | undefined
}

export function readError(error: unknown): ProviderError {
  if (error instanceof ReplyError) {
    const { code, status, message, fields: headers, region } = error
    return { code, status, message, headers, region }
  }
  const fields = asRecord(error)
  const headers = asRecord(asRecord(fields.$response).headers)
  const status = asRecord(fields.$metadata).httpStatusCode
  const region = headers['x-amz-bucket-region'] ?? fields.Region
  return {
    code: codeOf(fields),
    status: typeof status === 'number' ? status : undefined,
    message: typeof fields.message === 'string' ? fields.message : String(error),
    headers: headers as Readonly<Record<string, string>>,
    region: typeof region === 'string' ? region : undefined,
  }
}

function codeOf(fields: Readonly<Record<string, unknown>>): string {
  for (const candidate of [fields.Code, fields.code, asRecord(fields.cause).code, fields.name])
    if (typeof candidate === 'string' && candidate !== '' && candidate !== 'Error') return candidate
  return ''
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}

/** Turns whatever the SDK, a socket or a body threw into the one error of stores. */
export function toStoreError(error: unknown, attempt: Attempt): StoreError {
  if (error instanceof StoreError) return error
  const { signal } = attempt
  if (signal?.aborted) return storeError('aborted', 'the call was given up', signal.reason, attempt, true)
  const seen = readError(error)
  const row = rowOf(seen, attempt)
  const inDoubt = row.kind === 'unavailable' && (row.refused !== true || wasConnected(error))
  return storeError(row.kind, describe(seen, row, attempt), causeOf(error, seen), attempt, inDoubt, {
    ...(row.retryable === undefined ? {} : { retryable: row.retryable }),
    ...retryAfter(seen),
    code: seen.code === '' ? String(seen.status ?? 'unknown') : seen.code,
  })
}

/** A connection that has lost its way ends with the same codes as one that finds none, when a request may be done. */
function wasConnected(error: unknown): boolean {
  const { syscall } = asRecord(error)
  return syscall === 'read' || syscall === 'write'
}

/** The server has no such operation, for any object. MethodNotAllowed may be about this one: a delete marker. */
export function isNotImplemented(error: unknown): boolean {
  return isStoreError(error, 'unsupported') && (error.code === 'NotImplemented' || error.code === '501')
}

/** The SDK hangs the whole HTTP response with its socket on its errors: too much to keep or to print. */
function causeOf(error: unknown, seen: ProviderError): unknown {
  const fields = asRecord(error)
  if (fields.$response === undefined) return error
  const { requestId, extendedRequestId } = asRecord(fields.$metadata)
  return Object.assign(new Error(seen.message), { name: seen.code, status: seen.status, requestId, extendedRequestId })
}

function rowOf(seen: ProviderError, attempt: Attempt): Row {
  if (seen.code === 'NoSuchKey' || (seen.status === 404 && !(seen.code in BY_CODE))) {
    if (attempt.reads) return { kind: 'not-found' }
    if (attempt.conditional) return { kind: 'precondition-failed' }
    if (attempt.inUpload) return { kind: 'no-such-upload' }
    return UNKNOWN
  }
  return BY_CODE[seen.code] ?? (seen.status === undefined ? undefined : BY_STATUS[seen.status]) ?? UNKNOWN
}

function storeError(
  kind: StoreErrorKind,
  message: string,
  cause: unknown,
  attempt: Attempt,
  inDoubt: boolean,
  details: StoreErrorDetails = {},
): StoreError {
  return new StoreError(kind, message, {
    ...details,
    cause,
    operation: attempt.operation,
    ambiguous: inDoubt && attempt.writes === true,
    ...(attempt.key === undefined ? {} : { key: attempt.key }),
  })
}

function describe(seen: ProviderError, row: Row, attempt: Attempt): string {
  const what = attempt.key === undefined ? attempt.operation : `${attempt.operation} of ${JSON.stringify(attempt.key)}`
  const status = seen.status === undefined ? '' : ` (status ${seen.status})`
  const wrongRegion = seen.status === 301 || seen.status === 307 || seen.code === 'AuthorizationHeaderMalformed'
  if (wrongRegion && seen.region !== undefined)
    return `${what}: the bucket is in region ${seen.region}: use --region ${seen.region}`
  const refused = row === INVALID || row === UNSUPPORTED || row === DENIED
  const carries = refused ? attempt.carries?.() : undefined
  const carried = carries === undefined ? '' : ` (asked for with ${carries})`
  return `${what}: ${seen.code}${status}: ${seen.message}${carried}`
}

/** Retry-After in seconds (RFC 9110, 10.2.3); its form as a date is not used by object stores. */
function retryAfter(seen: ProviderError): { readonly retryAfterMs?: number } {
  const seconds = Number(seen.headers['retry-after'])
  return Number.isFinite(seconds) && seconds > 0 ? { retryAfterMs: seconds * 1000 } : {}
}

/** The error of a reply that was well-formed HTTP and yet not what was asked for. */
export function corruptReply(message: string, attempt: Attempt): StoreError {
  return storeError('corrupt', `${attempt.operation}: ${message}`, undefined, attempt, true, { code: 'BadReply' })
}
