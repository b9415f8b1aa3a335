import { createHash } from 'node:crypto'
import type { ObjectCannedACL, ServerSideEncryption, StorageClass } from '@aws-sdk/client-s3'
import type { Attachments, GrantKind, ObjectHeaders, ObjectTraits } from '../object-store.js'
import { StoreError } from '../store-error.js'
import { toWireMetadata } from './metadata.js'
import type { S3Options } from './options.js'

/** Metadata and content headers as the SDK takes them. */
export interface WireAttachments {
  readonly Metadata?: Record<string, string>
  readonly ContentType?: string | undefined
  readonly ContentEncoding?: string | undefined
  readonly ContentDisposition?: string | undefined
  readonly ContentLanguage?: string | undefined
  readonly CacheControl?: string | undefined
  readonly Expires?: Date | undefined
}

export function wireAttachments(given: Attachments, operation: string, key: string): WireAttachments {
  const headers: ObjectHeaders = given.headers ?? {}
  return {
    ...(given.metadata !== undefined && { Metadata: toWireMetadata(given.metadata) }),
    ContentType: headers.contentType,
    ContentEncoding: headers.contentEncoding,
    ContentDisposition: headers.contentDisposition,
    ContentLanguage: headers.contentLanguage,
    CacheControl: headers.cacheControl,
    Expires: wireTime(headers.expires, operation, key),
  }
}

function wireTime(expires: string | undefined, operation: string, key: string): Date | undefined {
  if (expires === undefined) return undefined
  const time = new Date(expires)
  if (Number.isNaN(time.getTime()))
    throw new StoreError('invalid', `${operation}: Expires is not an HTTP date: ${expires}`, { key, operation })
  return time
}

/** Traits as the SDK takes them; what stands here, undefined too, takes the place of what the options say. */
export interface WireTraits {
  readonly ACL?: ObjectCannedACL | undefined
  readonly StorageClass?: StorageClass | undefined
  readonly ServerSideEncryption?: ServerSideEncryption | undefined
  readonly SSEKMSKeyId?: string | undefined
  readonly Tagging?: string | undefined
  readonly GrantRead?: string | undefined
  readonly GrantReadACP?: string | undefined
  readonly GrantWriteACP?: string | undefined
  readonly GrantFullControl?: string | undefined
}

export function wireTraits(traits: ObjectTraits = {}): WireTraits {
  const { storageClass, encryption, tags, grants } = traits
  return {
    ...(storageClass !== undefined && { StorageClass: storageClass as StorageClass }),
    ...(encryption !== undefined && {
      ServerSideEncryption: encryption.algorithm as ServerSideEncryption,
      SSEKMSKeyId: encryption.keyId,
    }),
    ...(tags !== undefined && { Tagging: wireTags(tags) }),
    ...(grants !== undefined && wireGrants(grants)),
  }
}

/** As the query of a URL: the form of x-amz-tagging. */
function wireTags(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags)
    .map(pair => pair.map(encodeURIComponent).join('='))
    .join('&')
}

/** A canned ACL and grants are never sent together. */
function wireGrants(grants: NonNullable<ObjectTraits['grants']>): WireTraits {
  const header = (kind: GrantKind) => grants[kind]?.join(', ')
  return {
    ACL: undefined,
    GrantRead: header('read'),
    GrantReadACP: header('readAcp'),
    GrantWriteACP: header('writeAcp'),
    GrantFullControl: header('fullControl'),
  }
}

/** What a request asks for that a server may refuse, in words for its error. */
export function carriedBy(wire: WireTraits): string | undefined {
  const { StorageClass: storageClass, ServerSideEncryption: encryption } = wire
  const grants = [wire.GrantRead, wire.GrantReadACP, wire.GrantWriteACP, wire.GrantFullControl]
  const parts = [
    ...(storageClass === undefined ? [] : [`storage class ${storageClass}`]),
    ...(encryption === undefined ? [] : [`encryption ${encryption}`]),
    ...(wire.Tagging === undefined ? [] : ['tags']),
    ...(wire.ACL === undefined ? [] : [`ACL ${wire.ACL}`]),
    ...(grants.every(header => header === undefined) ? [] : ['grants']),
  ]
  return parts.length === 0 ? undefined : parts.join(', ')
}

/** The fields that come from the options and are the same for every request of their sort. */
export interface SharedFields {
  /** For every request. */
  readonly payer: { readonly RequestPayer?: 'requester' }
  /** For what creates objects: PUT, CreateMultipartUpload, CopyObject. */
  readonly creation: {
    readonly ACL?: ObjectCannedACL
    readonly StorageClass?: StorageClass
    readonly ServerSideEncryption?: ServerSideEncryption
    readonly SSEKMSKeyId?: string
  }
  /** For what reads or writes bytes under SSE-C. */
  readonly customerKey: {
    readonly SSECustomerAlgorithm?: string
    readonly SSECustomerKey?: string
    readonly SSECustomerKeyMD5?: string
  }
  /** For the source of a copy under SSE-C. */
  readonly sourceCustomerKey: {
    readonly CopySourceSSECustomerAlgorithm?: string
    readonly CopySourceSSECustomerKey?: string
    readonly CopySourceSSECustomerKeyMD5?: string
  }
}

export function sharedFields(options: S3Options): SharedFields {
  const customerKey = customerKeyFields(options.sseCustomerKey)
  return {
    payer: options.requesterPays === true ? { RequestPayer: 'requester' } : {},
    creation: {
      ...(options.acl !== undefined && { ACL: options.acl as ObjectCannedACL }),
      ...(options.storageClass !== undefined && { StorageClass: options.storageClass as StorageClass }),
      ...(options.sse !== undefined && { ServerSideEncryption: options.sse }),
      ...(options.sseKmsKeyId !== undefined && { SSEKMSKeyId: options.sseKmsKeyId }),
    },
    customerKey,
    sourceCustomerKey: Object.fromEntries(
      Object.entries(customerKey).map(([name, value]) => [`CopySource${name}`, value]),
    ),
  }
}

/** Server-side encryption with customer-provided keys: Amazon S3 User Guide, "Using SSE-C". */
function customerKeyFields(key: Uint8Array | undefined): SharedFields['customerKey'] {
  if (key === undefined) return {}
  if (key.byteLength !== 32)
    throw new StoreError('invalid', `an SSE-C key has 32 bytes, not ${key.byteLength}`, { operation: 'open' })
  return {
    SSECustomerAlgorithm: 'AES256',
    SSECustomerKey: Buffer.from(key).toString('base64'),
    SSECustomerKeyMD5: createHash('md5').update(key).digest('base64'),
  }
}
