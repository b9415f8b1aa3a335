import { randomUUID } from 'node:crypto'
import { givenAcl } from './acl.js'
import type { Bucket, Kept, KeptHeaders, StoredObject, Tags } from './bucket.js'
import { type Call, numberOf, parseRange } from './call.js'
import { checkRead, checkSource, checkWrite, matches } from './preconditions.js'
import { type Reply, xml } from './reply.js'
import { accessDenied, invalidArgument, malformedXml, noSuchKey, S3Error } from './s3-error.js'
import { bucketOf, type Service } from './service.js'
import { copiedTags, givenTags, tagCountOf } from './tags.js'
import { bodiesOf, document, textOf, type XmlFields } from './xml.js'

const MAX_METADATA_BYTES = 2048
const MAX_KEY_BYTES = 1024
const MAX_DELETE_KEYS = 1000
const KEPT =
  /^(x-amz-meta-.+|content-(type|encoding|disposition|language)|cache-control|expires|x-amz-storage-class|x-amz-checksum-(crc32|sha1|sha256)|x-amz-server-side-encryption(-aws-kms-key-id|-customer-algorithm|-customer-key-md5)?)$/
const CLASS = 'x-amz-storage-class'
const CLASSES = new Set([
  'STANDARD',
  'REDUCED_REDUNDANCY',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER_IR',
])
const ENCRYPTION = 'x-amz-server-side-encryption'
const ENCRYPTIONS = new Set(['AES256', 'aws:kms', 'aws:kms:dsse'])
const KMS_KEY = 'x-amz-server-side-encryption-aws-kms-key-id'
const CHECKSUMS = ['x-amz-checksum-crc32', 'x-amz-checksum-sha1', 'x-amz-checksum-sha256']
const SECRET = 'x-amz-server-side-encryption-customer-key-md5'

/** The headers of a request that stay with the object. */
export function keptHeaders(call: Call): KeptHeaders {
  const kept: Record<string, string> = {}
  let metadataBytes = 0
  for (const [name, value] of Object.entries(call.headers)) {
    if (!KEPT.test(name)) continue
    kept[name] = value
    if (name.startsWith('x-amz-meta-'))
      metadataBytes += name.length - 'x-amz-meta-'.length + Buffer.byteLength(value, 'latin1')
  }
  const encoding = kept['content-encoding']?.replace(/(^|,)\s*aws-chunked\s*(?=,|$)/, '').replace(/^,/, '')
  if (encoding === '') delete kept['content-encoding']
  else if (encoding !== undefined) kept['content-encoding'] = encoding
  if (metadataBytes > MAX_METADATA_BYTES)
    throw new S3Error(400, 'MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size')
  return kept
}

/** What a request brings along for its object. Throws what S3 refuses. */
export function givenWith(service: Service, call: Call): Kept {
  const headers = keptHeaders(call)
  checkPlacement(headers)
  return { headers, tags: givenTags(call), acl: givenAcl(service, call) }
}

function checkPlacement(headers: KeptHeaders): void {
  const { [CLASS]: storageClass, [ENCRYPTION]: encryption } = headers
  if (storageClass !== undefined && !CLASSES.has(storageClass))
    throw new S3Error(400, 'InvalidStorageClass', 'The storage class you specified is not valid')
  if (encryption !== undefined && !ENCRYPTIONS.has(encryption))
    throw invalidArgument('The encryption method specified is not supported')
  if (encryption !== undefined && headers[SECRET] !== undefined)
    throw invalidArgument('Server Side Encryption with Customer provided key is incompatible with the method specified')
  if (headers[KMS_KEY] !== undefined && !encryption?.startsWith('aws:kms'))
    throw invalidArgument('A KMS key goes with aws:kms')
}

export function checkKey(key: string): void {
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw new S3Error(400, 'KeyTooLongError', 'Your key is too long')
}

export function newEtag(md5: string | undefined): string {
  // Randomness for many at once is kept at hand for these only.
  return md5 ?? randomUUID().replaceAll('-', '')
}

