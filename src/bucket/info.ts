import { looksLikeMd5 } from '../backend/etag.js'
import type { ObjectInfo, ObjectStore } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import type { BucketCallOptions } from './bucket-services.js'
import { type PublicFacts, publicFacts } from './sharing.js'

/** What is known of one object. */
export interface ObjectDetails extends ObjectInfo, PublicFacts {
  /** Of the bytes, in lower-case hex, where the store tells it: what came in parts or is encrypted by KMS has none. */
  readonly md5: string | undefined
}

/** Rejects with `not-found` where there is no such object. */
export async function objectInfo(
  store: ObjectStore,
  key: string,
  options: BucketCallOptions = {},
): Promise<ObjectDetails> {
  const [info, facts] = await Promise.all([store.head(key, options), publicFacts(store, key, options)])
  return { ...info, ...facts, md5: md5Of(info) }
}

/** What KMS or a key of the customer encrypts has an ETag that is no MD5, though it may look like one. */
export function md5Of(info: ObjectInfo): string | undefined {
  return hasMd5Etag(info) && looksLikeMd5(info.etag) ? info.etag : undefined
}

/** Whether the ETag is made of the bytes, as a whole or part by part. */
export function hasMd5Etag({ encryption, hasCustomerKey }: ObjectInfo): boolean {
  return hasCustomerKey !== true && (encryption === undefined || encryption.algorithm === 'AES256')
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
