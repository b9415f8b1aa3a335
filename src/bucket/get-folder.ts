import { realpath } from 'node:fs/promises'
import type { ObjectVersion } from '../backend/object-store.js'
import { StoreError } from '../backend/store-error.js'
import type { BucketServices } from './bucket-services.js'
import type { BucketGetOptions } from './get.js'
import { type GetFileResult, getListedFile, makeFolder } from './get-file.js'
import { iterateObjects } from './listing.js'
import { onLocalDisk } from './local-file.js'
import { Ancestors } from './sync/ancestors.js'
import { notAPath, TargetFolder } from './target-folder.js'
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
  const target = await onLocalDisk(folder, 'get', async () => {
    await makeFolder(folder)
    return new TargetFolder(await realpath(folder))
  })
  const files = new Ancestors()
  let found = 0
  const objects = (async function* () {
    for await (const object of iterateObjects(services.store, { prefix, signal })) {
      found += 1
      const name = object.key.slice(prefix.length)
      const above = files.above(name)
      if (!name.endsWith('/')) files.add(name)
      yield { name: object.key, object, above }
    }
  })()
  const summary = await transferEach(objects, services.settings.objectsAtOnce, signal, async ({ object, above }) => {
    if (above !== undefined) throw notAPath(object.key, `${prefix}${above} is an object, too, so it can be no folder`)
    const path = await placeOf(target, object, object.key.slice(prefix.length))
    if (path === undefined) return { sizeBytes: 0 }
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

/** Where the file goes, in folders that are made; undefined for a marker, which is a folder. Rejects with `invalid` for what may not be. */
async function placeOf(target: TargetFolder, object: ObjectVersion, name: string): Promise<string | undefined> {
  const { key, sizeBytes } = object
  const isMarker = key.endsWith('/')
  if (isMarker && sizeBytes > 0) throw notAPath(key, 'it ends in a slash, and no file name does')
  if (isMarker && name === '') return undefined
  const path = target.pathOf(isMarker ? name.slice(0, -1) : name, key)
  await onLocalDisk(path, 'get', () => target.makeFoldersFor(name, key, false))
  if (isMarker) return undefined
  await onLocalDisk(path, 'get', () => target.present(name, key))
  return path
}
