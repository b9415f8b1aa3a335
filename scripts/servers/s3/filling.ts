import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { type Bucket, fromBytes, toBytes } from './bucket.js'
import { Content } from './content.js'
import { POOL_BYTES, pseudoRandomPool } from './pseudo-random.js'

/** Objects to be made by the server itself, at once and without taking memory for their bytes. */
export interface FillRequest {
  /** A name for each; a run of `#` stands for its number, from 0, with as many digits. */
  readonly key: string
  /** Default 1. */
  readonly count?: number
  readonly sizeBytes: number
  /** Contents differ from seed to seed, and from object to object. Default 1. */
  readonly seed?: number
  /** How old the objects are said to be. Default: an hour. */
  readonly ageMs?: number
}

export interface DigestRequest {
  readonly prefix: string
}

export interface ObjectDigest {
  readonly key: string
  readonly sizeBytes: number
  readonly crc32: number
}

/** Bytes that look random; every filled object is made of views of them, each at another place. */
const PIECE_BYTES = 1024 ** 2
/** Larger ones have the ETag of a multipart upload, so that nobody takes it for an MD5. */
const MD5_LIMIT_BYTES = 4 * 1024 ** 2

let pool: Buffer | undefined

export function fill(bucket: Bucket, request: FillRequest, nowMs: number): { readonly filled: number } {
  const { key, count = 1, sizeBytes, seed = 1, ageMs = 3_600_000 } = request
  for (let number = 0; number < count; number++) {
    const content = pseudoRandom(sizeBytes, seed * 1_000_003 + number)
    bucket.set(
      key.replace(/#+/, digits => String(number).padStart(digits.length, '0')),
      { content, etag: etagOf(content, seed, number), lastModifiedMs: nowMs - ageMs, headers: {}, tags: {}, acl: [] },
    )
  }
  return { filled: count }
}

/** Size and CRC32 of what is stored below a prefix. */
export function digestsOf(bucket: Bucket, { prefix }: DigestRequest): readonly ObjectDigest[] {
  const start = toBytes(prefix)
  const digests: ObjectDigest[] = []
  for (const name of bucket.names(start)) {
    if (!name.startsWith(start)) break
    const key = fromBytes(name)
    const content = bucket.get(key)?.content
    if (content === undefined) continue
    digests.push({
      key,
      sizeBytes: content.sizeBytes,
      crc32: content.pieces.reduce((sum, piece) => crc32(piece, sum), 0),
    })
  }
  return digests
}

function pseudoRandom(sizeBytes: number, seed: number): Content {
  pool ??= pseudoRandomPool(0x9e3779b9)
  const pieces: Buffer[] = []
  let state = seed >>> 0
  for (let left = sizeBytes; left > 0; left -= PIECE_BYTES) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const length = Math.min(left, PIECE_BYTES)
    const start = state % (POOL_BYTES - length)
    pieces.push(pool.subarray(start, start + length))
  }
  return new Content(pieces)
}

function etagOf(content: Content, seed: number, number: number): string {
  const hash = createHash('md5')
  if (content.sizeBytes > MD5_LIMIT_BYTES) return `${hash.update(`${seed} ${number}`).digest('hex')}-1`
  for (const piece of content.pieces) hash.update(piece)
  return hash.digest('hex')
}
