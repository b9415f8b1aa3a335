import { Readable } from 'node:stream'
import type { ByteRange, GetResult, ObjectInfo, ObjectStore } from '../backend/object-store.js'
import { StoreError } from '../backend/store-error.js'
import type { BucketCallOptions, BucketServices } from './bucket-services.js'
import { type ProgressCallback, Tally } from './progress.js'
import { type Verification, verificationOf } from './verification.js'

export interface BucketGetOptions extends BucketCallOptions {
  /** The first byte that is wanted, from 0. Default: 0. */
  readonly startByte?: number | undefined
  /** The last byte that is wanted: bytes 10 to 100 are 91. Default: to the end. */
  readonly endByte?: number | undefined
  /** Only this version (its ETag): another one rejects with `precondition-failed`. */
  readonly ifMatch?: string | undefined
  /** Compares a whole object with the checksum that the store tells of it, if it does. Default true. */
  readonly verify?: boolean | undefined
  readonly onProgress?: ProgressCallback | undefined
}

/** More than any object has. */
const MAX_OBJECT_BYTES = 2 ** 50

/** An object's bytes as they are fetched, which goes no faster than they are read. */
export interface ObjectStream extends Readable {
  readonly info: ObjectInfo
}

/** The bytes in memory. */
export async function getBytes(store: ObjectStore, key: string, options: BucketGetOptions = {}): Promise<Buffer> {
  const { body } = await getObject(store, key, options)
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The bytes as a stream. Nothing is fetched beyond what is read; the stream fails with what the store fails with. */
export async function getStream(
  store: ObjectStore,
  key: string,
  options: BucketGetOptions = {},
): Promise<ObjectStream> {
  const { info, body } = await getObject(store, key, options)
  return Object.assign(Readable.from(body, { objectMode: false }), { info })
}

/** The value that a program stored, by the format of its content type. */
export async function getValue(
  { store, formats }: BucketServices,
  key: string,
  options: BucketGetOptions = {},
): Promise<unknown> {
  const { info, body } = await getObject(store, key, options)
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return formats.deserialize(Buffer.concat(chunks), info.headers.contentType, key)
}

async function getObject(store: ObjectStore, key: string, options: BucketGetOptions): Promise<GetResult> {
  const { signal, ifMatch, onProgress, verify } = options
  const range = rangeOf(options, key)
  const { info, body } = await store.get(key, { range, ifMatch, signal })
  const end = range === undefined ? info.sizeBytes : Math.min(info.sizeBytes, range.offset + range.lengthBytes)
  const tally = new Tally(onProgress, end - (range?.offset ?? 0), key)
  const begin = async () =>
    verify === false || range !== undefined ? undefined : await verificationOf(store, info, { signal })
  return { info, body: watched(body, tally, begin) }
}

async function* watched(
  body: AsyncIterable<Uint8Array>,
  tally: Tally,
  begin: () => Promise<Verification | undefined>,
): AsyncGenerator<Uint8Array> {
  let begun: { readonly verification: Verification | undefined } | undefined
  for await (const chunk of body) {
    begun ??= { verification: await begin() }
    begun.verification?.update(chunk)
    yield chunk
    tally.add(chunk.byteLength)
  }
  await begun?.verification?.finish()
}

/** Throws `invalid` for what is no range. A range that begins behind the end of the object is the store's to refuse. */
export function rangeOf(
  { startByte, endByte }: Pick<BucketGetOptions, 'startByte' | 'endByte'>,
  key: string,
): ByteRange | undefined {
  if (startByte === undefined && endByte === undefined) return undefined
  const offset = startByte ?? 0
  const last = endByte ?? MAX_OBJECT_BYTES
  if (isPlace(offset) && isPlace(last) && last >= offset) return { offset, lengthBytes: last - offset + 1 }
  throw new StoreError('invalid', `${key}: bytes ${offset} to ${endByte ?? 'the end'} are no range`, {
    key,
    operation: 'get',
    code: 'InvalidRange',
  })
}

function isPlace(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
