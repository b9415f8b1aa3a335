import { stat } from 'node:fs/promises'
import { StoreError } from '../backend/store-error.js'
import { onLocalDisk } from './local-file.js'

/** Rejects with `not-found` where nothing is there, with `invalid` where it is no folder. */
export async function checkFolder(path: string, operation: string): Promise<void> {
  const stats = await onLocalDisk(path, operation, () => stat(path))
  if (!stats.isDirectory()) throw new StoreError('invalid', `${path}: it is no folder`, { operation, code: 'ENOTDIR' })
}
