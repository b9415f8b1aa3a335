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
  const fields = new HeadFields()
  fields.add('host', place.hostField)
  fields.addGiven(payload === NO_PAYLOAD ? (request.fields ?? {}) : withEncodings(request.fields, payload.fields))
  fields.add('x-amz-content-sha256', payload.hash)
  if (signing !== undefined) {
    fields.add('x-amz-date', time)
    const { sessionToken } = signing.credentials
    if (sessionToken !== undefined) fields.add('x-amz-security-token', sessionToken)
    const signable = { method, path, query, fields: fields.signed(), payloadHash: payload.hash }
    fields.add('authorization', signing.signer.authorize(signable, signing.credentials, time))
  }
  fields.add('user-agent', 'mount-bucket')
  return `${method} ${path}${query === '' ? '' : `?${query}`} HTTP/1.1\r\n${fields.lines}\r\n`
}

/** Fields as they are sent, and which of them are signed. */
class HeadFields {
  lines = ''
  readonly #signed: (readonly [name: string, value: string])[] = []

  add(name: string, value: string): void {
    this.lines += `${name}: ${value}\r\n`
    if (isSigned(name)) this.#signed.push([name, value])
  }

  addGiven(fields: Fields): void {
    for (const name in fields) {
      const value = fields[name]
      if (value === undefined) continue
      if (!FIELD_NAME.test(name) || !FIELD_VALUE.test(value))
        throw new StoreError('invalid', `a header can not carry ${JSON.stringify(`${name}: ${value}`)}`)
      this.add(name, value.trim())
    }
  }

  /** In the order of their names: these are ASCII, so that it is that of their bytes. */
  signed(): readonly (readonly [name: string, value: string])[] {
    return this.#signed.sort((a, b) => (a[0] < b[0] ? -1 : 1))
  }
}

function isSigned(name: string): boolean {
  return name === 'host' || name.startsWith('x-amz-') || name === 'content-type' || name === 'content-md5'
}

/** A body that is chunked for its checksum is so on top of what its bytes are encoded with. */
function withEncodings(fields: Fields | undefined, added: Fields): Fields {
  const outer = added['content-encoding']
  const inner = fields?.['content-encoding']
  const all = { ...fields, ...added }
  return outer === undefined || inner === undefined ? all : { ...all, 'content-encoding': `${outer},${inner}` }
}