export async function putObject(service: Service, call: Call): Promise<Reply> {
  const bucket = bucketOf(service, call.bucket)
  checkKey(call.key)
  const kept = givenWith(service, call)
  const { content, md5, trailer } = await service.readBody(call)
  checkWrite(call, service.knobs, 'put', bucket.get(call.key))
  const etag = newEtag(md5)
  const headers = { ...kept.headers, ...trailer }
  bucket.set(call.key, { content, etag, lastModifiedMs: service.nowMs(), ...kept, headers })
  return { status: 200, headers: { etag: `"${etag}"`, ...encryptionOf(kept.headers) } }
}

export function getObject(service: Service, call: Call): Reply {
  const object = readable(bucketOf(service, call.bucket), call)
  if (checkRead(call, object)) return { status: 304, headers: { etag: `"${object.etag}"` } }
  const { content } = object
  const asked = call.header('range')
  const range = asked === undefined ? partRange(object, call) : parseRange(asked, content.sizeBytes)
  const headers: Record<string, string> = {
    ...object.headers,
    ...factsOf(object),
    ...(!service.knobs.hideTagCounts.some(name => name === call.operation) && tagCountOf(object.tags)),
    ...partsCountOf(object, call),
  }
  // S3 names every class but the usual one.
  if (headers[CLASS] === 'STANDARD') delete headers[CLASS]
  if (range !== undefined || call.header('x-amz-checksum-mode') !== 'ENABLED')
    for (const name of CHECKSUMS) delete headers[name]
  const part = range === undefined ? content : content.slice(...range)
  const status = range === undefined ? 200 : 206
  const contentRange =
    range === undefined ? {} : { 'content-range': `bytes ${range[0]}-${range[1] - 1}/${content.sizeBytes}` }
  if (call.method === 'HEAD')
    return { status, headers: { ...headers, ...contentRange }, announcedBytes: part.sizeBytes }
  return { status, headers: { ...headers, ...contentRange }, body: part }
}

/** One part of the object; undefined where none is asked for, or no parts are known. */
function partRange({ partSizes }: StoredObject, call: Call): readonly [number, number] | undefined {
  if (partSizes === undefined || !call.query.has('partNumber')) return undefined
  const number = numberOf(call.query, 'partNumber', 0)
  const sizeBytes = partSizes[number - 1]
  if (sizeBytes === undefined)
    throw new S3Error(416, 'InvalidPartNumber', 'The requested partnumber is not satisfiable')
  const start = partSizes.slice(0, number - 1).reduce((sum, size) => sum + size, 0)
  return [start, start + sizeBytes]
}

function partsCountOf({ partSizes }: StoredObject, call: Call): Record<string, string> {
  return partSizes === undefined || !call.query.has('partNumber')
    ? {}
    : { 'x-amz-mp-parts-count': `${partSizes.length}` }
}

function factsOf(object: StoredObject): Record<string, string> {
  return {
    etag: `"${object.etag}"`,
    'last-modified': new Date(object.lastModifiedMs).toUTCString(),
    'accept-ranges': 'bytes',
    'content-type': object.headers['content-type'] ?? 'binary/octet-stream',
  }
}

/** An object under SSE-C is read only with its key. */
function readable(bucket: Bucket, call: Call): StoredObject {
  const object = bucket.get(call.key)
  if (object === undefined) throw noSuchKey()
  checkCustomerKey(object, call.header(SECRET))
  return object
}

function checkCustomerKey(object: StoredObject, given: string | undefined): void {
  const wanted = object.headers[SECRET]
  if (wanted === given) return
  if (wanted !== undefined && given !== undefined) throw accessDenied()
  throw new S3Error(400, 'InvalidRequest', 'The object was stored using a form of Server Side Encryption.')
}

function encryptionOf(headers: KeptHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-amz-server-side-encryption')))
}

export function deleteObject(service: Service, call: Call): Reply {
  const bucket = bucketOf(service, call.bucket)
  checkWrite(call, service.knobs, 'delete', bucket.get(call.key))
  bucket.delete(call.key)
  return { status: 204 }
}

