import type { ByteRange, ObjectHeaders, ObjectInfo, WriteResult } from '../object-store.js'
import { fromWireMetadata } from '../wire-metadata.js'
import { type Attempt, corruptReply } from './errors.js'
import type { ResponseFields } from './http/response-head.js'

/** What the replies to HEAD and GET tell of an object. */
export function readInfo(
  key: string,
  sizeBytes: number | undefined,
  fields: ResponseFields,
  attempt: Attempt,
): ObjectInfo {
  if (sizeBytes === undefined) throw corruptReply('no Content-Length', attempt)
  const algorithm = fields['x-amz-server-side-encryption']
  const tagCount = fields['x-amz-tagging-count']
  return {
    key,
    sizeBytes,
    etag: readEtag(fields.etag, attempt),
    lastModifiedMs: readTime(fields['last-modified'], attempt),
    versionId: readVersion(fields['x-amz-version-id']),
    storageClass: fields['x-amz-storage-class'],
    metadata: readMetadata(fields),
    headers: readHeaders(fields),
    ...(algorithm !== undefined && {
      encryption: { algorithm, keyId: fields['x-amz-server-side-encryption-aws-kms-key-id'] },
    }),
    ...(fields['x-amz-server-side-encryption-customer-algorithm'] !== undefined && { hasCustomerKey: true }),
    ...(tagCount !== undefined && { tagCount: Number(tagCount) }),
  }
}

/** Of a reply to HEAD, whose length nothing else checks. Undefined where it is not told. */
export function readSize(contentLength: string | undefined): number | undefined {
  return /^\d{1,16}$/.test(contentLength ?? '') ? Number(contentLength) : undefined
}

const METADATA_START = 'x-amz-meta-'

function readMetadata(fields: ResponseFields): ObjectInfo['metadata'] {
  const wire: Record<string, string> = {}
  for (const name in fields)
    if (name.startsWith(METADATA_START)) wire[name.slice(METADATA_START.length)] = fields[name] ?? ''
  return fromWireMetadata(wire)
}

/** Checksum algorithms of S3. */
const CHECKSUMS = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'] as const

export function readChecksums(fields: ResponseFields): ObjectInfo['checksums'] {
  const found: Record<string, string> = {}
  for (const name of CHECKSUMS) {
    const value = fields[`x-amz-checksum-${name}`]
    if (value !== undefined) found[name] = value
  }
  return Object.keys(found).length === 0 ? undefined : found
}

/** The CRC32 of the bytes of a reply; undefined where it tells none, or that of its parts' checksums. */
export function bodyChecksum(fields: ResponseFields): string | undefined {
  const sum = fields['x-amz-checksum-crc32']
  return sum?.includes('-') || fields['x-amz-checksum-type'] === 'COMPOSITE' ? undefined : sum
}

const HEADER_FIELDS = {
  contentType: 'content-type',
  contentEncoding: 'content-encoding',
  contentDisposition: 'content-disposition',
  contentLanguage: 'content-language',
  cacheControl: 'cache-control',
  expires: 'expires',
} as const satisfies { readonly [H in keyof ObjectHeaders]-?: string }

function readHeaders(fields: ResponseFields): ObjectHeaders {
  const headers: { -readonly [H in keyof ObjectHeaders]: ObjectHeaders[H] } = {}
  for (const name of Object.keys(HEADER_FIELDS) as (keyof ObjectHeaders)[]) {
    const value = fields[HEADER_FIELDS[name]]
    if (value !== undefined) headers[name] = value
  }
  return headers
}

/** Without quotes; some servers leave them out. */
export function bareEtag(etag: string | undefined): string {
  if (etag === undefined) return ''
  const strong = etag.startsWith('W/') ? etag.slice(2) : etag
  return strong.length > 1 && strong.startsWith('"') && strong.endsWith('"') ? strong.slice(1, -1) : strong
}

export function readEtag(etag: string | undefined, attempt: Attempt): string {
  const bare = bareEtag(etag)
  if (bare === '') throw corruptReply('no ETag', attempt)
  return bare
}

/** In the form of HTTP or of XML. */
export function readTime(time: string | undefined, attempt: Attempt): number {
  const ms = Date.parse(time ?? '')
  if (Number.isNaN(ms)) throw corruptReply('no Last-Modified', attempt)
  return ms
}

/** `null` is what unversioned objects of a versioned bucket are called. */
function readVersion(versionId: string | undefined): string | undefined {
  return versionId === '' || versionId === 'null' ? undefined : versionId
}

/** `etag`: where the body tells it; default: the field. */
export function readWrite(fields: ResponseFields, attempt: Attempt, etag = fields.etag): WriteResult {
  return { etag: readEtag(etag, attempt), versionId: readVersion(fields['x-amz-version-id']) }
}

/** What a GET's reply holds: the object's size and how many bytes are to come. */
export interface Extent {
  readonly objectBytes: number
  readonly bodyBytes: number
}

/**
 * Checks a reply against the range that was asked for. 200 instead of 206 passes when the range is all of the object; a
 * body in chunks has no length, but its range. Content-Range: RFC 9110, 14.4.
 */
export function readExtent(
  range: ByteRange | undefined,
  status: number,
  contentRange: string | undefined,
  contentLength: number | undefined,
  attempt: Attempt,
): Extent {
  if (status !== 206) {
    if (contentLength === undefined) throw corruptReply('no Content-Length', attempt)
    if (range !== undefined && (range.offset > 0 || range.lengthBytes < contentLength))
      throw corruptReply(`status ${status} and the whole object instead of a range`, attempt)
    return { objectBytes: contentLength, bodyBytes: contentLength }
  }
  const [first, last, total] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? '') ?? []).slice(1).map(Number)
  if (range === undefined || first === undefined || last === undefined || total === undefined)
    throw corruptReply(`a partial reply without a good Content-Range (${contentRange})`, attempt)
  const wanted = Math.min(range.offset + range.lengthBytes, total) - 1
  const bodyBytes = last - first + 1
  if (first !== range.offset || last !== wanted || (contentLength ?? bodyBytes) !== bodyBytes)
    throw corruptReply(
      `Content-Range ${contentRange} and ${contentLength} bytes instead of ${range.offset}-${wanted}`,
      attempt,
    )
  return { objectBytes: total, bodyBytes }
}
