import { mkdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import type { Attachments, ObjectInfo, ObjectStore } from '../../backend/object-store.js'
import { isStoreError, StoreError } from '../../backend/store-error.js'
import type { BucketServices } from '../bucket-services.js'
import { guessContentType, SNIFFED_BYTES } from '../content-type.js'
import { FileUploads } from '../file-uploads.js'
import { localError, onLocalDisk } from '../local-file.js'
import { pathFault, TargetFolder } from '../target-folder.js'
import { Comparer } from './comparison.js'
import { type FetchServices, FetchTask, fetchStep } from './fetch-task.js'
import { openFile } from './local-file.js'
import { isGone } from './local-tree.js'
import { folderSource, listedSource } from './send-sources.js'
import { type SendServices, SendTask, sendStep } from './send-task.js'
import { Sender } from './sender.js'
import type { SyncResult } from './sync-entry.js'
import type { SyncOptions } from './sync-options.js'
import { type Step, SyncRun, type SyncTask } from './sync-run.js'

/**
 * Sends a file, or all files of a folder, where the store has something else. `target` is the key of a file (by default its
 * name; with a slash at its end the name is added), or the prefix of a folder's keys.
 */
export async function syncTo(
  services: BucketServices,
  local: string,
  target: string | undefined,
  options: SyncOptions,
): Promise<SyncResult> {
  const path = await existing(local)
  const sending = sendServices(services)
  if (options.dryRun !== true) await new FileUploads(services).dropOld(options.signal)
  const stats = await onLocalDisk(local, 'sync', () => stat(path))
  if (stats.isDirectory()) {
    const task = new SendTask(sending, folderSource(path), asPrefix(target ?? ''), options)
    return new SyncRun(task, options, services.settings.objectsAtOnce).run()
  }
  if (!stats.isFile()) throw new StoreError('invalid', `${local} is neither a file nor a folder`, { operation: 'sync' })
  const key =
    target === undefined || target === '' || target.endsWith('/') ? `${target ?? ''}${basename(local)}` : target
  const present = await headOf(services.store, key, options.signal)
  const step = sendStep(sending, { key, path, sizeBytes: stats.size }, present, options)
  return new SyncRun(oneStep(step), options, 1).run()
}

/** Sends files by the keys that they are to have, behind `prefix`, where the store has something else. */
export function syncFiles(
  services: BucketServices,
  files: ReadonlyMap<string, string>,
  prefix: string,
  options: SyncOptions,
): Promise<SyncResult> {
  const task = new SendTask(sendServices(services), listedSource(files), asPrefix(prefix), options)
  return new SyncRun(task, options, services.settings.objectsAtOnce).run()
}

/**
 * Fetches an object, or all below a prefix that is empty or ends in a slash, where the local disk has something else. An
 * object goes into the file `local`, or under its own last name into the folder `local`.
 */
export async function syncFrom(
  services: BucketServices,
  source: string,
  local: string,
  options: SyncOptions,
): Promise<SyncResult> {
  if (source === '' || source.endsWith('/')) {
    const folder = await targetFolder(local, options)
    const task = new FetchTask(fetchServices(services), source, folder.path, folder.isThere, options)
    return new SyncRun(task, options, services.settings.objectsAtOnce).run()
  }
  const object = await knownObject(services.store, source, options.signal)
  const path = await targetFile(local, source)
  const folder = await targetFolder(dirname(path), options)
  const step = fetchStep(fetchServices(services), object, basename(path), new TargetFolder(folder.path), options)
  return new SyncRun(oneStep(step), options, 1).run()
}

function sendServices(services: BucketServices): SendServices {
  const { store, settings } = services
  const { partSizeBytes } = settings
  const sender = new Sender({ store, uploads: new FileUploads(services), partSizeBytes, attachmentsOf })
  return { store, sender, comparer: new Comparer(store, partSizeBytes) }
}

function fetchServices(bucket: BucketServices): FetchServices {
  return { bucket, comparer: new Comparer(bucket.store, bucket.settings.partSizeBytes) }
}

async function attachmentsOf(path: string, key: string): Promise<Attachments> {
  const file = await openFile(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(SNIFFED_BYTES), 0, SNIFFED_BYTES, 0)
    return { headers: { contentType: await guessContentType(key, buffer.subarray(0, bytesRead)) } }
  } finally {
    await file.close()
  }
}

function oneStep(step: Step): SyncTask {
  return {
    plan: async function* () {
      yield step
    },
    remove: async () => [],
    emptySource: () => undefined,
  }
}

function asPrefix(target: string): string {
  return target === '' || target.endsWith('/') ? target : `${target}/`
}

/** The absolute path, with what a symbolic link that was named leads to. */
function existing(local: string): Promise<string> {
  return onLocalDisk(local, 'sync', () => realpath(local))
}

async function headOf(store: ObjectStore, key: string, signal: AbortSignal | undefined) {
  try {
    return await store.head(key, { signal })
  } catch (error) {
    if (isStoreError(error, 'not-found')) return undefined
    throw error
  }
}

async function knownObject(store: ObjectStore, key: string, signal: AbortSignal | undefined): Promise<ObjectInfo> {
  const found = await headOf(store, key, signal)
  if (found !== undefined) return found
  const { objects } = await store.list({ prefix: `${key}/`, limit: 1, signal })
  const hint = objects.length > 0 ? `; what is below it is ${key}/` : ''
  throw new StoreError('not-found', `there is no object ${key}${hint}`, { key, operation: 'sync', code: 'NoPrefix' })
}

/** The file that an object goes into. */
async function targetFile(local: string, key: string): Promise<string> {
  if (local === '') throw new StoreError('invalid', 'the file has no name', { key, operation: 'sync' })
  const isFolder = local.endsWith('/') || (await isFolderThere(local))
  if (!isFolder) return resolve(local)
  const name = basename(key)
  const fault = pathFault(name)
  if (fault !== undefined) throw new StoreError('invalid', fault, { key, operation: 'sync' })
  return resolve(local, name)
}

/** The folder without links on the way to it; it is made unless nothing is to be changed. */
async function targetFolder(local: string, options: SyncOptions): Promise<{ path: string; isThere: boolean }> {
  if (local === '') throw new StoreError('invalid', 'the folder has no name', { operation: 'sync' })
  const path = resolve(local)
  if (options.dryRun === true && !(await isFolderThere(path))) return { path, isThere: false }
  return onLocalDisk(local, 'sync', async () => {
    await makeFolder(path)
    return { path: await realpath(path), isThere: true }
  })
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST' && code !== 'ENOTDIR') throw error
    throw new StoreError('invalid', `${path}: it is no folder`, { cause: error, operation: 'sync' })
  }
}

async function isFolderThere(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (isGone(error)) return false
    throw localError(error, path, 'sync')
  }
}
