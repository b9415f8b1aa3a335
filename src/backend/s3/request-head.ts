import { encodeQuery, percentEncodePath } from '../signing/percent-encoding.js'
import type { Signer } from '../signing/signature.js'
import { StoreError } from '../store-error.js'
import type { BucketPlace } from './bucket-place.js'
import { NO_PAYLOAD } from './no-payload.js'
import type { S3Credentials } from './options.js'

/** Names in lower case; what is undefined is not sent. */
export type Fields = Readonly<Record<string, string | undefined>>

/** A request of S3 before it is signed. */
export interface WireRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Default: the bucket itself. */
  readonly key?: string | undefined
  readonly query?: Fields | undefined
  readonly fields?: Fields | undefined
}

export interface Signing {
  readonly signer: Signer
  readonly credentials: S3Credentials
}

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
const FIELD_VALUE = /^[\t\x20-\x7e]*$/

/**
 * The head of a request as it is sent, signed unless `signing` is undefined. What is signed is what must be: the host, the
 * type and digest of the body, and all fields of S3's own. Throws `invalid` for a field that no header can carry.
 */
export function requestHead(
  request: WireRequest,
  payload: { readonly hash: string; readonly fields: Fields },
  place: BucketPlace,
  time: string,
  signing: Signing | undefined,
): string {
  const { method, key } = request
  const path = key === undefined ? place.path || '/' : `${place.path}/${percentEncodePath(key)}`
  const query = encodeQuery(request.query ?? {})
  const all: [string, string][] = [['host', place.hostField]]
  addFields(all, payload === NO_PAYLOAD ? (request.fields ?? {}) : withEncodings(request.fields, payload.fields))
  all.push(['x-amz-content-sha256', payload.hash])
  if (signing !== undefined) {
    all.push(['x-amz-date', time])
    const { sessionToken } = signing.credentials
    if (sessionToken !== undefined) all.push(['x-amz-security-token', sessionToken])
    const fields = all.filter(([name]) => isSigned(name)).sort(byName)
    const signable = { method, path, query, fields, payloadHash: payload.hash }
    all.push(['authorization', signing.signer.authorize(signable, signing.credentials, time)])
  }
  all.push(['user-agent', 'mount-bucket'])
  let head = `${method} ${path}${query === '' ? '' : `?${query}`} HTTP/1.1\r\n`
  for (const [name, value] of all) head += `${name}: ${value}\r\n`
  return `${head}\r\n`
}

function isSigned(name: string): boolean {
  return name === 'host' || name.startsWith('x-amz-') || name === 'content-type' || name === 'content-md5'
}

/** Names of fields are ASCII, so that this is the order of their bytes. */
function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1
}

/** A body that is chunked for its checksum is so on top of what its bytes are encoded with. */
function withEncodings(fields: Fields | undefined, added: Fields): Fields {
  const encodings = [added['content-encoding'], fields?.['content-encoding']].filter(name => name !== undefined)
  return { ...fields, ...added, ...(encodings.length > 0 && { 'content-encoding': encodings.join(',') }) }
}

function addFields(all: [string, string][], fields: Fields): void {
  for (const name in fields) {
    const value = fields[name]
    if (value === undefined) continue
    if (!FIELD_NAME.test(name) || !FIELD_VALUE.test(value))
      throw new StoreError('invalid', `a header can not carry ${JSON.stringify(`${name}: ${value}`)}`)
    all.push([name, value.trim()])
  }
}
