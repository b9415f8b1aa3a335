import { createHash } from 'node:crypto'
import { type Bucket, multipartEtag, type StoredPart, type StoredUpload, toBytes } from './bucket.js'
import { type Call, encode, numberOf, parseRange } from './call.js'
import { Content } from './content.js'
import { checkKey, copySource, givenWith, newEtag } from './objects.js'
import { checkWrite } from './preconditions.js'
import { type Reply, xml } from './reply.js'
import { invalidArgument, malformedXml, noSuchUpload, S3Error } from './s3-error.js'
import { bucketOf, type Service } from './service.js'
import { bodiesOf, document, textOf } from './xml.js'

const MIN_PART_BYTES = 5 * 1024 ** 2
const MAX_PARTS = 10_000
const PAGE = 1000
/** Names that stand in a listing as they are. */
const UNRESERVED = /^[\w.~/-]*$/

export function createUpload(service: Service, call: Call): Reply {
  const bucket = bucketOf(service, call.bucket)
  checkKey(call.key)
  const given = givenWith(service, call)
  const kept = service.knobs.loseTags ? { ...given, tags: {} } : given
  const { uploadId } = bucket.startUpload(call.key, kept, service.nowMs())
  return xml(document('InitiateMultipartUploadResult', { Bucket: call.bucket, Key: call.key, UploadId: uploadId }))
}

function uploadOf(bucket: Bucket, call: Call): StoredUpload {
  const upload = bucket.uploads.get(call.query.get('uploadId') ?? '')
  if (upload === undefined || upload.key !== call.key) throw noSuchUpload()
  return upload
}

function partNumberOf(call: Call): number {
  const number = numberOf(call.query, 'partNumber', 0)
  if (number < 1 || number > MAX_PARTS)
    throw invalidArgument(`Part number must be an integer between 1 and ${MAX_PARTS}, inclusive`)
  return number
}

export async function uploadPart(service: Service, call: Call): Promise<Reply> {
  const bucket = bucketOf(service, call.bucket)
  uploadOf(bucket, call)
  const number = partNumberOf(call)
  const { content, md5 } = await service.readBody(call)
  const etag = newEtag(md5)
  uploadOf(bucket, call).parts.set(number, {
    content,
    etag,
    hasMd5: md5 !== undefined,
    lastModifiedMs: service.nowMs(),
  })
  return { status: 200, headers: { etag: `"${etag}"` } }
}

export function uploadPartCopy(service: Service, call: Call): Reply {
  const upload = uploadOf(bucketOf(service, call.bucket), call)
  const number = partNumberOf(call)
  const source = copySource(service, call)
  const range = call.header('x-amz-copy-source-range')
  const [start, end] = (range === undefined ? undefined : wholeRange(range, source.content.sizeBytes)) ?? [
    0,
    source.content.sizeBytes,
  ]
  const content = source.content.slice(start, end)
  // The MD5 of gigabytes that share memory would take seconds: the ETag is made of what was copied instead.
  const etag = createHash('md5').update(`${source.etag} ${start} ${end}`).digest('hex')
  const lastModifiedMs = service.nowMs()
  upload.parts.set(number, { content, etag, hasMd5: false, lastModifiedMs })
  return xml(document('CopyPartResult', { ETag: `"${etag}"`, LastModified: new Date(lastModifiedMs).toISOString() }))
}

function wholeRange(range: string, sizeBytes: number): readonly [number, number] {
  const [, last] = /^bytes=\d+-(\d+)$/.exec(range) ?? []
  if (last === undefined || Number(last) >= sizeBytes)
    throw invalidArgument(`Range specified is not valid for source object of size: ${sizeBytes}`)
  return parseRange(range, sizeBytes) ?? [0, sizeBytes]
}

export async function completeUpload(service: Service, call: Call): Promise<Reply> {
  const bucket = bucketOf(service, call.bucket)
  uploadOf(bucket, call)
  const { content } = await service.readBody(call)
  const upload = uploadOf(bucket, call)
  const parts = namedParts(upload, Buffer.concat(content.pieces).toString())
  checkWrite(call, service.knobs, 'complete', bucket.get(call.key))
  const etag = multipartEtag(parts)
  const joined = Content.joined(parts.map(part => part.content))
  const { headers, tags, acl } = upload
  // Where the ETag is not made of MD5s, who knew the parts would take the bytes for wrong.
  const partSizes = parts.every(part => part.hasMd5) ? parts.map(part => part.content.sizeBytes) : undefined
  bucket.set(call.key, { content: joined, etag, lastModifiedMs: service.nowMs(), headers, tags, acl, partSizes })
  bucket.uploads.delete(upload.uploadId)
  const location = `/${call.bucket}/${encode(call.key)}`
  return xml(
    document('CompleteMultipartUploadResult', {
      Location: location,
      Bucket: call.bucket,
      Key: call.key,
      ETag: `"${etag}"`,
    }),
  )
}

