import { StoreError } from '../store-error.js'
import { encodeQuery } from './percent-encoding.js'
import { ALGORITHM, type Signer, type SigningCredentials } from './signature.js'

/** As long as a Signature Version 4 can hold: 7 days. */
export const MAX_EXPIRES_MS = 7 * 24 * 60 * 60 * 1000

export interface Presignable {
  readonly method: string
  /** Percent-encoded. */
  readonly path: string
  /** The value of Host. */
  readonly host: string
  readonly query?: Readonly<Record<string, string | undefined>> | undefined
  /** What must be sent along: names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly expiresMs: number
}

/**
 * The query that permits one request, without `?` (Amazon S3 API Reference, "Authenticating Requests: Using Query
 * Parameters"). The payload is not signed.
 */
export function presignedQuery(
  request: Presignable,
  signer: Signer,
  credentials: SigningCredentials,
  time: string,
): string {
  for (const value of Object.values({ ...request.headers, ...request.query })) checkCarried(value)
  const fields = signedFields(request)
  const query = encodeQuery({
    ...request.query,
    'X-Amz-Algorithm': ALGORITHM,
    'X-Amz-Credential': signer.credential(credentials, time),
    'X-Amz-Date': time,
    'X-Amz-Expires': String(wholeSeconds(request.expiresMs)),
    'X-Amz-Security-Token': credentials.sessionToken,
    'X-Amz-SignedHeaders': fields.map(([name]) => name).join(';'),
  })
  const { method, path } = request
  const signable = { method, path, query, fields, payloadHash: 'UNSIGNED-PAYLOAD' }
  return `${query}&X-Amz-Signature=${signer.signature(signable, credentials, time)}`
}

/** What stands in a header, now or in the reply: visible ASCII and spaces. */
function checkCarried(value: string | undefined): void {
  if (value !== undefined && !/^[\t\x20-\x7e]*$/.test(value))
    throw new StoreError('invalid', `a header can not carry ${JSON.stringify(value)} (names of files: RFC 5987)`)
}

/** Throws `invalid` unless it is a whole number of seconds that a signature can hold for. */
export function wholeSeconds(expiresMs: number): number {
  const seconds = expiresMs / 1000
  if (Number.isSafeInteger(seconds) && seconds >= 1 && expiresMs <= MAX_EXPIRES_MS) return seconds
  throw new StoreError('invalid', `a signature holds for 1 s to 7 days in whole seconds, not for ${seconds} s`)
}

function signedFields({ host, headers }: Presignable): readonly (readonly [string, string])[] {
  const all = Object.entries({ ...headers, host }).map(([name, value]) => [name, value.trim()] as const)
  return all.sort(([a], [b]) => (a < b ? -1 : 1))
}
