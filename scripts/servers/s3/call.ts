import type { Exchange } from './http/exchange.js'
import type { Headers } from './http/request-head.js'
import { invalidArgument, S3Error } from './s3-error.js'

/** A request, taken apart: which bucket and key it is about, and what is to be done. */
export interface Call {
  readonly exchange: Exchange
  readonly headers: Headers
  readonly method: string
  readonly bucket: string
  readonly key: string
  readonly query: ReadonlyMap<string, string>
  /** Path and query as they are signed: decoded and encoded again by the rules. */
  readonly canonicalPath: string
  readonly canonicalQuery: string
  /** The name of the S3 operation, for counters and faults: `GetObject`. */
  readonly operation: string
  header(name: string): string | undefined
}

/** `hostBase`: below this host name, `bucket.hostBase` is a bucket (virtual-host style). */
export function parseCall(exchange: Exchange, hostBase: string): Call {
  const { method, url, headers } = exchange.head
  const [rawPath = '/', rawQuery = ''] = splitOnce(url, '?')
  const isPlain = PLAIN_PATH.test(rawPath)
  const path = isPlain ? rawPath : decode(rawPath)
  const query = parseQuery(rawQuery)
  const header = (name: string) => headers[name]
  const [bucket = '', key = ''] = splitBucket(path, headers.host ?? '', hostBase)
  return {
    exchange,
    headers,
    method,
    bucket,
    key,
    query,
    canonicalPath: isPlain ? path : path.split('/').map(encode).join('/'),
    canonicalQuery: canonicalQuery(query),
    operation: operationOf(method, bucket, key, query, header),
    header,
  }
}

/** Nothing in it is encoded, or has to be. */
const PLAIN_PATH = /^[\w.~/-]*$/

function splitBucket(path: string, host: string, hostBase: string): readonly [string, string] {
  const [name = ''] = splitOnce(host, ':')
  if (name.endsWith(`.${hostBase}`)) return [name.slice(0, -hostBase.length - 1), path.slice(1)]
  const [bucket = '', key = ''] = splitOnce(path.slice(1), '/')
  return [bucket, key]
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)]
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    throw new S3Error(400, 'InvalidURI', `Couldn't parse the specified URI: ${String(error)}`)
  }
}

function parseQuery(rawQuery: string): Map<string, string> {
  const query = new Map<string, string>()
  if (rawQuery === '') return query
  for (const pair of rawQuery.split('&')) {
    if (pair === '') continue
    const [name = '', value = ''] = splitOnce(pair.replaceAll('+', '%20'), '=')
    query.set(decode(name), decode(value))
  }
  return query
}

/** Signature Version 4, "Create a canonical request". */
function canonicalQuery(query: ReadonlyMap<string, string>): string {
  if (query.size === 0) return ''
  return [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** Every byte but the unreserved ones: RFC 3986, 2.3. */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** Sub-resources by which a method gets another name. */
const OBJECT_OPERATIONS: Readonly<Record<string, string>> = {
  GET: 'GetObject',
  HEAD: 'HeadObject',
  PUT: 'PutObject',
  DELETE: 'DeleteObject',
  'GET uploadId': 'ListParts',
  'DELETE uploadId': 'AbortMultipartUpload',
  'POST uploadId': 'CompleteMultipartUpload',
  'POST uploads': 'CreateMultipartUpload',
  'PUT uploadId': 'UploadPart',
  'PUT copy': 'CopyObject',
  'PUT uploadId copy': 'UploadPartCopy',
  'GET tagging': 'GetObjectTagging',
  'PUT tagging': 'PutObjectTagging',
  'DELETE tagging': 'DeleteObjectTagging',
  'GET acl': 'GetObjectAcl',
  'PUT acl': 'PutObjectAcl',
}
const BUCKET_OPERATIONS: Readonly<Record<string, string>> = {
  GET: 'ListObjects',
  HEAD: 'HeadBucket',
  PUT: 'CreateBucket',
  DELETE: 'DeleteBucket',
  'GET list-type': 'ListObjectsV2',
  'GET uploads': 'ListMultipartUploads',
  'GET location': 'GetBucketLocation',
  'POST delete': 'DeleteObjects',
  'GET ownershipControls': 'GetBucketOwnershipControls',
}

function operationOf(
  method: string,
  bucket: string,
  key: string,
  query: ReadonlyMap<string, string>,
  header: (name: string) => string | undefined,
): string {
  if (bucket === '') return method === 'GET' ? 'ListBuckets' : 'Unknown'
  const table = key === '' ? BUCKET_OPERATIONS : OBJECT_OPERATIONS
  const isCopy = key !== '' && header('x-amz-copy-source') !== undefined
  if (query.size === 0 && !isCopy) return table[method] ?? 'Unknown'
  const parts = [method]
  for (const name of NAMING_PARAMETERS) if (query.has(name)) parts.push(name)
  if (isCopy) parts.push('copy')
  if ([...query.keys()].some(name => SUB_RESOURCES.has(name))) return 'Unknown'
  return table[parts.join(' ')] ?? 'Unknown'
}

/** Parameters by which a request is another operation. */
const NAMING_PARAMETERS = [
  'uploadId',
  'uploads',
  'list-type',
  'location',
  'delete',
  'tagging',
  'acl',
  'ownershipControls',
]

/** What this server does not have; a request for one must not pass for a plain GET or PUT. */
const SUB_RESOURCES = new Set(['cors', 'lifecycle', 'policy', 'retention', 'versioning', 'versions', 'website'])

/** `bytes=a-b`, `bytes=a-` and `bytes=-n` as [start, end) of `sizeBytes`; undefined for anything else. */
export function parseRange(range: string, sizeBytes: number): readonly [number, number] | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  const start = first === '' ? Math.max(sizeBytes - Number(last), 0) : Number(first)
  const end = first === '' || last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes)
  if (start >= sizeBytes || start >= end)
    throw new S3Error(
      416,
      'InvalidRange',
      'The requested range is not satisfiable',
      {},
      { 'content-range': `bytes */${sizeBytes}` },
    )
  return [start, end]
}

/** A number among the query parameters. */
export function numberOf(query: ReadonlyMap<string, string>, name: string, fallback: number): number {
  const text = query.get(name)
  if (text === undefined || text === '') return fallback
  if (!/^\d+$/.test(text)) throw invalidArgument(`Provided ${name} not an integer or within integer range`)
  return Number(text)
}