function namedParts(upload: StoredUpload, body: string): StoredPart[] {
  const named = bodiesOf(body, 'Part').map(part => ({
    number: Number(textOf(part, 'PartNumber')),
    etag: (textOf(part, 'ETag') ?? '').replaceAll('"', ''),
  }))
  if (named.length === 0 || named.some(({ number }) => !Number.isInteger(number))) throw malformedXml()
  return named.map(({ number, etag }, index) => {
    const part = upload.parts.get(number)
    const before = named[index - 1]
    if (before !== undefined && before.number >= number)
      throw new S3Error(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.')
    if (part === undefined || part.etag !== etag)
      throw new S3Error(400, 'InvalidPart', 'One or more of the specified parts could not be found.')
    if (index < named.length - 1 && part.content.sizeBytes < MIN_PART_BYTES)
      throw new S3Error(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size')
    return part
  })
}

export function abortUpload(service: Service, call: Call): Reply {
  const bucket = bucketOf(service, call.bucket)
  bucket.uploads.delete(uploadOf(bucket, call).uploadId)
  return { status: 204 }
}

export function listParts(service: Service, call: Call): Reply {
  const upload = uploadOf(bucketOf(service, call.bucket), call)
  const after = numberOf(call.query, 'part-number-marker', 0)
  const limit = Math.min(numberOf(call.query, 'max-parts', PAGE), PAGE)
  const rest = [...upload.parts].filter(([number]) => number > after).sort(([a], [b]) => a - b)
  const page = rest.slice(0, limit)
  const truncated = rest.length > page.length
  return xml(
    document('ListPartsResult', {
      Bucket: call.bucket,
      Key: call.key,
      UploadId: upload.uploadId,
      PartNumberMarker: after,
      NextPartNumberMarker: truncated ? page.at(-1)?.[0] : undefined,
      MaxParts: limit,
      IsTruncated: truncated,
      Part: page.map(([number, part]) => ({
        PartNumber: number,
        LastModified: new Date(part.lastModifiedMs).toISOString(),
        ETag: `"${part.etag}"`,
        Size: part.content.sizeBytes,
      })),
    }),
  )
}

/** In the order of keys, those of one key as they were begun. */
export function listUploads(service: Service, call: Call): Reply {
  const bucket = bucketOf(service, call.bucket)
  const prefix = call.query.get('prefix') ?? ''
  const keyMarker = call.query.get('key-marker') ?? ''
  const idMarker = call.query.get('upload-id-marker') ?? ''
  const limit = Math.min(numberOf(call.query, 'max-uploads', PAGE), PAGE)
  const name = call.query.get('encoding-type') === 'url' ? encodeName : (text: string) => text
  const all = [...bucket.uploads.values()]
    .filter(upload => upload.key.startsWith(prefix))
    .sort((a, b) => (toBytes(a.key) < toBytes(b.key) ? -1 : a.key === b.key ? a.initiatedMs - b.initiatedMs : 1))
  const marker = all.findIndex(upload => upload.key === keyMarker && upload.uploadId === idMarker)
  const rest = marker >= 0 ? all.slice(marker + 1) : all.filter(upload => toBytes(upload.key) > toBytes(keyMarker))
  const page = rest.slice(0, limit)
  const truncated = rest.length > page.length
  const last = page.at(-1)
  return xml(
    document('ListMultipartUploadsResult', {
      Bucket: call.bucket,
      KeyMarker: name(keyMarker),
      UploadIdMarker: idMarker,
      NextKeyMarker: truncated && last ? name(last.key) : undefined,
      NextUploadIdMarker: truncated ? last?.uploadId : undefined,
      EncodingType: call.query.get('encoding-type'),
      MaxUploads: limit,
      IsTruncated: truncated,
      Upload: page.map(upload => ({
        Key: name(upload.key),
        UploadId: upload.uploadId,
        Initiated: new Date(upload.initiatedMs).toISOString(),
      })),
    }),
  )
}

/** encoding-type=url as S3 writes it: a space is `+`, slashes stay. */
export function encodeName(text: string): string {
  return UNRESERVED.test(text) ? text : encode(text).replaceAll('%2F', '/').replaceAll('%20', '+')
}
