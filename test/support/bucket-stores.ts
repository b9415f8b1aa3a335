import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Bucket } from '../../src/bucket/bucket.js'
import { type BucketHooks, type BucketOptions, openBucket } from '../../src/compose/open-bucket.js'
import { cephS3, createBucket, ownS3, type S3Server } from './servers.js'

/** A fresh bucket, and a folder of the test's own beside it. */
export interface OpenedBucket {
  readonly bucket: Bucket
  readonly folder: string
  /** Opens the same bucket once more, or a part of it. */
  again(prefix?: string, hooks?: Partial<BucketHooks>): Promise<Bucket>
  dispose(): Promise<void>
}

export type BucketOpener = () => Promise<OpenedBucket>

/** The stores that the tests of the library run over; a server that is not installed is left out. */
export async function bucketStores(): Promise<readonly (readonly [string, BucketOpener])[]> {
  const own = await ownS3()
  const ceph = await cephS3()
  return [
    ['memory', () => openFresh(`mem://${randomUUID()}`)],
    ['a local folder', openLocal],
    ['the own S3', () => openOn(own)],
    ...(ceph === undefined ? [] : [['Ceph RGW', () => openOn(ceph)] as const]),
  ]
}

async function openLocal(): Promise<OpenedBucket> {
  const store = await mkdtemp(join(tmpdir(), 'bucket-store-'))
  const opened = await openFresh(pathToFileURL(store).href)
  const dispose = async () => {
    await opened.dispose()
    await rm(store, { recursive: true, force: true })
  }
  return { ...opened, dispose }
}

async function openOn(server: S3Server): Promise<OpenedBucket> {
  const { endpoint, credentials } = server
  return openFresh(`s3://${await createBucket(server)}`, { endpoint, ...credentials })
}

async function openFresh(url: string, options: BucketOptions = {}): Promise<OpenedBucket> {
  const folder = await mkdtemp(join(tmpdir(), 'bucket-test-'))
  const config = join(folder, '.config.yaml')
  await writeFile(config, '')
  const all = { config, stateDir: join(folder, '.state'), partSize: '5M', ...options }
  const again = (prefix = '', hooks = {}) => openBucket(prefix === '' ? url : `${url}/${prefix}`, all, hooks)
  const bucket = await again()
  const dispose = async () => {
    await bucket.close()
    await rm(folder, { recursive: true, force: true })
  }
  return { bucket, folder, again, dispose }
}
