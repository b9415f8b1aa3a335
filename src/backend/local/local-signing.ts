import { timingSafeEqual } from 'node:crypto'
import { throwIfAborted } from '../call.js'
import { urlBehind } from '../cdn-url.js'
import { checkKey } from '../keys.js'
import type { SignedForm, SignedUrl, SignFormOptions, SigningPower, SignUrlOptions } from '../powers.js'
import { encodeQuery, percentEncodePath } from '../signing/percent-encoding.js'
import { MAX_EXPIRES_MS, presignedQuery } from '../signing/presigned-url.js'
import { ALGORITHM, Signer, type SigningCredentials, signingTime } from '../signing/signature.js'
import { FILE_NAME, type Policy, signedFields } from '../signing/upload-form.js'
import { StoreError } from '../store-error.js'
import type { KeptTexts } from './kept-texts.js'
import { onDisk } from './local-errors.js'
import { isPublicAcl } from './public-acl.js'

/** What stands in the place of an account's key, a region and a host: the secret is that of one folder. */
const ACCESS_KEY = 'local'
const SCOPE = { region: 'local', service: 's3' }
const HOST = 'mount-bucket'

const BASE64 = /^[A-Za-z0-9+/]+=*$/

/** A request as far as its signature is concerned. */
export interface SignedRequest {
  readonly method: string
  readonly key: string
  /** Decoded. */
  readonly query: ReadonlyMap<string, string>
  readonly header: (name: string) => string | undefined
}

/**
 * Signs as S3 does, with a secret that lies in the folder, and checks what was signed. What is signed of a URL is the key,
 * not where the folder is served, so that links hold behind every address and proxy.
 */
export class LocalSigning implements SigningPower {
  readonly maxExpiresMs = MAX_EXPIRES_MS
  readonly #texts: KeptTexts
  readonly #baseUrl: () => Promise<string>
  readonly #nowMs: () => number
  readonly #signer = new Signer(SCOPE)

  constructor(texts: KeptTexts, baseUrl: () => Promise<string>, nowMs: () => number) {
    this.#texts = texts
    this.#baseUrl = baseUrl
    this.#nowMs = nowMs
  }

  signUrl(key: string, options: SignUrlOptions): Promise<SignedUrl> {
    return onDisk('signUrl', key, async () => {
      checkKey(key, 'signUrl')
      throwIfAborted(options.signal, 'signUrl', key)
      const { method, expiresMs, contentType, contentDisposition, versionId } = options
      if (versionId !== undefined)
        throw new StoreError('unsupported', 'signUrl: a folder keeps no versions', { key, operation: 'signUrl' })
      const isWrite = method === 'PUT'
      const given = Object.entries({ 'content-type': contentType, 'content-disposition': contentDisposition }).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      )
      const headers = Object.fromEntries(isWrite ? given : [])
      const query = Object.fromEntries(isWrite ? [] : given.map(([name, value]) => [`response-${name}`, value]))
      const nowMs = this.#nowMs()
      const request = { method, path: pathOf(key), host: HOST, query, headers, expiresMs }
      const signed = presignedQuery(request, this.#signer, await this.#credentials(), signingTime(nowMs))
      const url = `${urlBehind(await this.#baseUrl(), key)}?${signed}`
      return { url, method, headers, expiresAtMs: nowMs + expiresMs }
    })
  }

  signForm(key: string, options: SignFormOptions): Promise<SignedForm> {
    return onDisk('signForm', key, async () => {
      if (key !== FILE_NAME) checkKey(key, 'signForm')
      throwIfAborted(options.signal, 'signForm', key)
      if (options.acl !== undefined) isPublicAcl(options.acl, 'signForm', key)
      const nowMs = this.#nowMs()
      const kept = Object.fromEntries(
        Object.entries(options.metadata ?? {}).map(([name, value]) => [`x-amz-meta-${name.toLowerCase()}`, value]),
      )
      const clock = { nowMs, time: signingTime(nowMs) }
      const fields = signedFields(
        { key, kept, acl: options.acl },
        options,
        this.#signer,
        await this.#credentials(),
        clock,
      )
      return { url: `${await this.#baseUrl()}/`, fields, expiresAtMs: nowMs + options.expiresMs }
    })
  }

  /** Why a request is not permitted by its signature; undefined: it is. */
  async refusalOf({ method, key, query, header }: SignedRequest): Promise<string | undefined> {
    const time = query.get('X-Amz-Date') ?? ''
    const names = (query.get('X-Amz-SignedHeaders') ?? '').split(';')
    const seconds = Number(query.get('X-Amz-Expires'))
    const signedAtMs = timeMs(time)
    if (query.get('X-Amz-Algorithm') !== ALGORITHM || signedAtMs === undefined || !names.includes('host'))
      return 'the signature is not one'
    if (!Number.isSafeInteger(seconds) || seconds < 1 || seconds * 1000 > MAX_EXPIRES_MS) return 'it holds for too long'
    const rest = Object.fromEntries([...query].filter(([name]) => name !== 'X-Amz-Signature'))
    const fields = names.map(name => [name, name === 'host' ? HOST : (header(name) ?? '').trim()] as const)
    const request = { method, path: pathOf(key), query: encodeQuery(rest), fields, payloadHash: 'UNSIGNED-PAYLOAD' }
    const wanted = this.#signer.signature(request, await this.#credentials(), time)
    if (!isSame(wanted, query.get('X-Amz-Signature'))) return 'the signature is not that of this request'
    return this.#nowMs() >= signedAtMs + seconds * 1000 ? 'the signature has expired' : undefined
  }

  /** The policy of a form that this store has signed and that still holds; or why it is none. */
  async policyOf(fields: ReadonlyMap<string, string>): Promise<Policy | string> {
    const time = fields.get('x-amz-date') ?? ''
    const encoded = fields.get('policy')
    // Nothing else that is signed looks like one.
    if (encoded === undefined || !BASE64.test(encoded)) return 'the form has no policy'
    const wanted = this.#signer.signText(encoded, await this.#credentials(), time)
    if (!isSame(wanted, fields.get('x-amz-signature'))) return 'the signature is not that of this policy'
    const policy = JSON.parse(Buffer.from(encoded, 'base64').toString()) as Policy
    return this.#nowMs() >= Date.parse(policy.expiration) ? 'the form has expired' : policy
  }

  async #credentials(): Promise<SigningCredentials> {
    return { accessKeyId: ACCESS_KEY, secretAccessKey: await this.#texts.secret() }
  }
}

function pathOf(key: string): string {
  return `/${percentEncodePath(key)}`
}

function timeMs(time: string): number | undefined {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time) ?? []
  const [year, month, day, hour, minute, second] = parts.map(Number)
  if (year === undefined || month === undefined) return undefined
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

/** In a time that does not depend on where they differ. */
function isSame(wanted: string, given: string | undefined): boolean {
  const [a, b] = [Buffer.from(wanted), Buffer.from(given ?? '')]
  return a.byteLength === b.byteLength && timingSafeEqual(a, b)
}
