import type { Metadata, ObjectHeaders, ObjectStore, WriteResult } from '../backend/object-store.js'
import { requirePower } from '../backend/powers.js'
import { isStoreError, StoreError } from '../backend/store-error.js'
import type { BucketCallOptions } from './bucket-services.js'

export interface MakePublicOptions extends BucketCallOptions {
  /**
   * What replies to the URL have, beside what the object has already: content-type, content-encoding, content-disposition,
   * content-language, cache-control, expires; any other is metadata, and has x-amz-meta- before it. Names in any case.
   */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Content headers and metadata that the object has are dropped first. */
  readonly resetHeaders?: boolean | undefined
}

/** How often the object is looked at anew when others replace it meanwhile. */
const MAX_TRIES = 5

const HEADERS: Readonly<Record<string, keyof ObjectHeaders>> = {
  'content-type': 'contentType',
  'content-encoding': 'contentEncoding',
  'content-disposition': 'contentDisposition',
  'content-language': 'contentLanguage',
  'cache-control': 'cacheControl',
  expires: 'expires',
}

/** Lets everybody read an object; resolves with its URL. Bytes are not sent: headers are changed on the server. */
export async function makePublic(store: ObjectStore, key: string, options: MakePublicOptions = {}): Promise<string> {
  const { headers = {}, resetHeaders = false, signal } = options
  const url = await requirePower(store, 'publicAccess').url(key, { signal })
  if (Object.keys(headers).length === 0 && !resetHeaders)
    await requirePower(store, 'acl').set(key, 'public-read', { signal })
  else await republish(store, key, headers, resetHeaders, signal)
  return url
}

/** What everybody reads has the new headers from the first moment on. */
async function republish(
  store: ObjectStore,
  key: string,
  given: Readonly<Record<string, string>>,
  isReset: boolean,
  signal: AbortSignal | undefined,
): Promise<WriteResult> {
  const changes = readHeaders(given)
  for (let tries = 1; ; tries++) {
    const info = await store.head(key, { signal })
    const traits = await store.traits(key, { listed: info, signal })
    const kept = isReset ? { headers: {}, metadata: {} } : info
    try {
      return await store.copy(key, key, {
        headers: { ...kept.headers, ...changes.headers },
        metadata: { ...kept.metadata, ...changes.metadata },
        traits: { ...traits, grants: undefined },
        acl: 'public-read',
        sourceIfMatch: info.etag,
        ifMatch: info.etag,
        sizeBytes: info.sizeBytes,
        signal,
      })
    } catch (error) {
      if (!isStoreError(error, 'precondition-failed') || tries >= MAX_TRIES) throw error
    }
  }
}

function readHeaders(given: Readonly<Record<string, string>>): { headers: ObjectHeaders; metadata: Metadata } {
  const headers: Record<string, string> = {}
  const metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase()
    const header = HEADERS[lower]
    if (lower.replace(/^x-amz-meta-/, '') === '') throw new StoreError('invalid', 'a header has a name')
    if (header === undefined) metadata[lower.replace(/^x-amz-meta-/, '')] = value
    else headers[header] = value
  }
  return { headers, metadata }
}

/** Nobody but those with credentials, or who are named by the bucket's policy, may read the object from now on. */
export async function makePrivate(store: ObjectStore, key: string, options: BucketCallOptions = {}): Promise<void> {
  await requirePower(store, 'acl').set(key, 'private', options)
}

/** Where an object is for everybody, when it is public: the URL of the folder with the key behind it. No request. */
export async function publicUrl(store: ObjectStore, key: string, options: BucketCallOptions = {}): Promise<string> {
  return requirePower(store, 'publicAccess').url(key, options)
}

/** What stands before the keys that begin with `prefix`, with a slash at its end. No request. */
export async function publicUrlFolder(
  store: ObjectStore,
  prefix = '',
  options: BucketCallOptions = {},
): Promise<string> {
  const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
  return requirePower(store, 'publicAccess').url(folder, options)
}

/** Whether everybody may read an object, by whatever rule. */
export async function isPublic(store: ObjectStore, key: string, options: BucketCallOptions = {}): Promise<boolean> {
  return requirePower(store, 'publicAccess').isPublic(key, options)
}

/** What others see of an object, as far as the store tells. */
export interface PublicFacts {
  /** Undefined: nobody can tell, or the object has no URL. */
  readonly url: string | undefined
  readonly isPublic: boolean | undefined
}

/** Of a store without public URLs, or one that can't be asked, nothing is known, which is no failure. */
export async function publicFacts(
  store: ObjectStore,
  key: string,
  { signal }: BucketCallOptions = {},
): Promise<PublicFacts> {
  const { publicAccess } = store.capabilities.powers
  if (publicAccess === undefined) return { url: undefined, isPublic: undefined }
  const [url, isPublic] = await Promise.all([
    unlessUnknown(publicAccess.url(key, { signal })),
    unlessUnknown(publicAccess.isPublic(key, { signal })),
  ])
  return { url, isPublic }
}

async function unlessUnknown<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (isStoreError(error, 'unsupported', 'denied')) return undefined
    throw error
  }
}
