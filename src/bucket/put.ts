import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import type { Attachments, Body, Metadata, ObjectHeaders, WriteConditions } from '../backend/object-store.js'
import type { CannedAcl } from '../backend/powers.js'
import { StoreError } from '../backend/store-error.js'
import type { BucketCallOptions, BucketServices } from './bucket-services.js'
import { contentTypeOfName, guessContentType, SNIFFED_BYTES } from './content-type.js'
import { FileUploads } from './file-uploads.js'
import { SourceFile } from './local-file.js'
import { type ProgressCallback, Tally } from './progress.js'
import { PieceMemory, sizedPieces } from './stream-pieces.js'
import { partSizeFor } from './sync/part-size.js'
import { countedBody, uploadParts } from './upload.js'

export interface BucketPutOptions extends BucketCallOptions, WriteConditions {
  /** Default: by the key, else by the name of the file, else by the first bytes. */
  readonly contentType?: string | undefined
  /** Content headers beside the type. */
  readonly headers?: Omit<ObjectHeaders, 'contentType'> | undefined
  /** The user's own: names without the provider's prefix. */
  readonly metadata?: Metadata | undefined
  /** A canned ACL, in the place of the one that the bucket was opened with. */
  readonly acl?: CannedAcl | undefined
  readonly onProgress?: ProgressCallback | undefined
}

export interface PutFileOptions extends BucketPutOptions {
  /**
   * Keeps the SHA-256 of a file that is sent in parts as metadata `sha256`, by which it is checked when it is fetched; the file is read
   * once more for that. What is sent in one piece has a checksum by itself. Default true.
   */
  readonly checksum?: boolean | undefined
}

export interface PutResult {
  readonly key: string
  readonly sizeBytes: number
  readonly etag: string
  readonly contentType: string
  readonly versionId?: string | undefined
  /** Of a file that is sent in parts: what an interrupted try of the same file had sent. */
  readonly resumedBytes?: number
}

/** Bytes or text as they are, a stream of either (a Readable, a web stream, a generator, a Blob's), or a value to be serialized. */
export type PutContent = unknown

/** The metadata that holds the SHA-256 of an object's bytes, in lower-case hex. */
const SHA256_NAME = 'sha256'

/** Parts of a stream on their way at once: their memory is that of the process, where those of a file are read again. */
const STREAM_PARTS_AT_ONCE = 4

/** Stores what a program holds. It appears whole or not at all. */
export async function putContent(
  services: BucketServices,
  key: string,
  content: PutContent,
  options: BucketPutOptions = {},
): Promise<PutResult> {
  if (typeof content === 'string') return putBytes(services, key, Buffer.from(content), options)
  if (content instanceof Uint8Array) return putBytes(services, key, content, options)
  if (content instanceof ArrayBuffer) return putBytes(services, key, new Uint8Array(content), options)
  if (content instanceof Blob) return putStream(services, key, content.stream(), options)
  if (isStream(content)) return putStream(services, key, content, options)
  const contentType = options.contentType ?? (await guessContentType(key, new Uint8Array(0)))
  const type = contentType === 'application/octet-stream' ? 'application/json' : contentType
  const bytes = await services.formats.serialize(content, type, key)
  return putContent(services, key, bytes, { ...options, contentType: type })
}

/** Stores a file under `key`, by default its own name. Rejects with `invalid` for a folder. */
export async function putFile(
  services: BucketServices,
  path: string,
  key: string = basename(path),
  options: PutFileOptions = {},
): Promise<PutResult> {
  const file = await SourceFile.open(path)
  try {
    if (!file.isRegular) return await putStream(services, key, file.stream(), options)
    return await putRegular(services, file, key, options)
  } finally {
    await file.close()
  }
}

/** A file is sent in parts from here on. */
function leastBytesInParts({ settings, store }: BucketServices): number {
  return Math.min(2 * settings.partSizeBytes, store.capabilities.maxPutBytes)
}

async function putRegular(
  services: BucketServices,
  file: SourceFile,
  key: string,
  options: PutFileOptions,
): Promise<PutResult> {
  const { store } = services
  const { sizeBytes } = file
  const { signal, ifMatch, ifNoneMatch } = options
  const contentType =
    options.contentType ?? contentTypeOfName(key) ?? (await guessContentType(file.path, await file.head(SNIFFED_BYTES)))
  const attachments = attachmentsOf(options, contentType)
  const tally = new Tally(options.onProgress, sizeBytes, key)
  if (sizeBytes < leastBytesInParts(services)) {
    const piece = tally.piece()
    const body = countedBody(file.range(0, sizeBytes), piece.at)
    const written = await store.put(key, body, { ...attachments, signal, ifMatch, ifNoneMatch })
    piece.settle(sizeBytes)
    return { key, sizeBytes, contentType, etag: written.etag, versionId: written.versionId }
  }
  return putInParts(services, file, { key, contentType, attachments, tally }, options)
}

interface FilePut {
  readonly key: string
  readonly contentType: string
  readonly attachments: Attachments
  readonly tally: Tally
}

