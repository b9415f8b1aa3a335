import type { Attachments, Metadata, ObjectHeaders, ObjectInfo, ObjectStore } from '../backend/object-store.js'
import { isStoreError, StoreError } from '../backend/store-error.js'
import type { BucketCallOptions, BucketServices } from './bucket-services.js'
import { iterateObjects } from './listing.js'
import { digestOf } from './metadata.js'
import { type ProgressCallback, Tally } from './progress.js'
import { putContent } from './put.js'
import { type TransferSummary, transferEach } from './transfers.js'

export interface BucketCopyOptions extends BucketCallOptions {
  /** In the place of the source's metadata. Default: that is kept. */
  readonly metadata?: Metadata | undefined
  /** Content headers that differ from the source's; undefined ones are kept. */
  readonly headers?: ObjectHeaders | undefined
  /** Only if there is no object yet. */
  readonly ifNoneMatch?: '*' | undefined
  readonly onProgress?: ProgressCallback | undefined
}

export interface CopyResult {
  readonly from: string
  readonly to: string
  readonly sizeBytes: number
  readonly etag: string
}

export interface CopyFolderOptions extends BucketCopyOptions {
  /** Told of each object that was copied or moved. */
  readonly onCopied?: ((result: CopyResult) => void) | undefined
}

/** Copies on the server, whatever the size. */
export async function copyObject(
  services: BucketServices,
  from: string,
  to: string,
  options: BucketCopyOptions = {},
): Promise<CopyResult> {
  const { store } = services
  refuseItself(from, to, 'copy')
  const info = await store.head(from, { signal: options.signal })
  return copyVersion(store, info, to, options, {})
}

/**
 * Copies to another bucket: on the server, where both are of one endpoint and it may read the source, else through this process
 * in bounded memory.
 */
export async function copyAcross(
  services: BucketServices,
  from: string,
  target: BucketServices,
  to: string,
  options: BucketCopyOptions = {},
  version?: string,
): Promise<CopyResult> {
  const info = await services.store.head(from, { signal: options.signal })
  // Two buckets may be one, each with a prefix of its own.
  if (placeOf(services, info) === placeOf(target, { ...info, key: to })) refuseItself(from, from, 'copy')
  const onServer = await copyOnServer(services, info, target, to, options, version)
  return onServer ?? copyThrough(services, from, target, to, options, version)
}

/** Undefined where the server can't, or refuses to. A condition is left to the other way, where a lost answer is settled. */
async function copyOnServer(
  { store }: BucketServices,
  info: ObjectInfo,
  target: BucketServices,
  to: string,
  options: BucketCopyOptions,
  version: string | undefined,
): Promise<CopyResult | undefined> {
  const { key: from } = info
  const { signal, ifNoneMatch, onProgress } = options
  const [source, power] = [store.capabilities.powers.foreignCopy, target.store.capabilities.powers.foreignCopy]
  if (source === undefined || power === undefined || ifNoneMatch !== undefined) return undefined
  if (version !== undefined && info.etag !== version)
    throw new StoreError('precondition-failed', `${from}: the object is another version`, { key: from })
  const named = source.nameOf(info)
  if (!power.reaches(named)) return undefined
  try {
    const { etag } = await power.copyFrom(named, to, { ...(isChanged(options) && merged(info, options)), signal })
    new Tally(onProgress, info.sizeBytes, from).add(info.sizeBytes)
    return { from, to, sizeBytes: info.sizeBytes, etag }
  } catch (error) {
    if (isStoreError(error, 'denied', 'invalid', 'unsupported', 'not-found')) return undefined
    throw error
  }
}

async function copyThrough(
  services: BucketServices,
  from: string,
  target: BucketServices,
  to: string,
  options: BucketCopyOptions,
  version: string | undefined,
): Promise<CopyResult> {
  const { signal, ifNoneMatch, onProgress } = options
  const { info, body } = await services.store.get(from, { ifMatch: version, signal })
  const { metadata, headers: all } = merged(info, options)
  const { contentType, ...headers } = all
  const { etag } = await putContent(target, to, body, {
    contentType: contentType ?? 'application/octet-stream',
    headers,
    metadata,
    ifNoneMatch,
    onProgress: onProgress && (done => onProgress(done, info.sizeBytes, from)),
    signal,
  })
  return { from, to, sizeBytes: info.sizeBytes, etag }
}

