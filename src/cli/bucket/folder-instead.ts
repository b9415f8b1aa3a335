import { isStoreError, StoreError } from '../../backend/store-error.js'
import type { Bucket } from '../../bucket/bucket.js'

/** The code of an object that is missed where a folder of its name stands. */
export const IS_FOLDER = 'IsFolder'

/** The failure of a command, or one that says better why an object is missed: one list more is worth that. */
export async function folderInstead(error: unknown, bucket: Bucket, signal: AbortSignal): Promise<unknown> {
  if (!isStoreError(error, 'not-found') || error.key === undefined || error.key === '' || signal.aborted) return error
  const { key, code } = error
  // This one says it already.
  if (code === 'NoPrefix') return error
  const prefix = key.endsWith('/') ? key : `${key}/`
  const below = await bucket.list({ prefix, maxKeys: 1, signal }).catch(() => undefined)
  if (below === undefined || below.objects.length === 0) return error
  return new StoreError('not-found', 'a folder is no object', { key, code: IS_FOLDER, cause: error })
}