/** What was interrupted goes on where it stopped, if neither the file nor what is stored with it has changed since. */
async function putInParts(
  services: BucketServices,
  file: SourceFile,
  { key, contentType, attachments, tally }: FilePut,
  { signal, ifMatch, ifNoneMatch, checksum }: PutFileOptions,
): Promise<PutResult> {
  const { store, settings } = services
  const { sizeBytes } = file
  const partBytes = partSizeFor(sizeBytes, settings.partSizeBytes, store.capabilities.multipart)
  const lengthOf = (number: number) => Math.min(partBytes, sizeBytes - (number - 1) * partBytes)
  const uploads = new FileUploads(services)
  await uploads.dropOld(signal)
  const { etag, versionId, resumedBytes } = await uploads.send(
    {
      key,
      sizeBytes,
      partBytes,
      content: ['put', file.identity, checksum !== false, attachments],
      attachments: async () => {
        const sha256 = checksum === false ? undefined : await sha256Of(file, signal)
        const metadata = { ...(sha256 !== undefined && { [SHA256_NAME]: sha256 }), ...attachments.metadata }
        return { ...attachments, metadata }
      },
      part: (number, onBytes) => {
        let toldBytes = 0
        return countedBody(file.range((number - 1) * partBytes, lengthOf(number)), bytes => {
          onBytes(bytes - toldBytes)
          toldBytes = bytes
        })
      },
      isStored: part => part.sizeBytes === lengthOf(part.number),
      checkUnchanged: () => file.checkUnchanged(),
    },
    { signal, ifMatch, ifNoneMatch, onBytes: bytes => tally.shift(bytes) },
  )
  return { key, sizeBytes, contentType, etag, versionId, resumedBytes }
}

async function putBytes(
  services: BucketServices,
  key: string,
  bytes: Uint8Array,
  options: BucketPutOptions,
): Promise<PutResult> {
  const contentType = options.contentType ?? (await guessContentType(key, bytes.subarray(0, SNIFFED_BYTES)))
  if (bytes.byteLength > services.settings.partSizeBytes)
    return putStream(services, key, slicesOf(bytes, services.settings.partSizeBytes), { ...options, contentType })
  const { signal, ifMatch, ifNoneMatch } = options
  const attachments = attachmentsOf(options, contentType)
  const { etag, versionId } = await services.store.put(key, bytes, { ...attachments, signal, ifMatch, ifNoneMatch })
  options.onProgress?.(bytes.byteLength, bytes.byteLength, key)
  return { key, sizeBytes: bytes.byteLength, contentType, etag, versionId }
}

/** Stores a stream of unknown length in bounded memory: what fits in one part at once, else by parts as they are full. */
async function putStream(
  services: BucketServices,
  key: string,
  content: AsyncIterable<unknown>,
  options: BucketPutOptions,
): Promise<PutResult> {
  const { store, settings } = services
  const { signal, ifMatch, ifNoneMatch } = options
  const memory = new PieceMemory()
  const pieces = sizedPieces(content, settings.partSizeBytes, memory, key, signal)
  const first = await pieces.next()
  const body: Body = first.done === true ? new Uint8Array(0) : first.value
  const head = await headOf(body)
  const contentType = options.contentType ?? (await guessContentType(key, head))
  const attachments = attachmentsOf(options, contentType)
  const tally = new Tally(options.onProgress, undefined, key)
  const second = first.done === true ? first : await pieces.next()
  if (second.done === true) {
    const { etag, versionId } = await store.put(key, body, { ...attachments, signal, ifMatch, ifNoneMatch })
    const sizeBytes = body instanceof Uint8Array ? body.byteLength : body.sizeBytes
    tally.add(sizeBytes)
    return { key, sizeBytes, contentType, etag, versionId }
  }
  const bodies = (async function* () {
    yield body
    yield second.value
    yield* pieces
  })()
  const partsAtOnce = Math.min(STREAM_PARTS_AT_ONCE, settings.uploadConcurrency)
  const written = await uploadParts(store, key, bodies, {
    attachments,
    partsAtOnce,
    tally,
    signal,
    ifMatch,
    ifNoneMatch,
    onStored: stored => memory.give(stored),
  })
  return { key, sizeBytes: tally.doneBytes, contentType, etag: written.etag, versionId: written.versionId }
}

function attachmentsOf({ headers, metadata, acl }: BucketPutOptions, contentType: string): Attachments {
  return { headers: { ...headers, contentType }, ...(metadata !== undefined && { metadata }), acl }
}

async function sha256Of(file: SourceFile, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256')
  await file.readAll(bytes => hash.update(bytes), signal)
  return hash.digest('hex')
}

async function headOf(body: Body): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body.subarray(0, SNIFFED_BYTES)
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body.open()) {
    chunks.push(chunk)
    bytes += chunk.byteLength
    if (bytes >= SNIFFED_BYTES) break
  }
  return Buffer.concat(chunks).subarray(0, SNIFFED_BYTES)
}

function isStream(content: unknown): content is AsyncIterable<unknown> {
  return typeof content === 'object' && content !== null && Symbol.asyncIterator in content
}

async function* slicesOf(bytes: Uint8Array, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes)
}

/** What a key may be made of: `--prefix P` puts P and a slash before it. */
export function keyBelow(prefix: string | undefined, key: string): string {
  if (prefix === undefined || prefix === '') return key
  if (key === '') throw new StoreError('invalid', 'a key is needed behind the prefix', { operation: 'put' })
  return `${prefix.replace(/\/$/, '')}/${key}`
}
