/**
 * What became of a write whose answer was lost and whose repetition met an obstacle: a HEAD is compared with what was
 * sent. Where the ETag can't tell, the obstacle is reported as one whose cause is unknown.
 */
import { createHash } from 'node:crypto'
import { bodySizeBytes, readBody } from '../../body.js'
import type { Signal } from '../../call-signal.js'
import { looksLikeMd5, multipartEtag } from '../../etag.js'
import type {
  Body,
  CompletedPart,
  CopyOptions,
  Metadata,
  ObjectInfo,
  ObjectStore,
  WriteResult,
} from '../../object-store.js'
import { isStoreError, StoreError } from '../../store-error.js'
import { asAmbiguous } from './retry-loop.js'

type Heads = Pick<ObjectStore, 'head'>

/** The object that must be there if the write was carried out; an absent ETag is one that can't be foretold. */
interface Expected {
  readonly sizeBytes: number | undefined
  readonly etag: string | undefined
  readonly metadata: Metadata | undefined
}

export async function settlePut(
  store: Heads,
  key: string,
  body: Body,
  metadata: Metadata | undefined,
  obstacle: StoreError,
  signal: Signal | undefined,
): Promise<WriteResult> {
  const found = await present(store, key, obstacle, signal)
  const sizeBytes = bodySizeBytes(body)
  if (found.sizeBytes !== sizeBytes) throw obstacle
  const etag = looksLikeMd5(found.etag) ? await md5Of(body, key, signal) : undefined
  return compared(found, { sizeBytes, etag, metadata }, obstacle)
}

export async function settleComplete(
  store: Heads,
  key: string,
  parts: readonly CompletedPart[],
  obstacle: StoreError,
  signal: Signal | undefined,
): Promise<WriteResult> {
  const found = await present(store, key, obstacle, signal)
  const ordered = parts.toSorted((a, b) => a.number - b.number)
  const sizeBytes = ordered.reduce((sum, part) => sum + part.sizeBytes, 0)
  const etag = found.etag.includes('-') ? multipartEtag(ordered.map(part => part.etag)) : undefined
  return compared(found, { sizeBytes, etag, metadata: undefined }, obstacle)
}

export async function settleCopy(
  store: Heads,
  from: string,
  to: string,
  options: CopyOptions,
  obstacle: StoreError,
): Promise<WriteResult> {
  const found = await present(store, to, obstacle, options.signal)
  const etag = options.sourceIfMatch ?? (await present(store, from, obstacle, options.signal)).etag
  const isTelling = looksLikeMd5(etag) && looksLikeMd5(found.etag)
  const metadata = options.metadata ?? (options.headers === undefined ? undefined : {})
  return compared(found, { sizeBytes: undefined, etag: isTelling ? etag : undefined, metadata }, obstacle)
}

function compared(found: ObjectInfo, expected: Expected, obstacle: StoreError): WriteResult {
  if (expected.sizeBytes !== undefined && expected.sizeBytes !== found.sizeBytes) throw obstacle
  if (expected.etag !== undefined && expected.etag !== found.etag) throw obstacle
  if (expected.etag === undefined || !sameMetadata(expected.metadata, found.metadata))
    throw asAmbiguous(obstacle, `${obstacle.message}; it is unknown whether by this call itself, whose answer was lost`)
  return { etag: found.etag, versionId: found.versionId, lastModifiedMs: found.lastModifiedMs }
}

/** What a store answers for what it was sent; undefined: that was left to it. */
export function sameMetadata(sent: Metadata | undefined, found: Metadata): boolean {
  if (sent === undefined) return true
  const names = Object.keys(sent)
  return names.length === Object.keys(found).length && names.every(name => sent[name] === found[name.toLowerCase()])
}

/** The object as it is; when it is missing, what the obstacle says stands. */
async function present(
  store: Heads,
  key: string,
  obstacle: StoreError,
  signal: Signal | undefined,
): Promise<ObjectInfo> {
  try {
    return await store.head(key, { signal })
  } catch (error) {
    if (isStoreError(error, 'not-found')) throw obstacle
    if (!isStoreError(error)) throw error
    throw isStoreError(error, 'aborted') ? error : unsettled(obstacle, error)
  }
}

function unsettled(obstacle: StoreError, error: StoreError): StoreError {
  const { operation = 'the call', key } = obstacle
  return new StoreError(error.kind, `${operation}: its outcome is unknown and could not be looked up`, {
    cause: error,
    ambiguous: true,
    operation,
    ...(key !== undefined && { key }),
  })
}

async function md5Of(body: Body, key: string, signal: Signal | undefined): Promise<string> {
  const hash = createHash('md5')
  for await (const chunk of readBody(body, 'put', key, signal)) hash.update(chunk)
  return hash.digest('hex')
}