export async function deleteObjects(service: Service, call: Call): Promise<Reply> {
  const bucket = bucketOf(service, call.bucket)
  if (call.header('content-md5') === undefined && !Object.keys(call.headers).some(isChecksum))
    throw new S3Error(400, 'InvalidRequest', 'Missing required header for this request: Content-MD5')
  const { content } = await service.readBody(call)
  const body = Buffer.concat(content.pieces).toString()
  const entries = bodiesOf(body, 'Object').map(entry => ({ key: textOf(entry, 'Key'), etag: textOf(entry, 'ETag') }))
  if (entries.length === 0 || entries.length > MAX_DELETE_KEYS) throw malformedXml()
  const deleted: XmlFields[] = []
  const errors: XmlFields[] = []
  for (const { key, etag } of entries) {
    if (key === undefined) throw malformedXml()
    const present = bucket.get(key)
    if (etag !== undefined && present !== undefined && !matches(etag, present.etag)) {
      errors.push({ Key: key, Code: 'PreconditionFailed', Message: 'The precondition did not hold.' })
      continue
    }
    bucket.delete(key)
    deleted.push({ Key: key })
  }
  const quiet = textOf(body, 'Quiet') === 'true'
  return xml(document('DeleteResult', { Deleted: quiet ? undefined : deleted, Error: errors }))
}

function isChecksum(name: string): boolean {
  return /^x-amz-checksum-(crc|sha)/.test(name)
}

/** The object that x-amz-copy-source names, if it may be copied. */
export function copySource(service: Service, call: Call): StoredObject {
  const [path = ''] = (call.header('x-amz-copy-source') ?? '').split('?')
  const [, bucketName, key] = /^\/?([^/]+)\/(.+)$/s.exec(decodeURIComponent(path)) ?? []
  if (bucketName === undefined || key === undefined) throw invalidArgument('Copy Source must mention the source bucket')
  const source = bucketOf(service, bucketName).get(key)
  if (source === undefined) throw noSuchKey()
  checkCustomerKey(source, call.header('x-amz-copy-source-server-side-encryption-customer-key-md5'))
  checkSource(call, service.knobs, source)
  return source
}

export function copyObject(service: Service, call: Call): Reply {
  const bucket = bucketOf(service, call.bucket)
  checkKey(call.key)
  const source = copySource(service, call)
  if (source.content.sizeBytes > service.knobs.maxCopyBytes)
    throw new S3Error(400, 'InvalidRequest', 'The specified copy source is larger than the maximum allowable size')
  const replace = call.header('x-amz-metadata-directive') === 'REPLACE'
  const given = givenWith(service, call)
  const changes = Object.keys(given.headers).some(name => /^x-amz-(storage-class|server-side)/.test(name))
  if (!replace && !changes && bucket.get(call.key) === source)
    throw new S3Error(400, 'InvalidRequest', 'This copy request is illegal because it changes nothing.')
  checkWrite(call, service.knobs, 'copy', bucket.get(call.key))
  const lastModifiedMs = service.nowMs()
  const headers = replace ? given.headers : { ...attachmentsOf(source.headers), ...placementOf(given.headers) }
  const tags: Tags = replace && service.knobs.loseTags ? {} : copiedTags(call, source)
  // Another one than that of the parts, and none that could be taken for the MD5 of the bytes, which it is not.
  const etag = source.etag.includes('-') ? `${newEtag(undefined)}-1` : source.etag
  bucket.set(call.key, { content: source.content, etag, lastModifiedMs, headers, tags, acl: given.acl })
  return xml(document('CopyObjectResult', { ETag: `"${etag}"`, LastModified: new Date(lastModifiedMs).toISOString() }))
}

/** What a copy takes over from its source: not the class, not the encryption. */
function attachmentsOf(headers: KeptHeaders): KeptHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !/^x-amz-(storage-class|server-side)/.test(name)),
  )
}

function placementOf(headers: KeptHeaders): KeptHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => /^x-amz-(storage-class|server-side)/.test(name)))
}
