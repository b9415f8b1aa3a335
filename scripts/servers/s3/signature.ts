import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { Call } from './call.js'
import { accessDenied, S3Error } from './s3-error.js'

export interface Key {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** May only GET, HEAD and list. */
  readonly readOnly?: boolean
}

export interface AccessRules {
  readonly keys: readonly Key[]
  /** Unsigned requests pass, too. */
  readonly anonymous: boolean
  /** Requests signed for another region are refused, with this one in the answer; undefined: any will do. */
  readonly region: string | undefined
  readonly nowMs: () => number
}

const MAX_SKEW_MS = 15 * 60 * 1000

/** Checks who sent a request and whether that one may: Signature Version 4 in the Authorization header. */
export class SignatureCheck {
  readonly #rules: AccessRules
  /** Signing keys by secret, day and region; few, since a server sees few of each. */
  readonly #signingKeys = new Map<string, SigningKey>()

  constructor(rules: AccessRules) {
    this.#rules = rules
  }

  check(call: Call): void {
    const authorization = call.header('authorization')
    if (authorization === undefined) {
      if (!this.#rules.anonymous) throw accessDenied()
      return
    }
    const { accessKeyId, date, region, signedHeaders, signature } = parseAuthorization(authorization)
    const key = this.#rules.keys.find(candidate => candidate.accessKeyId === accessKeyId)
    if (key === undefined)
      throw new S3Error(403, 'InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.')
    this.#checkRegion(region)
    const time = call.header('x-amz-date') ?? ''
    this.#checkTime(time)
    const scope = `${date}/${region}/s3/aws4_request`
    const canonical = canonicalRequest(call, signedHeaders)
    const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`
    const expected = this.#signingKey(key.secretAccessKey, date, region).sign(toSign)
    const given = Buffer.from(signature, 'hex')
    if (given.byteLength !== expected.byteLength || !timingSafeEqual(given, expected))
      throw new S3Error(
        403,
        'SignatureDoesNotMatch',
        'The request signature we calculated does not match the signature you provided.',
        { StringToSign: toSign, CanonicalRequest: canonical },
      )
    if (key.readOnly && call.method !== 'GET' && call.method !== 'HEAD') throw accessDenied()
  }

  #checkRegion(region: string): void {
    const right = this.#rules.region
    if (right === undefined || region === right) return
    throw new S3Error(
      400,
      'AuthorizationHeaderMalformed',
      `The authorization header is malformed; the region '${region}' is wrong; expecting '${right}'`,
      { Region: right },
      { 'x-amz-bucket-region': right },
    )
  }

  #checkTime(time: string): void {
    const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time) ?? []
    const signedMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
    if (Number.isNaN(signedMs)) throw accessDenied()
    if (Math.abs(signedMs - this.#rules.nowMs()) > MAX_SKEW_MS)
      throw new S3Error(
        403,
        'RequestTimeTooSkewed',
        'The difference between the request time and the current time is too large.',
      )
  }

  #signingKey(secret: string, date: string, region: string): SigningKey {
    const name = `${secret} ${date} ${region}`
    const known = this.#signingKeys.get(name)
    if (known !== undefined) return known
    const bytes = ['s3', 'aws4_request'].reduce(hmac, hmac(hmac(Buffer.from(`AWS4${secret}`), date), region))
    const key = new SigningKey(bytes)
    if (this.#signingKeys.size > 100) this.#signingKeys.clear()
    this.#signingKeys.set(name, key)
    return key
  }
}

const HASH_BLOCK_BYTES = 64

/** HMAC-SHA256 (RFC 2104) by a key of at most 64 bytes: two digests at one go, which cost a third of a `Hmac` object. */
class SigningKey {
  readonly #inner = Buffer.alloc(HASH_BLOCK_BYTES, 0x36)
  readonly #outer = Buffer.alloc(HASH_BLOCK_BYTES, 0x5c)

  constructor(key: Buffer) {
    for (const [index, byte] of key.entries()) {
      this.#inner[index] = byte ^ 0x36
      this.#outer[index] = byte ^ 0x5c
    }
  }

  sign(text: string): Buffer {
    const inner = hash('sha256', Buffer.concat([this.#inner, Buffer.from(text)]), 'buffer')
    return hash('sha256', Buffer.concat([this.#outer, inner]), 'buffer')
  }
}

interface Authorization {
  readonly accessKeyId: string
  readonly date: string
  readonly region: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

function parseAuthorization(header: string): Authorization {
  const [, credential, signedHeaders, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]+)$/.exec(header) ?? []
  const [accessKeyId, date, region, service] =
    /^(.+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request$/.exec(credential ?? '')?.slice(1) ?? []
  if (!accessKeyId || !date || !region || service !== 's3' || !signedHeaders || !signature)
    throw new S3Error(400, 'AuthorizationHeaderMalformed', 'The authorization header you provided is invalid.')
  return { accessKeyId, date, region, signedHeaders: signedHeaders.split(';'), signature }
}

function canonicalRequest(call: Call, signedHeaders: readonly string[]): string {
  if (!signedHeaders.includes('host')) throw accessDenied()
  const headers = signedHeaders.map(name => `${name}:${(call.header(name) ?? '').replace(/ {2,}/g, ' ')}\n`)
  return [
    call.method,
    call.canonicalPath,
    call.canonicalQuery,
    headers.join(''),
    signedHeaders.join(';'),
    call.header('x-amz-content-sha256') ?? '',
  ].join('\n')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(text: string): string {
  return hash('sha256', text, 'hex')
}
