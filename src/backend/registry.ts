import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { BucketAdmin } from './bucket-admin.js'
import { PrefixLayer } from './layers/prefix-layer.js'
import type { LocalStoreOptions } from './local/local-store.js'
import type { Log } from './log.js'
import type { ObjectStore } from './object-store.js'
import type { S3Options } from './s3/options.js'
import { StoreError } from './store-error.js'

/** What a storage URL names: a whole store, and a part of it by the prefix of its keys (empty, or ending in `/`). */
export type StorageUrl =
  | { readonly scheme: 's3' | 'mem'; readonly bucket: string; readonly prefix: string }
  | { readonly scheme: 'file'; readonly path: string; readonly prefix: '' }

export interface StoreOptions {
  readonly s3?: S3Options | undefined
  readonly local?: LocalStoreOptions | undefined
  readonly log?: Log | undefined
}

const KNOWN = 's3://BUCKET[/PREFIX], file:///FOLDER or mem://NAME[/PREFIX]'

/** Throws `invalid`, which says what is known, for anything else. */
export function parseStorageUrl(url: string): StorageUrl {
  const match = /^([a-z0-9+.-]+):\/\/([^/]*)(.*)$/is.exec(url)
  const [, scheme = '', authority = '', path = ''] = match ?? []
  switch (scheme.toLowerCase()) {
    case 'file':
      return { scheme: 'file', path: folderOf(url), prefix: '' }
    case 's3':
    case 'mem':
      if (authority === '') throw notKnown(url, 'it names no bucket')
      return { scheme: scheme.toLowerCase() === 's3' ? 's3' : 'mem', bucket: authority, prefix: prefixOf(path) }
    default:
      throw notKnown(url, match === null ? 'it has no scheme' : `nothing is known of ${scheme}://`)
  }
}

/** The store of a URL without its prefix and without any layer. Loads the code of that kind of store alone. */
export async function openBareStore(url: StorageUrl, options: StoreOptions = {}): Promise<ObjectStore> {
  const log = options.log === undefined ? {} : { log: options.log }
  switch (url.scheme) {
    case 's3': {
      const { openS3Store } = await import('./s3/s3-store.js')
      return openS3Store(url.bucket, { ...log, ...options.s3 })
    }
    case 'file': {
      const { openLocalStore } = await import('./local/local-store.js')
      return openLocalStore(url.path, { ...log, ...options.local })
    }
    case 'mem': {
      const { openMemoryStore } = await import('./memory/memory-store.js')
      return openMemoryStore(url.bucket)
    }
  }
}

/**
 * Where the buckets are of which a URL names one: the account of `s3://BUCKET`, the folder around `file:///FOLDER/BUCKET`,
 * this process for `mem://BUCKET`.
 */
export async function openBuckets(url: StorageUrl, options: StoreOptions = {}): Promise<BucketAdmin> {
  switch (url.scheme) {
    case 's3': {
      const { openS3Buckets } = await import('./s3/s3-buckets.js')
      return openS3Buckets({ ...(options.log && { log: options.log }), ...options.s3 })
    }
    case 'file': {
      const { LocalBuckets } = await import('./local/local-buckets.js')
      return new LocalBuckets(dirname(url.path.replace(/(.)\/+$/, '$1')))
    }
    case 'mem': {
      const { MEMORY_BUCKETS } = await import('./memory/memory-buckets.js')
      return MEMORY_BUCKETS
    }
  }
}

/** The name of the bucket that a URL is about, as `openBuckets` knows it. */
export function bucketNameOf(url: StorageUrl): string {
  return url.scheme === 'file' ? basename(url.path) : url.bucket
}

/** The URL of another bucket beside the one of a URL. Throws `invalid` for a name that leads elsewhere. */
export function siblingUrl(url: string, name: string): string {
  const parsed = parseStorageUrl(url)
  if (name === '' || name === '.' || name === '..' || name.includes('/'))
    throw new StoreError('invalid', `not the name of a bucket: ${JSON.stringify(name)}`)
  if (parsed.scheme !== 'file') return `${parsed.scheme}://${name}`
  return pathToFileURL(join(dirname(parsed.path.replace(/(.)\/+$/, '$1')), name)).href
}

/** The store of a storage URL: what the prefix leaves of it. Requests are sent as they are, without retries. */
export async function openStore(url: string, options: StoreOptions = {}): Promise<ObjectStore> {
  const parsed = parseStorageUrl(url)
  const store = await openBareStore(parsed, options)
  return parsed.prefix === '' ? store : new PrefixLayer(store, parsed.prefix)
}

/** Keys are no URL paths: the prefix is taken as it is written, without percent-decoding. */
function prefixOf(path: string): string {
  const prefix = path.replace(/^\//, '')
  return prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
}

function folderOf(url: string): string {
  try {
    return fileURLToPath(url)
  } catch (error) {
    throw notKnown(url, 'a folder is named by its absolute path', error)
  }
}

function notKnown(url: string, reason: string, cause?: unknown): StoreError {
  return new StoreError('invalid', `not a storage URL: ${url} (${reason}); expected ${KNOWN}`, { cause })
}
