import { createHash } from 'node:crypto'
import type { Attachments, GrantKind, ObjectHeaders, ObjectTraits } from '../object-store.js'
import type { CannedAcl } from '../powers.js'
import { StoreError } from '../store-error.js'
import { toWireMetadata } from '../wire-metadata.js'
import type { S3Options } from './options.js'
import type { Fields } from './request-head.js'

/** Metadata and content headers as they are sent. */
export function wireAttachments(given: Attachments, operation: string, key: string): Fields {
  const headers: ObjectHeaders = given.headers ?? {}
  return {
    ...wireMetadata(given.metadata),
    ...definedOf({
      'content-type': headers.contentType,
      'content-encoding': headers.contentEncoding,
      'content-disposition': headers.contentDisposition,
      'content-language': headers.contentLanguage,
      'cache-control': headers.cacheControl,
      expires: wireTime(headers.expires, operation, key),
    }),
  }
}

/** Those that are sent: most are not, and fields are put together anew for every request. */
function definedOf(fields: Fields): Fields {
  const defined: Record<string, string> = {}
  for (const name in fields) {
    const value = fields[name]
    if (value !== undefined) defined[name] = value
  }
  return defined
}

function wireMetadata(metadata: Attachments['metadata'] = {}): Fields {
  if (Object.keys(metadata).length === 0) return metadata
  return Object.fromEntries(
    Object.entries(toWireMetadata(metadata)).map(([name, value]) => [`x-amz-meta-${name}`, value]),
  )
}

function wireTime(expires: string | undefined, operation: string, key: string): string | undefined {
  if (expires === undefined) return undefined
  const time = new Date(expires)
  if (Number.isNaN(time.getTime()))
    throw new StoreError('invalid', `${operation}: Expires is not an HTTP date: ${expires}`, { key, operation })
  return time.toUTCString()
}

/** What stands here takes the place of what the options say; an empty value, too. */
export function wireTraits(traits: ObjectTraits = {}): Fields {
  const { storageClass, encryption, tags, grants } = traits
  if (storageClass === undefined && encryption === undefined && tags === undefined && grants === undefined) return {}
  return {
    ...(storageClass !== undefined && { 'x-amz-storage-class': storageClass }),
    ...(encryption !== undefined && {
      'x-amz-server-side-encryption': encryption.algorithm,
      'x-amz-server-side-encryption-aws-kms-key-id': encryption.keyId,
    }),
    ...(tags !== undefined && { 'x-amz-tagging': wireTags(tags) }),
    ...(grants !== undefined && wireGrants(grants)),
  }
}

/** As the query of a URL. */
function wireTags(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags)
    .map(pair => pair.map(encodeURIComponent).join('='))
    .join('&')
}

/** A canned ACL and grants are never sent together. */
function wireGrants(grants: NonNullable<ObjectTraits['grants']>): Fields {
  const header = (kind: GrantKind) => grants[kind]?.join(', ')
  return {
    'x-amz-acl': undefined,
    'x-amz-grant-read': header('read'),
    'x-amz-grant-read-acp': header('readAcp'),
    'x-amz-grant-write-acp': header('writeAcp'),
    'x-amz-grant-full-control': header('fullControl'),
  }
}

/** A canned ACL takes the place of grants. */
export function wireAcl(acl: CannedAcl | undefined): Fields {
  return acl === undefined ? {} : { ...wireGrants({}), 'x-amz-acl': acl }
}

/** What a request asks for that a server may refuse, in words for its error. */
export function carriedBy(wire: Fields): string | undefined {
  const { 'x-amz-storage-class': storageClass, 'x-amz-server-side-encryption': encryption, 'x-amz-acl': acl } = wire
  const parts = [
    ...(storageClass === undefined ? [] : [`storage class ${storageClass}`]),
    ...(encryption === undefined ? [] : [`encryption ${encryption}`]),
    ...(wire['x-amz-tagging'] === undefined ? [] : ['tags']),
    ...(acl === undefined ? [] : [`ACL ${acl}`]),
    ...(Object.keys(wire).some(name => name.startsWith('x-amz-grant-') && wire[name] !== undefined) ? ['grants'] : []),
  ]
  return parts.length === 0 ? undefined : parts.join(', ')
}

/** What comes from the options and is the same for every request of its sort. */
export interface SharedFields {
  /** For every request. */
  readonly payer: Fields
  /** For what creates objects: PUT, CreateMultipartUpload, CopyObject. */
  readonly creation: Fields
  /** For what reads or writes bytes under SSE-C. */
  readonly customerKey: Fields
  /** For the source of a copy under SSE-C. */
  readonly sourceCustomerKey: Fields
}

export function sharedFields(options: S3Options): SharedFields {
  return {
    payer: options.requesterPays === true ? { 'x-amz-request-payer': 'requester' } : {},
    creation: definedOf({
      'x-amz-acl': options.acl,
      'x-amz-storage-class': options.storageClass,
      'x-amz-server-side-encryption': options.sse,
      'x-amz-server-side-encryption-aws-kms-key-id': options.sseKmsKeyId,
    }),
    customerKey: customerKeyFields('x-amz-', options.sseCustomerKey),
    sourceCustomerKey: customerKeyFields('x-amz-copy-source-', options.sseCustomerKey),
  }
}

/** Server-side encryption with customer-provided keys: Amazon S3 User Guide, "Using SSE-C". */
function customerKeyFields(start: string, key: Uint8Array | undefined): Fields {
  if (key === undefined) return {}
  if (key.byteLength !== 32)
    throw new StoreError('invalid', `an SSE-C key has 32 bytes, not ${key.byteLength}`, { operation: 'open' })
  const name = `${start}server-side-encryption-customer`
  return {
    [`${name}-algorithm`]: 'AES256',
    [`${name}-key`]: Buffer.from(key).toString('base64'),
    [`${name}-key-md5`]: createHash('md5').update(key).digest('base64'),
  }
}
