import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ObjectVersion } from '../backend/object-store.js'
import { StoreError } from '../backend/store-error.js'
import type { BucketServices } from './bucket-services.js'
import type { BucketGetOptions } from './get.js'
import { type GetFileResult, getListedFile } from './get-file.js'
import { iterateObjects } from './listing.js'
import { onLocalDisk } from './local-file.js'
import { type TransferSummary, transferEach } from './transfers.js'

export interface GetFolderOptions extends Pick<BucketGetOptions, 'signal' | 'onProgress' | 'verify'> {
  /** Told of each file that was fetched. */
  readonly onFetched?: ((result: GetFileResult) => void) | undefined
}

/**
 * Fetches all objects whose keys begin with `prefix` into a folder, several at once; what follows the prefix is the path below
 * it. Rejects with `not-found` where nothing begins so; what single objects fail with is in the summary.
 */
export async function getFolder(
  services: BucketServices,
  prefix: string,
  folder: string,
  options: GetFolderOptions = {},
): Promise<TransferSummary> {
  const { signal, onProgress, verify, onFetched } = options
  await onLocalDisk(folder, 'get', () => mkdir(folder, { recursive: true }))
  let found = 0
  const objects = (async function* () {
    for await (const object of iterateObjects(services.store, { prefix, signal })) {
      found += 1
      yield { name: object.key, object }
    }
  })()
  const summary = await transferEach(objects, services.settings.objectsAtOnce, signal, async ({ object }) => {
    const path = join(folder, pathBelow(object, prefix))
    if (object.key.endsWith('/')) return makeFolder(object, path)
    const result = await getListedFile(services, object, path, { signal, onProgress, verify })
    onFetched?.(result)
    return result
  })
  if (found === 0)
    throw new StoreError('not-found', `no key begins with ${JSON.stringify(prefix)}`, {
      code: 'NoPrefix',
      operation: 'get',
    })
  return summary
}

/** Throws `invalid` for a key that is no path within the folder. */
function pathBelow({ key }: ObjectVersion, prefix: string): string {
  const path = key.slice(prefix.length).replace(/\/$/, '')
  const isOdd = (name: string) => name === '' || name === '.' || name === '..' || name.includes('\0')
  if (path !== '' && path.split('/').some(isOdd))
    throw new StoreError('invalid', `${key}: such a key can't be a path of the local disk`, { key, operation: 'get' })
  if (path === '' && !key.endsWith('/'))
    throw new StoreError('invalid', `${key}: nothing is left of the key behind the prefix`, { key, operation: 'get' })
  return path
}

/** A key that ends in a slash marks a folder; bytes that it may have are no file's. */
async function makeFolder({ key, sizeBytes }: ObjectVersion, path: string): Promise<{ readonly sizeBytes: number }> {
  if (sizeBytes > 0)
    throw new StoreError('invalid', `${key}: a key with a slash at its end can't be a file`, { key, operation: 'get' })
  await onLocalDisk(path, 'get', () => mkdir(path, { recursive: true }))
  return { sizeBytes }
}
