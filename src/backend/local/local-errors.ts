import { isStoreError, StoreError, type StoreErrorKind } from '../store-error.js'

/** What the errors of the disk mean for an object. What is not listed is `unavailable` and no retry mends it. */
const KIND_OF_CODE: Readonly<Record<string, { readonly kind: StoreErrorKind; readonly retryable?: true }>> = {
  EACCES: { kind: 'denied' },
  EPERM: { kind: 'denied' },
  EROFS: { kind: 'denied' },
  ENAMETOOLONG: { kind: 'invalid' },
  /** Another disk is mounted within the folder: files can't be moved there in one step. */
  EXDEV: { kind: 'unsupported' },
  EMFILE: { kind: 'unavailable', retryable: true },
  ENFILE: { kind: 'unavailable', retryable: true },
  ENOMEM: { kind: 'unavailable', retryable: true },
  EAGAIN: { kind: 'unavailable', retryable: true },
  EBUSY: { kind: 'unavailable', retryable: true },
  EINTR: { kind: 'unavailable', retryable: true },
}

/** The errno name of a system error; undefined for any other. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return error.code
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = codeOf(error)
  return code !== undefined && codes.includes(code)
}

/** Runs a call on the disk; all that it throws is a StoreError then. */
export async function onDisk<T>(operation: string, key: string | undefined, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw toStoreError(error, operation, key)
  }
}

export function toStoreError(error: unknown, operation: string, key: string | undefined): StoreError {
  if (isStoreError(error)) return error
  const code = codeOf(error)
  const { kind, retryable = false } = KIND_OF_CODE[code ?? ''] ?? { kind: 'unavailable' }
  const reason = error instanceof Error ? error.message : String(error)
  return new StoreError(kind, `${operation}: ${reason}`, {
    cause: error,
    operation,
    retryable,
    ...(key !== undefined && { key }),
    ...(code !== undefined && { code }),
  })
}

/** Resolves undefined where a file-system call says that the thing is not there. */
export async function unlessMissing<T>(call: Promise<T>, ...codes: readonly string[]): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (hasCode(error, 'ENOENT', ...codes)) return undefined
    throw error
  }
}
