import { isFull, StoreError, type StoreErrorKind } from '../backend/store-error.js'

/** The errno names that the filesystem answers with; `src/fuse/errno.ts` gives their numbers. */
export type ErrnoName =
  | 'EPERM'
  | 'ENOENT'
  | 'EINTR'
  | 'EIO'
  | 'ENXIO'
  | 'E2BIG'
  | 'EBADF'
  | 'EAGAIN'
  | 'EACCES'
  | 'EBUSY'
  | 'EEXIST'
  | 'EXDEV'
  | 'ENOTDIR'
  | 'EISDIR'
  | 'EINVAL'
  | 'EFBIG'
  | 'ELOOP'
  | 'ENOSPC'
  | 'EROFS'
  | 'ERANGE'
  | 'ENAMETOOLONG'
  | 'ENOSYS'
  | 'ENOTEMPTY'
  | 'ENODATA'
  | 'EOPNOTSUPP'
  | 'EILSEQ'
  | 'ESTALE'
  | 'ETIMEDOUT'

/** Store kinds as programs see them. ENOENT only ever comes from not-found: what is unknown is EIO. */
const ERRNO_OF_KIND: Readonly<Record<StoreErrorKind, ErrnoName>> = {
  'not-found': 'ENOENT',
  'no-such-upload': 'EIO',
  exists: 'EEXIST',
  'precondition-failed': 'ESTALE',
  denied: 'EACCES',
  throttled: 'EIO',
  unavailable: 'EIO',
  aborted: 'EINTR',
  invalid: 'EINVAL',
  unsupported: 'EOPNOTSUPP',
  corrupt: 'EIO',
}

/** What a filesystem call rejects with. `cause` holds what happened, for the log. */
export class FsError extends Error {
  override readonly name = 'FsError'
  readonly errno: ErrnoName

  constructor(errno: ErrnoName, message: string, cause?: unknown) {
    super(`${errno}: ${message}`, cause === undefined ? undefined : { cause })
    this.errno = errno
  }
}

/** The errno that a program gets for any error of a filesystem call. */
export function errnoOf(error: unknown): ErrnoName {
  if (error instanceof FsError) return error.errno
  if (error instanceof StoreError) return isFull(error) ? 'ENOSPC' : ERRNO_OF_KIND[error.kind]
  return 'EIO'
}