/** A copy and then a removal: at every moment one of the keys has the object. All that the store keeps of it is kept. */
export async function moveObject(
  services: BucketServices,
  from: string,
  to: string,
  options: BucketCopyOptions = {},
): Promise<CopyResult> {
  const { store } = services
  const { signal } = options
  refuseItself(from, to, 'move')
  const info = await store.head(from, { signal })
  const traits = await store.traits(from, { listed: info, signal })
  const result = await copyVersion(store, info, to, options, { traits })
  await removeMoved(store, info, signal)
  return result
}

/** The same to another bucket. */
export async function moveAcross(
  services: BucketServices,
  from: string,
  target: BucketServices,
  to: string,
  options: BucketCopyOptions = {},
): Promise<CopyResult> {
  const { signal } = options
  const info = await services.store.head(from, { signal })
  const result = await copyAcross(services, from, target, to, options, info.etag)
  // Two buckets may be one: then the target that was written is what would be removed.
  const now = await services.store.head(from, { signal })
  if (now.etag !== info.etag || now.lastModifiedMs !== info.lastModifiedMs)
    throw new StoreError('precondition-failed', `${from}: it was written meanwhile, or is its own target`, {
      key: from,
    })
  await removeMoved(services.store, info, signal)
  return result
}

/**
 * Copies or moves every object whose key begins with `from`: `to` takes the place of that. Rejects with `not-found` where there
 * is none; what single objects fail with is in the summary.
 */
export async function copyFolder(
  services: BucketServices,
  from: string,
  to: string,
  transfer: (key: string, target: string) => Promise<CopyResult>,
  options: CopyFolderOptions = {},
): Promise<TransferSummary> {
  const { store, settings } = services
  let found = 0
  const objects = (async function* () {
    for await (const { key } of iterateObjects(store, { prefix: from, signal: options.signal })) {
      found += 1
      yield { name: key }
    }
  })()
  const summary = await transferEach(objects, settings.objectsAtOnce, options.signal, async ({ name }) => {
    const result = await transfer(name, to + name.slice(from.length))
    options.onCopied?.(result)
    return result
  })
  if (found === 0) throw new StoreError('not-found', `no key begins with ${JSON.stringify(from)}`, { code: 'NoPrefix' })
  return summary
}

/** Throws `invalid` where copies would be listed and copied again. */
export function refuseWithin(from: string, to: string, operation: string): void {
  if (!to.startsWith(from)) return
  throw new StoreError('invalid', `${operation}: ${JSON.stringify(to)} lies within ${JSON.stringify(from)}`, {
    operation,
  })
}

async function copyVersion(
  store: ObjectStore,
  info: ObjectInfo,
  to: string,
  options: BucketCopyOptions,
  attachments: Attachments,
): Promise<CopyResult> {
  const { key: from, sizeBytes, etag } = info
  const { signal, ifNoneMatch } = options
  const replaced = isChanged(options) ? merged(info, options) : {}
  const copy = { ...attachments, ...replaced, sourceIfMatch: etag, ifNoneMatch, sizeBytes, signal }
  const written = await store.copy(from, to, copy)
  new Tally(options.onProgress, sizeBytes, from).add(sizeBytes)
  return { from, to, sizeBytes, etag: written.etag }
}

/** Where nothing is, the store keeps all by itself, which costs it the least. */
function isChanged({ metadata, headers }: BucketCopyOptions): boolean {
  return metadata !== undefined || Object.values(headers ?? {}).some(value => value !== undefined)
}

/** The bytes are the same, and so is a checksum that is stored of them. */
function merged(info: ObjectInfo, { metadata, headers = {} }: BucketCopyOptions) {
  const given = Object.entries(headers).filter(([, value]) => value !== undefined)
  return {
    metadata: metadata === undefined ? info.metadata : { ...digestOf(info), ...metadata },
    headers: { ...info.headers, ...Object.fromEntries(given) } as ObjectHeaders,
  }
}

/** Only the version that was copied goes. */
async function removeMoved(
  store: ObjectStore,
  { key, etag }: ObjectInfo,
  signal: AbortSignal | undefined,
): Promise<void> {
  const ifMatch = store.capabilities.conditions.delete === 'none' ? undefined : etag
  const [result] = await store.delete([{ key, ifMatch }], { signal })
  if (result?.error !== undefined) throw result.error
}

/** Equal for the same object of the same bucket, however it was opened. */
function placeOf({ store }: BucketServices, info: ObjectInfo): string {
  const named = store.capabilities.powers.foreignCopy?.nameOf(info)
  if (named === undefined) return `${store.url.replace(/\/$/, '')}/${info.key}`
  return JSON.stringify([named.provider, named.bucket, named.info.key])
}

function refuseItself(from: string, to: string, operation: string): void {
  if (from !== to) return
  throw new StoreError('invalid', `${from}: it can't be its own target`, { key: from, operation })
}
