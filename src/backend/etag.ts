import { createHash } from 'node:crypto'
import type { ObjectVersion } from './object-store.js'

const MD5_ETAG = /^[0-9a-f]{32}$/

/** Whether an ETag can be the MD5 of the object's bytes, as a plain PUT without KMS gives it. */
export function looksLikeMd5(etag: string): boolean {
  return MD5_ETAG.test(etag)
}

/** MD5 in lower-case hex: the ETag of an object that came in one piece. */
export function md5Hex(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex')
}

/**
 * The ETag that S3 gives a multipart object: the MD5 of its parts' MD5s, a dash and their number. Undefined when a part's
 * ETag is no MD5.
 */
export function multipartEtag(partEtags: readonly string[]): string | undefined {
  if (!partEtags.every(looksLikeMd5)) return undefined
  const hash = createHash('md5')
  for (const etag of partEtags) hash.update(Buffer.from(etag, 'hex'))
  return `${hash.digest('hex')}-${partEtags.length}`
}

/** The same bytes, as far as a listing tells. */
export function isSameVersion(a: ObjectVersion | undefined, b: ObjectVersion): boolean {
  return a !== undefined && a.etag === b.etag && a.sizeBytes === b.sizeBytes
}
