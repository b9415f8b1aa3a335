import type { ListObjectsV2Output } from '@aws-sdk/client-s3'
import { compareKeys } from '../keys.js'
import type { ListPage, ObjectVersion } from '../object-store.js'
import { type Attempt, corruptReply } from './errors.js'
import { readEtag, readTime } from './replies.js'

type ListedObject = NonNullable<ListObjectsV2Output['Contents']>[number]

/** A page as the contract has it: names decoded, in key order, nothing that is not behind `startAfter`. */
export function readListing(reply: ListObjectsV2Output, startAfter: string | undefined, attempt: Attempt): ListPage {
  const decode = reply.EncodingType === 'url' ? (name: string) => decodeName(name, attempt) : (name: string) => name
  const objects = (reply.Contents ?? []).map(object => readObject(object, decode, attempt))
  const prefixes = (reply.CommonPrefixes ?? [])
    .map(({ Prefix }) => decode(Prefix ?? ''))
    // S3 lists a common prefix as soon as one key below it is behind `startAfter`.
    .filter(prefix => startAfter === undefined || compareKeys(prefix, startAfter) > 0)
  const page = { objects: objects.sort((a, b) => compareKeys(a.key, b.key)), prefixes: prefixes.sort(compareKeys) }
  if (reply.IsTruncated !== true) return page
  if (!reply.NextContinuationToken) throw corruptReply('a page that is not the last names no next one', attempt)
  return { ...page, next: reply.NextContinuationToken }
}

function readObject(object: ListedObject, decode: (name: string) => string, attempt: Attempt): ObjectVersion {
  if (object.Key === undefined || object.Size === undefined)
    throw corruptReply('an object without name or size', attempt)
  return {
    key: decode(object.Key),
    sizeBytes: object.Size,
    etag: readEtag(object.ETag, attempt),
    lastModifiedMs: readTime(object.LastModified, attempt),
    storageClass: object.StorageClass,
  }
}

/** encoding-type=url: percent-encoding, with `+` for a space (some servers write %20). */
export function decodeName(name: string, attempt: Attempt): string {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch (error) {
    throw corruptReply(`a name that is not percent-encoded UTF-8: ${name} (${String(error)})`, attempt)
  }
}
