import { isStoreError, type StoreError, type StoreErrorKind } from '../backend/store-error.js'
import { ConfigurationError } from '../config/fault.js'
import { MountError } from '../fuse/mount-error.js'
import { EXIT, type ExitCode } from './exit-codes.js'

/**
 * How a command ends that could not do its work: lines for a person and a code for a program. Errors say themselves
 * what to do about them.
 */
export interface Failure {
  readonly lines: readonly string[]
  readonly exitCode: ExitCode
}

const STORE_EXITS: Readonly<Record<StoreErrorKind, ExitCode>> = {
  'not-found': EXIT.notFound,
  'no-such-upload': EXIT.failed,
  exists: EXIT.failed,
  'precondition-failed': EXIT.failed,
  denied: EXIT.denied,
  throttled: EXIT.unreachable,
  unavailable: EXIT.unreachable,
  aborted: EXIT.failed,
  invalid: EXIT.usage,
  unsupported: EXIT.usage,
  corrupt: EXIT.failed,
}

/** The provider's code for a bucket that is not there, which is `unavailable` to a running mount. */
const NO_BUCKET = 'NoSuchBucket'

/** Codes of a local disk that has no room: the store has nothing to do with it. */
const DISK_FULL: readonly (string | undefined)[] = ['ENOSPC', 'EDQUOT']

/** `program` is the command that failed, as its user called it. */
export function failureOf(error: unknown, program = 'mount-bucket'): Failure {
  if (error instanceof ConfigurationError)
    return { lines: [...error.message.split('\n'), `${program} --help tells more`], exitCode: EXIT.usage }
  if (error instanceof MountError) return { lines: [error.message], exitCode: EXIT.mountPoint }
  const lines = [error instanceof Error ? error.message : String(error)]
  return { lines, exitCode: isStoreError(error) ? storeExit(error) : EXIT.failed }
}

function storeExit(error: StoreError): ExitCode {
  if (DISK_FULL.includes(error.code)) return EXIT.failed
  return error.code === NO_BUCKET ? EXIT.notFound : STORE_EXITS[error.kind]
}
