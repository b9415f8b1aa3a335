/** What went wrong, independent of the provider. Each store maps its provider's errors to these in one table. */
export type StoreErrorKind =
  /** The object does not exist: only a GET or HEAD of a key (or a copy's source) in a bucket that exists says so. */
  | 'not-found'
  /** The multipart upload does not exist (completed, aborted or never begun). */
  | 'no-such-upload'
  /** What was to be created is there already (buckets; objects answer `precondition-failed`). */
  | 'exists'
  /** If-Match or If-None-Match did not hold. */
  | 'precondition-failed'
  /** Credentials are missing, wrong, expired or do not permit this. */
  | 'denied'
  /** The store asks for fewer requests. */
  | 'throttled'
  /** The store can't be reached, failed on its side, or the bucket does not exist. */
  | 'unavailable'
  /** The caller's AbortSignal fired. */
  | 'aborted'
  /** The request can't be carried out by any store as it stands (key too long, range outside the object, ...). */
  | 'invalid'
  /** This store has not got the power that was asked for; `capabilities` declares it. */
  | 'unsupported'
  /** The reply contradicts itself or the request: wrong length, checksum, range or version. */
  | 'corrupt'

export interface StoreErrorDetails {
  readonly cause?: unknown
  readonly key?: string
  /** The store call that failed: `get`, `put`, `complete`, ... */
  readonly operation?: string
  /** The request may have been carried out although no answer came: settle by looking before trying again. */
  readonly ambiguous?: boolean
  /** Trying the same request again can succeed. Default: by kind (`throttled`, `unavailable`, `corrupt`). */
  readonly retryable?: boolean
  /** The store named a time to wait before the next try. */
  readonly retryAfterMs?: number
  /** The provider's own code, for the log: `SlowDown`, `ECONNRESET`, ... */
  readonly code?: string
}

const RETRYABLE: ReadonlySet<StoreErrorKind> = new Set(['throttled', 'unavailable', 'corrupt'])

/** The one error that stores and their layers reject with. Branch on `kind`, never on the message. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly kind: StoreErrorKind
  readonly key: string | undefined
  readonly operation: string | undefined
  readonly ambiguous: boolean
  readonly retryable: boolean
  readonly retryAfterMs: number | undefined
  readonly code: string | undefined

  constructor(kind: StoreErrorKind, message: string, details: StoreErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.kind = kind
    this.key = details.key
    this.operation = details.operation
    this.ambiguous = details.ambiguous ?? false
    this.retryable = details.retryable ?? RETRYABLE.has(kind)
    this.retryAfterMs = details.retryAfterMs
    this.code = details.code
  }
}

/** True for a StoreError of one of these kinds. */
export function isStoreError(error: unknown, ...kinds: readonly StoreErrorKind[]): error is StoreError {
  return error instanceof StoreError && (kinds.length === 0 || kinds.includes(error.kind))
}

/** Codes of a local disk without room, and of Ceph (rgw_common.cc) and MinIO (cmd/api-errors.go) without room or quota. */
const FULL: ReadonlySet<string | undefined> = new Set([
  'ENOSPC',
  'EDQUOT',
  'QuotaExceeded',
  'XMinioStorageFull',
  'XMinioAdminBucketQuotaExceeded',
])

/** The store has no room for what was to be stored. */
export function isFull(error: StoreError): boolean {
  return FULL.has(error.code)
}
