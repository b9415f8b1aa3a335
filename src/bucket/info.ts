import { looksLikeMd5 } from '../backend/etag.js'
import type { ObjectInfo, ObjectStore } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import type { BucketCallOptions } from './bucket-services.js'

/** What is known of one object. */
export interface ObjectDetails extends ObjectInfo {
  /** Of the bytes, in lower-case hex, where the store tells it: what came in parts or is encrypted by KMS has none. */
  readonly md5: string | undefined
}

/** Rejects with `not-found` where there is no such object. */
export async function objectInfo(
  store: ObjectStore,
  key: string,
  options: BucketCallOptions = {},
): Promise<ObjectDetails> {
  return detailsOf(await store.head(key, options))
}

export async function objectExists(store: ObjectStore, key: string, options: BucketCallOptions = {}): Promise<boolean> {
  try {
    await store.head(key, options)
    return true
  } catch (error) {
    if (isStoreError(error, 'not-found')) return false
    throw error
  }
}

export function detailsOf(info: ObjectInfo): ObjectDetails {
  const isPlain = info.encryption === undefined || info.encryption.algorithm === 'AES256'
  return { ...info, md5: isPlain && looksLikeMd5(info.etag) ? info.etag : undefined }
}
