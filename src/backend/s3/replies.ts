import type { ByteRange, ObjectHeaders, ObjectInfo, WriteResult } from '../object-store.js'
import { type Attempt, corruptReply } from './errors.js'
import { fromWireMetadata } from './metadata.js'

/** The fields that the replies to HEAD and GET have in common. */
export interface InfoFields {
  readonly ETag?: string | undefined
  readonly LastModified?: Date | undefined
  readonly VersionId?: string | undefined
  readonly StorageClass?: string | undefined
  readonly Metadata?: Record<string, string> | undefined
  readonly ContentType?: string | undefined
  readonly ContentEncoding?: string | undefined
  readonly ContentDisposition?: string | undefined
  readonly ContentLanguage?: string | undefined
  readonly CacheControl?: string | undefined
  readonly ExpiresString?: string | undefined
  readonly ServerSideEncryption?: string | undefined
  readonly SSEKMSKeyId?: string | undefined
  readonly TagCount?: number | undefined
}

export function readInfo(key: string, sizeBytes: number | undefined, reply: InfoFields, attempt: Attempt): ObjectInfo {
  if (sizeBytes === undefined) throw corruptReply('no Content-Length', attempt)
  return {
    key,
    sizeBytes,
    etag: readEtag(reply.ETag, attempt),
    lastModifiedMs: readTime(reply.LastModified, attempt),
    versionId: readVersion(reply.VersionId),
    storageClass: reply.StorageClass,
    metadata: fromWireMetadata(reply.Metadata),
    headers: readHeaders(reply),
    ...(reply.ServerSideEncryption !== undefined && {
      encryption: { algorithm: reply.ServerSideEncryption, keyId: reply.SSEKMSKeyId },
    }),
    ...(reply.TagCount !== undefined && { tagCount: reply.TagCount }),
  }
}

/** Checksum algorithms of S3 and the fields of a reply that hold them. */
const CHECKSUM_FIELDS = {
  crc32: 'ChecksumCRC32',
  crc32c: 'ChecksumCRC32C',
  crc64nvme: 'ChecksumCRC64NVME',
  sha1: 'ChecksumSHA1',
  sha256: 'ChecksumSHA256',
} as const

type ChecksumFields = { readonly [F in (typeof CHECKSUM_FIELDS)[keyof typeof CHECKSUM_FIELDS]]?: string | undefined }

export function readChecksums(reply: ChecksumFields): ObjectInfo['checksums'] {
  const found = Object.entries(CHECKSUM_FIELDS).flatMap(([name, field]) => {
    const value = reply[field]
    return value === undefined ? [] : [[name, value] as const]
  })
  return found.length === 0 ? undefined : Object.fromEntries(found)
}

function readHeaders(reply: InfoFields): ObjectHeaders {
  const headers: ObjectHeaders = {
    contentType: reply.ContentType,
    contentEncoding: reply.ContentEncoding,
    contentDisposition: reply.ContentDisposition,
    contentLanguage: reply.ContentLanguage,
    cacheControl: reply.CacheControl,
    expires: reply.ExpiresString,
  }
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined))
}

/** Without quotes; some servers leave them out. */
export function bareEtag(etag: string | undefined): string {
  return (etag ?? '').replace(/^W\//, '').replace(/^"(.*)"$/, '$1')
}

export function readEtag(etag: string | undefined, attempt: Attempt): string {
  const bare = bareEtag(etag)
  if (bare === '') throw corruptReply('no ETag', attempt)
  return bare
}

export function readTime(time: Date | undefined, attempt: Attempt): number {
  const ms = time?.getTime()
  if (ms === undefined || Number.isNaN(ms)) throw corruptReply('no Last-Modified', attempt)
  return ms
}

/** `null` is what unversioned objects of a versioned bucket are called. */
function readVersion(versionId: string | undefined): string | undefined {
  return versionId === '' || versionId === 'null' ? undefined : versionId
}

export function readWrite(
  reply: { readonly ETag?: string | undefined; readonly VersionId?: string | undefined },
  attempt: Attempt,
): WriteResult {
  return { etag: readEtag(reply.ETag, attempt), versionId: readVersion(reply.VersionId) }
}

/** What a GET's reply holds: the object's size and how many bytes are to come. */
export interface Extent {
  readonly objectBytes: number
  readonly bodyBytes: number
}

/**
 * Checks a reply against the range that was asked for. 200 instead of 206 passes when the range is all of the object.
 * Content-Range: RFC 9110, 14.4.
 */
export function readExtent(
  range: ByteRange | undefined,
  status: number | undefined,
  contentRange: string | undefined,
  contentLength: number | undefined,
  attempt: Attempt,
): Extent {
  if (contentLength === undefined) throw corruptReply('no Content-Length', attempt)
  if (status !== 206) {
    if (range !== undefined && (range.offset > 0 || range.lengthBytes < contentLength))
      throw corruptReply(`status ${status} and the whole object instead of a range`, attempt)
    return { objectBytes: contentLength, bodyBytes: contentLength }
  }
  const [first, last, total] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? '') ?? []).slice(1).map(Number)
  if (range === undefined || first === undefined || last === undefined || total === undefined)
    throw corruptReply(`a partial reply without a good Content-Range (${contentRange})`, attempt)
  const wanted = Math.min(range.offset + range.lengthBytes, total) - 1
  if (first !== range.offset || last !== wanted || contentLength !== last - first + 1)
    throw corruptReply(
      `Content-Range ${contentRange} and ${contentLength} bytes instead of ${range.offset}-${wanted}`,
      attempt,
    )
  return { objectBytes: total, bodyBytes: contentLength }
}
