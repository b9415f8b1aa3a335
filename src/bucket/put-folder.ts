import type { BucketServices } from './bucket-services.js'
import { checkFolder } from './check-folder.js'
import { filesBelow } from './folder-walk.js'
import { keyBelow, type PutFileOptions, type PutResult, putFile } from './put.js'
import { type TransferSummary, transferEach } from './transfers.js'

export interface PutFolderOptions extends Omit<PutFileOptions, 'ifMatch' | 'ifNoneMatch' | 'contentType'> {
  /** Told of each object that was stored. */
  readonly onStored?: ((result: PutResult) => void) | undefined
}

/**
 * Stores all files of a folder and below it, under `prefix`, a slash and their path from the folder on; several at once.
 * Symbolic links are not followed. Rejects where the folder can't be read; what single files fail with is in the summary.
 */
export async function putFolder(
  services: BucketServices,
  folder: string,
  prefix: string,
  options: PutFolderOptions = {},
): Promise<TransferSummary> {
  const { onStored, ...put } = options
  await checkFolder(folder, 'put')
  const files = filesBelow(folder, options.signal)
  return transferEach(files, services.settings.objectsAtOnce, options.signal, async ({ path, name }) => {
    const result = await putFile(services, path, keyBelow(prefix, name), put)
    onStored?.(result)
    return result
  })
}
