import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type Log, SILENT } from '../backend/log.js'
import { siblingUrl } from '../backend/registry.js'
import { Bucket } from '../bucket/bucket.js'
import { Buckets } from '../bucket/buckets.js'
import { DownloadMemory } from '../bucket/download-memory.js'
import { Formats, type ObjectFormat } from '../bucket/formats.js'
import type { BucketConfiguration } from '../config/configuration.js'
import { processEnvironment } from '../config/environment.js'
import type { OptionName } from '../config/option-table.js'
import { resolveBucket } from '../config/resolve.js'
import { openAccount, openStack } from './store-stack.js'

/** Options by their names in doc/CONFIGURATION.md, in camel case: `partSize: '16M'`, `readOnly: true`. */
export type BucketOptions = Partial<Record<Exclude<OptionName, 'url' | 'mountPoint'>, string | number | boolean>>

export interface BucketHooks {
  readonly log: Log
  /** Formats of your own, which come before those for JSON, YAML and text. */
  readonly formats: readonly ObjectFormat[]
}

/** Objects of one call that travel at once; within them `--requests` bounds what is on the wire. */
const OBJECTS_AT_ONCE = 16

/** Requests of downloads at once, each with memory of its own. */
const DOWNLOADS_AT_ONCE = 12

/**
 * Opens a bucket by its URL; without one, that which the environment or the configuration file names, or else the embedded
 * store on the local disk. What the options leave open comes from the environment and the configuration file, as for the
 * commands. Nothing is asked of the store yet. Rejects with ConfigurationError or StoreError.
 */
export async function openBucket(
  url?: string,
  options: BucketOptions = {},
  hooks: Partial<BucketHooks> = {},
): Promise<Bucket> {
  return bucketOf(await resolved(url, options), hooks.log ?? SILENT, hooks.formats)
}

function resolved(url: string | undefined, options: BucketOptions): Promise<BucketConfiguration> {
  const values = new Map(
    Object.entries({ ...options, ...(url !== undefined && { url }) }).map(
      ([name, value]) => [name as OptionName, { text: String(value), place: name }] as const,
    ),
  )
  return resolveBucket({ values, mountOptions: [], faults: [] }, processEnvironment())
}

/**
 * The buckets beside the one of a URL: those of its account (`s3://`), or the folders beside a folder. Rejects as
 * `openBucket` does.
 */
export async function openBuckets(
  url?: string,
  options: BucketOptions = {},
  hooks: Partial<BucketHooks> = {},
): Promise<Buckets> {
  return bucketsOf(await resolved(url, options), hooks.log ?? SILENT)
}

export async function bucketsOf(configuration: BucketConfiguration, log: Log): Promise<Buckets> {
  const named = (name: string) => siblingUrl(configuration.url, name)
  const open = (name: string) => bucketOf({ ...configuration, url: named(name), isEmbedded: false }, log)
  return new Buckets(await openAccount(configuration, log), open, configuration.mount.readOnly)
}

/** The same URL at the same endpoint finds its index again. */
function searchFolderOf({ url, s3, places }: BucketConfiguration): string | undefined {
  // What a memory store held is gone with the process.
  if (places.cacheRoot === undefined || url.startsWith('mem:')) return undefined
  const id = createHash('sha256')
    .update(`${url}\0${s3.endpoint ?? ''}`)
    .digest('hex')
    .slice(0, 16)
  return join(places.cacheRoot, 'search', id)
}

/** Configuration to a Bucket. */
export async function bucketOf(
  configuration: BucketConfiguration,
  log: Log,
  formats: readonly ObjectFormat[] = [],
): Promise<Bucket> {
  const { store } = await openStack(configuration, log)
  const { data, s3, places, url } = configuration
  const settings = {
    partSizeBytes: data.partSizeBytes,
    uploadConcurrency: data.uploadConcurrency,
    objectsAtOnce: Math.min(OBJECTS_AT_ONCE, data.requests),
    storeName: `${s3.endpoint ?? ''} ${url}`,
    storedAs: JSON.stringify([s3.storageClass, s3.acl, s3.sse, s3.sseKmsKeyId, s3.sseCKeyFile]),
    stateRoot: places.stateRoot,
  }
  return new Bucket({
    store,
    settings,
    formats: new Formats(formats),
    downloadMemory: new DownloadMemory(DOWNLOADS_AT_ONCE),
    log,
    searchFolder: searchFolderOf(configuration),
  })
}
