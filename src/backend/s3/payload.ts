import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { readBody } from '../body.js'
import type { Body, BodySource } from '../object-store.js'
import { StoreError } from '../store-error.js'
import { base64Sum, CHUNKED_HASH, chunkedSizeBytes, chunksWithChecksum } from './checksum-chunks.js'
import type { Attempt } from './errors.js'
import type { RequestBody } from './http/exchange.js'
import type { Fields } from './request-head.js'

/** What goes with the bytes of a request. */
export interface PayloadRules {
  /** SHA-256 of the body in the signature. */
  readonly isSigned: boolean
  /** CRC32 of the body. */
  readonly isSummed: boolean
}

export interface Payload {
  readonly hash: string
  readonly fields: Fields
  readonly body: RequestBody | undefined
}

const UNSIGNED = 'UNSIGNED-PAYLOAD'

/** What S3 is told in a body that is no object's: a checksum beside it would be taken for one of the object. */
export function textPayload(text: string): Payload {
  const bytes = Buffer.from(text)
  return {
    hash: sha256Hex([bytes]),
    fields: { 'content-length': String(bytes.byteLength) },
    body: bytes.byteLength === 0 ? undefined : { sizeBytes: bytes.byteLength, pieces: [bytes] },
  }
}

/** How a body goes out: from memory as it is, or from its source while it is read. */
export function makePayload(body: Body, rules: PayloadRules, attempt: Attempt): Payload | Promise<Payload> {
  const pieces = inMemory(body)
  if (pieces !== undefined) return memoryPayload(body, pieces, rules, attempt)
  return sourcePayload(body as BodySource, rules, attempt)
}

function inMemory(body: Body): readonly Uint8Array[] | undefined {
  if (body instanceof Uint8Array) return [body]
  return body.sizeBytes === 0 ? [] : body.inMemory
}

function memoryPayload(body: Body, pieces: readonly Uint8Array[], rules: PayloadRules, attempt: Attempt): Payload {
  const sizeBytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
  const { operation, key } = attempt
  if (!(body instanceof Uint8Array) && sizeBytes !== body.sizeBytes)
    throw new StoreError('invalid', `the body of ${operation} is not ${body.sizeBytes} bytes long as declared`, {
      operation,
      ...(key !== undefined && { key }),
    })
  const sum =
    rules.isSummed && !rules.isSigned ? base64Sum(pieces.reduce((sum, piece) => crc32(piece, sum), 0)) : undefined
  return {
    hash: rules.isSigned ? sha256Hex(pieces) : UNSIGNED,
    fields: { 'content-length': String(sizeBytes), 'x-amz-checksum-crc32': sum },
    body: { sizeBytes, pieces, onSent: body instanceof Uint8Array ? undefined : () => body.onSent?.() },
  }
}

/** Read once, unless its hash has to stand before it. A source that was read to its end gives the same bytes again. */
async function sourcePayload(body: BodySource, rules: PayloadRules, attempt: Attempt): Promise<Payload> {
  const { operation, key = '', signal } = attempt
  const read = () => readBody(body, operation, key, signal)
  const { sizeBytes } = body
  if (rules.isSigned) {
    const hash = createHash('sha256')
    for await (const chunk of read()) hash.update(chunk)
    return {
      hash: hash.digest('hex'),
      fields: { 'content-length': String(sizeBytes) },
      body: { sizeBytes, pieces: read() },
    }
  }
  if (!rules.isSummed)
    return { hash: UNSIGNED, fields: { 'content-length': String(sizeBytes) }, body: { sizeBytes, pieces: read() } }
  return {
    hash: CHUNKED_HASH,
    fields: {
      'content-encoding': 'aws-chunked',
      'content-length': String(chunkedSizeBytes(sizeBytes)),
      'x-amz-decoded-content-length': String(sizeBytes),
      'x-amz-trailer': 'x-amz-checksum-crc32',
    },
    body: { sizeBytes: chunkedSizeBytes(sizeBytes), pieces: chunksWithChecksum(read(), sizeBytes) },
  }
}

function sha256Hex(pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return hash.digest('hex')
}
