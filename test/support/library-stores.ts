import { join } from 'node:path'
import { Meter } from '../../src/backend/layers/meter.js'
import { MeteringLayer } from '../../src/backend/layers/metering-layer.js'
import { RetryLayer } from '../../src/backend/layers/retry/retry-layer.js'
import { openLocalStore } from '../../src/backend/local/local-store.js'
import { type Log, SILENT } from '../../src/backend/log.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ObjectStore } from '../../src/backend/object-store.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { Bucket } from '../../src/bucket/bucket.js'
import { DownloadMemory } from '../../src/bucket/download-memory.js'
import { Formats } from '../../src/bucket/formats.js'
import { temporaryFolder } from './configuration.js'
import { cephS3, createBucket, ownS3, type S3Server } from './servers.js'

const MIB = 1024 * 1024

/** A Bucket of the library on an empty store, with a folder of its own on the local disk that goes with the test. */
export interface LibraryBucket {
  readonly bucket: Bucket
  /** Below all that is counted. */
  readonly store: ObjectStore
  readonly folder: string
  /** Requests of the bucket since the last time, by operation. */
  requests(): Readonly<Record<string, number>>
  dispose(): Promise<void>
}

export interface LibraryOptions {
  readonly log?: Log
  /** Goes around the store. */
  readonly layer?: (store: ObjectStore) => ObjectStore
}

type Open = (options?: LibraryOptions) => Promise<LibraryBucket>

/** Every store that the library's tests run over; a server that is not installed is left out. */
export async function libraryStores(): Promise<readonly (readonly [string, Open])[]> {
  const ceph = await cephS3()
  const own = await ownS3()
  return [
    ['memory', async options => around(openMemoryStore(`library-${process.pid}-${nextNumber()}`), options)],
    ['a local folder', options => onFolder(options)],
    ['the own S3', options => onServer(own, options)],
    ...(ceph === undefined ? [] : [['Ceph RGW', (options?: LibraryOptions) => onServer(ceph, options)] as const]),
  ]
}

let number = 0

function nextNumber(): number {
  number += 1
  return number
}

async function onFolder(options?: LibraryOptions): Promise<LibraryBucket> {
  return around(await openLocalStore(temporaryFolder()), options)
}

async function onServer(
  { endpoint, credentials }: S3Server & object,
  options?: LibraryOptions,
): Promise<LibraryBucket> {
  const name = await createBucket({ endpoint, credentials })
  return around(await openS3Store(name, { endpoint, credentials }), options)
}

function around(store: ObjectStore, options: LibraryOptions = {}): LibraryBucket {
  const folder = temporaryFolder()
  const meter = new Meter()
  const metered = new MeteringLayer(options.layer?.(store) ?? store, meter)
  const bucket = new Bucket({
    store: new RetryLayer(metered),
    settings: {
      storeName: store.url,
      storedAs: '',
      partSizeBytes: 5 * MIB,
      uploadConcurrency: 4,
      objectsAtOnce: 16,
      stateRoot: join(folder, '.state'),
    },
    formats: new Formats([]),
    downloadMemory: new DownloadMemory(12),
    log: options.log ?? SILENT,
  })
  let before: Readonly<Record<string, number>> = {}
  return {
    bucket,
    store,
    folder,
    requests: () => {
      const now = Object.fromEntries(Object.entries(meter.snapshot()).map(([name, count]) => [name, count.requests]))
      const since = Object.entries(now).map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
      before = now
      return Object.fromEntries(since.filter(([, count]) => count > 0))
    },
    dispose: () => bucket.close(),
  }
}
