import { isStoreError, type StoreError } from '../../backend/store-error.js'
import { type Failure, failureOf } from '../failure.js'
import { IS_FOLDER } from './folder-instead.js'

/** Codes of credentials that were good once. */
const EXPIRED: readonly (string | undefined)[] = ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired']

/** Codes of a way to the store that leads nowhere. */
const NO_WAY = /^(E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|HOSTUNREACH|NETUNREACH|TIMEDOUT)|TimedOut)$/

/** What stands beside a key that a message tells of; within a longer path it is something else. */
const EDGE = /[\s'"(),:;]/

/** How a command of `bucket` ends that could not do its work: one line that says what of which key, and what to do. */
export function bucketFailureOf(error: unknown): Failure {
  const failure = failureOf(error, 'bucket')
  return isStoreError(error) ? { ...failure, lines: [lineOf(error)] } : failure
}

function lineOf(error: StoreError): string {
  const { kind, key, code } = error
  const message = error.message.replaceAll(/\s*\n\s*/g, ' ').replace(/\.$/, '')
  const named = key === undefined || tellsOf(key, message) ? message : `${key}: ${message}`
  // What the local disk says is said of a path, and by no store.
  if (key === undefined && /^E[A-Z]+$/.test(code ?? '') && kind !== 'unavailable') return message
  switch (kind) {
    case 'not-found':
      if (code === IS_FOLDER)
        return `${key} is a folder, and there is no such object: cp and mv take all below it with -r, get-dir fetches it, remove-prefix removes it`
      return key === undefined || code === 'NoPrefix' ? message : `${key}: there is no such object`
    case 'denied':
      return `${named}: ${EXPIRED.includes(code) ? 'the credentials have expired' : 'check the credentials and their rights'}`
    case 'unavailable':
      if (code === 'NoSuchBucket') return `there is no such bucket: check its name, --endpoint and --region (${named})`
      return NO_WAY.test(code ?? '') ? `${named}: check the network and --endpoint` : named
    case 'precondition-failed':
      if (code === 'BucketNotEmpty') return 'the bucket is not empty: --force deletes all that is in it, too'
      return key === undefined ? named : `${key}: the object is there already, or is another version (${message})`
    case 'aborted':
      return code === 'Resumable' ? named : `${named}: it was interrupted`
    default:
      return named
  }
}

function tellsOf(key: string, message: string): boolean {
  if (key === '') return true
  for (let at = message.indexOf(key); at !== -1; at = message.indexOf(key, at + 1)) {
    if (EDGE.test(message[at - 1] ?? ' ') && EDGE.test(message[at + key.length] ?? ' ')) return true
  }
  return false
}
