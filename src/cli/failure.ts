import { isStoreError, type StoreError, type StoreErrorKind } from '../backend/store-error.js'
import { ConfigurationError } from '../config/fault.js'
import { MountError } from '../fuse/mount-error.js'
import { EXIT, type ExitCode } from './exit-codes.js'

/** How a command ends that could not do its work: lines for a person and a code for a program. */
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

/** What to look at, where the kind of the error alone tells. */
const STORE_HINTS: Partial<Readonly<Record<StoreErrorKind, string>>> = {
  'not-found': 'check the URL',
  denied: 'check the credentials (--profile, AWS_ACCESS_KEY_ID, --no-sign-request for public buckets) and their rights',
  throttled: 'the store asks for fewer requests: lower --requests',
  unavailable: 'check --endpoint, --region and the network',
}

/** The provider's code for a bucket that is not there, which is `unavailable` to a running mount. */
const NO_BUCKET = 'NoSuchBucket'

export function failureOf(error: unknown): Failure {
  if (error instanceof ConfigurationError)
    return { lines: [...error.message.split('\n'), 'mount-bucket --help tells more'], exitCode: EXIT.usage }
  if (error instanceof MountError) return { lines: [error.message], exitCode: EXIT.mountPoint }
  if (isStoreError(error)) return storeFailure(error)
  return { lines: [error instanceof Error ? error.message : String(error)], exitCode: EXIT.failed }
}

function storeFailure(error: StoreError): Failure {
  if (error.code === NO_BUCKET) return { lines: [`${error.message}: check the URL`], exitCode: EXIT.notFound }
  const hint = STORE_HINTS[error.kind]
  return {
    lines: [hint === undefined ? error.message : `${error.message}: ${hint}`],
    exitCode: STORE_EXITS[error.kind],
  }
}
