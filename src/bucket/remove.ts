import { inParallel } from '../backend/in-parallel.js'
import type { DeleteResult, ObjectStore } from '../backend/object-store.js'
import { StoreError } from '../backend/store-error.js'
import type { BucketCallOptions, BucketServices } from './bucket-services.js'
import { objectExists } from './info.js'
import { iterateObjects } from './listing.js'
import type { TransferFailure, TransferSummary } from './transfers.js'

export interface RemoveOptions extends BucketCallOptions {
  /** A key that is not there has the error `not-found`, at the price of a request for each. Default false: it is no error. */
  readonly mustExist?: boolean | undefined
}

export interface RemovePrefixOptions extends BucketCallOptions {
  /** Told of the keys that were removed, several at a time. */
  readonly onRemoved?: ((keys: readonly string[]) => void) | undefined
}

/** Keys that are asked to be removed with one request. */
const KEYS_AT_ONCE = 1000
const MAX_FAILURES = 1000

/** Removes objects: one result for each key, in order. */
export async function removeObjects(
  { store, settings }: BucketServices,
  keys: readonly string[],
  options: RemoveOptions = {},
): Promise<readonly DeleteResult[]> {
  const { signal, mustExist = false } = options
  const missing = mustExist ? await missingOf(store, keys, settings.objectsAtOnce, signal) : new Set<string>()
  const there = [...new Set(keys.filter(key => !missing.has(key)))]
  const results =
    there.length === 0
      ? []
      : await store.delete(
          there.map(key => ({ key })),
          { signal },
        )
  const byKey = new Map(results.map(result => [result.key, result]))
  return keys.map(
    key => byKey.get(key) ?? { key, error: new StoreError('not-found', 'remove: no such object', { key }) },
  )
}

/** Removes every object whose key begins with `prefix`: any string, and all of them for an empty one. */
export async function removePrefix(
  store: ObjectStore,
  prefix: string,
  options: RemovePrefixOptions = {},
): Promise<TransferSummary> {
  const { signal, onRemoved } = options
  const failures: TransferFailure[] = []
  let [objects, sizeBytes] = [0, 0]
  let batch = new Map<string, number>()
  const flush = async () => {
    const results = await store.delete(
      [...batch.keys()].map(key => ({ key })),
      { signal },
    )
    const removed = results.filter(({ error }) => error === undefined).map(({ key }) => key)
    for (const { key, error } of results) if (error !== undefined) failures.push({ name: key, error })
    objects += removed.length
    for (const key of removed) sizeBytes += batch.get(key) ?? 0
    onRemoved?.(removed)
    batch = new Map()
  }
  for await (const object of iterateObjects(store, { prefix, signal })) {
    batch.set(object.key, object.sizeBytes)
    if (batch.size >= KEYS_AT_ONCE) await flush()
    if (failures.length >= MAX_FAILURES) break
  }
  if (batch.size > 0) await flush()
  return { objects, sizeBytes, failures }
}

async function missingOf(
  store: ObjectStore,
  keys: readonly string[],
  atOnce: number,
  signal: AbortSignal | undefined,
): Promise<ReadonlySet<string>> {
  const missing = new Set<string>()
  const each = (async function* () {
    yield* keys
  })()
  await inParallel(each, atOnce, async key => {
    if (!(await objectExists(store, key, { signal }))) missing.add(key)
  })
  return missing
}
