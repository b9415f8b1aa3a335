import { throwIfAborted, unlessAborted } from '../call.js'
import { urlBehind } from '../cdn-url.js'
import { checkKey } from '../keys.js'
import type { CallOptions } from '../object-store.js'
import type {
  Powers,
  PublicAccessPower,
  SignedForm,
  SignedUrl,
  SignFormOptions,
  SigningPower,
  SignUrlOptions,
} from '../powers.js'
import { percentEncodePath } from '../signing/percent-encoding.js'
import { MAX_EXPIRES_MS, presignedQuery } from '../signing/presigned-url.js'
import { Signer, signingTime } from '../signing/signature.js'
import { FILE_NAME, signedFields } from '../signing/upload-form.js'
import { isStoreError, StoreError } from '../store-error.js'
import { toWireMetadata } from '../wire-metadata.js'
import { AclRequests } from './acl-requests.js'
import type { BucketPlace } from './bucket-place.js'
import { CdnTag } from './cdn-tag.js'
import type { Connection } from './client.js'
import type { Attempt } from './errors.js'
import { ObjectParts } from './object-parts.js'
import type { S3Credentials } from './options.js'
import type { RequestContext } from './request-context.js'
import { VersionRemoval } from './version-removal.js'

/** What S3 can do beside what every store can. `nowMs` is for signatures. */
export function s3Powers(
  context: RequestContext,
  connection: Pick<Connection, 'place' | 'credentials'>,
  nowMs: () => number = Date.now,
): Powers {
  return {
    acl: new AclRequests(context),
    publicAccess: new PublicUrls(context, connection.place),
    signing: new S3Signing(context, connection, nowMs),
    cdn: new CdnTag(context),
    parts: new ObjectParts(context),
    versions: new VersionRemoval(context),
  }
}

function baseUrlOf({ origin, hostField, path }: BucketPlace): string {
  return `${origin.isSecure ? 'https' : 'http'}://${hostField}${path}`
}

class PublicUrls implements PublicAccessPower {
  readonly #context: RequestContext
  readonly #baseUrl: string

  constructor(context: RequestContext, place: BucketPlace) {
    this.#context = context
    this.#baseUrl = baseUrlOf(place)
  }

  async url(keyOrPrefix: string): Promise<string> {
    return urlBehind(this.#baseUrl, keyOrPrefix)
  }

  /** Asks as somebody without credentials would: ACLs, policies and what blocks them all have their say. */
  async isPublic(key: string, { signal }: CallOptions = {}): Promise<boolean> {
    checkKey(key, 'isPublic')
    const attempt: Attempt = { operation: 'isPublic', key, reads: true, signal }
    try {
      await this.#context.channel.send({ method: 'HEAD', key }, attempt, { isAnonymous: true })
      return true
    } catch (error) {
      // What only its key reads (SSE-C) is refused as invalid.
      if (isStoreError(error, 'denied', 'invalid')) return false
      throw error
    }
  }
}

class S3Signing implements SigningPower {
  readonly maxExpiresMs = MAX_EXPIRES_MS
  readonly #context: RequestContext
  readonly #connection: Pick<Connection, 'place' | 'credentials'>
  readonly #signer: Signer
  readonly #nowMs: () => number

  constructor(context: RequestContext, connection: Pick<Connection, 'place' | 'credentials'>, nowMs: () => number) {
    this.#context = context
    this.#connection = connection
    this.#signer = new Signer(connection.place.scope)
    this.#nowMs = nowMs
  }

  async signUrl(key: string, options: SignUrlOptions): Promise<SignedUrl> {
    checkKey(key, 'signUrl')
    const { place } = this.#connection
    const credentials = await this.#credentials('signUrl', options)
    const { method, expiresMs, contentType, contentDisposition, versionId } = options
    const isWrite = method === 'PUT'
    if (method !== 'DELETE') this.#refuseCustomerKey('signUrl', key)
    const { creation } = this.#context.shared
    const headers = isWrite
      ? given({ ...creation, 'content-type': contentType, 'content-disposition': contentDisposition })
      : {}
    const query = {
      ...(!isWrite && { 'response-content-type': contentType, 'response-content-disposition': contentDisposition }),
      versionId,
      'x-amz-request-payer': this.#context.payer.RequestPayer,
    }
    const nowMs = this.#nowMs()
    const path = `${place.path}/${percentEncodePath(key)}`
    const signed = presignedQuery(
      { method, path, host: place.hostField, query, headers, expiresMs },
      this.#signer,
      credentials,
      signingTime(nowMs),
    )
    return { url: `${urlBehind(baseUrlOf(place), key)}?${signed}`, method, headers, expiresAtMs: nowMs + expiresMs }
  }

  async signForm(key: string, options: SignFormOptions): Promise<SignedForm> {
    if (key !== FILE_NAME) checkKey(key, 'signForm')
    this.#refuseCustomerKey('signForm', key)
    const { place } = this.#connection
    const credentials = await this.#credentials('signForm', options)
    const nowMs = this.#nowMs()
    const { 'x-amz-acl': acl, ...creation } = given(this.#context.shared.creation)
    const metadata = Object.entries(toWireMetadata(options.metadata ?? {})).map(
      ([name, value]) => [`x-amz-meta-${name}`, value] as const,
    )
    const kept = { ...creation, ...Object.fromEntries(metadata) }
    const fields = signedFields(
      { bucket: this.#context.bucket, key, kept, acl: options.acl ?? acl },
      options,
      this.#signer,
      credentials,
      { nowMs, time: signingTime(nowMs) },
    )
    const url = `${baseUrlOf(place)}${place.path === '' ? '/' : ''}`
    return { url, fields, expiresAtMs: nowMs + options.expiresMs }
  }

  /** Whoever has the URL would need the key, which is not to be given away. */
  #refuseCustomerKey(operation: string, key: string): void {
    if (Object.keys(this.#context.shared.customerKey).length === 0) return
    const why = 'a signature can not go with a key of your own (--sse-c-key-file), which must be sent with each request'
    throw new StoreError('unsupported', `${operation}: ${why}`, { key, operation })
  }

  async #credentials(operation: string, { signal }: CallOptions): Promise<S3Credentials> {
    throwIfAborted(signal, operation)
    const { credentials } = this.#connection
    if (credentials === undefined)
      throw new StoreError('denied', `${operation}: signing needs credentials, and requests are sent without any`, {
        operation,
      })
    try {
      return await unlessAborted(Promise.resolve(credentials()), signal, operation)
    } catch (error) {
      if (isStoreError(error)) throw error
      const reason = error instanceof Error ? error.message : String(error)
      throw new StoreError('denied', `${operation}: no credentials: ${reason}`, { cause: error, operation })
    }
  }
}

function given(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
