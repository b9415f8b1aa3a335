import { type Log, SILENT } from './backend/log.js'
import { PartSizes } from './backend/part-sizes.js'
import { parseStorageUrl } from './backend/registry.js'
import { SYSTEM_TIMERS, within } from './backend/timers.js'
import { verifyAccess } from './backend/verify-access.js'
import { BlockCache } from './cache/block-cache.js'
import { BufferBudget } from './cache/buffer-budget.js'
import { SYSTEM_CLOCK } from './cache/clock.js'
import { CacheFolderError } from './cache/disk/cache-folder.js'
import { DiskCache } from './cache/disk/disk-cache.js'
import { FolderTimes } from './cache/folder-times.js'
import { KnownVersions } from './cache/known-versions.js'
import { DataThreads } from './cache/lanes/data-threads.js'
import { MainLane } from './cache/lanes/main-lane.js'
import { MetadataCache } from './cache/metadata-cache.js'
import { SharedBuffers } from './cache/shared-buffers.js'
import { openStack } from './compose/store-stack.js'
import type { MountConfiguration } from './config/configuration.js'
import { processEnvironment } from './config/environment.js'
import { ConfigurationError } from './config/fault.js'
import type { OptionName } from './config/option-table.js'
import { resolveMount } from './config/resolve.js'
import { Committer } from './fs/commit.js'
import { BucketFilesystem } from './fs/filesystem.js'
import { abortLeftUploads } from './fs/left-uploads.js'
import { MemoryBudget } from './fs/memory-budget.js'
import type { RecoveryServices } from './fs/recovery.js'
import { RenameJournal } from './fs/rename-journal.js'
import { resumeRenames } from './fs/resume-renames.js'
import { StagingArea, type StagingOptions } from './fs/staging.js'
import { createTransport } from './fuse/create-transport.js'
import { type RunningMount, runMount } from './fuse/mount.js'
import { checkMountPoint } from './fuse/mount-checks.js'
import { discardMemory } from './system/discard-memory.js'
import { makeFolder } from './system/make-folder.js'

export type { Fault } from './config/fault.js'
export { ConfigurationError } from './config/fault.js'
export type { OptionName } from './config/option-table.js'
export type { RunningMount } from './fuse/mount.js'
export type { MountErrorKind } from './fuse/mount-error.js'
export { MountError } from './fuse/mount-error.js'
export type { MountEnd } from './fuse/mount-record.js'

export interface MountHooks {
  readonly log: Log
  /** Fires when the mount is no longer wanted before it is there. */
  readonly signal?: AbortSignal | undefined
}

/** Options by their names in doc/CONFIGURATION.md, in camel case: `metadataTtl: '30s'`, `readOnly: true`. */
export type MountOptions = Partial<Record<OptionName, string | number | boolean>> & { readonly mountPoint: string }

/**
 * Mounts from a program of your own: resolves once other processes can use the mount, which this process must not
 * touch itself. What the options leave open comes from the environment and the configuration file, as for the command.
 * Rejects with ConfigurationError, MountError or StoreError.
 */
export async function mount(options: MountOptions, hooks: Partial<MountHooks> = {}): Promise<RunningMount> {
  const values = new Map(
    Object.entries(options).map(([name, value]) => [name as OptionName, { text: String(value), place: name }] as const),
  )
  const configuration = await resolveMount({ values, mountOptions: [], faults: [] }, processEnvironment())
  return mountBucket(configuration, { log: SILENT, ...hooks })
}

/** The end of a mount waits so long for what the disk cache has left out and the kernel still holds. */
const LAST_RECALL_MS = 2000

/** Blocks of many sizes leave gaps between them, which are empty and take no memory. */
const SHARED_SLACK = 4

/** Configuration to a mount that programs can use: the only place that knows in which order the rooms are put together. */
export async function mountBucket(configuration: MountConfiguration, hooks: MountHooks): Promise<RunningMount> {
  const { data, owner, mount, places } = configuration
  const { log, signal } = hooks
  const clock = SYSTEM_CLOCK
  const mountPoint = await checkMountPoint(configuration.mountPoint, log)
  const shared = openShared(configuration, log)
  const { store, checked, meter } = await openStack(configuration, log, shared?.threads).catch(async error => {
    await shared?.threads?.close()
    throw error
  })
  let closeKnowledge = async () => {}
  let diskCache: DiskCache | undefined
  try {
    await verifyAccess(checked, { write: !mount.readOnly, signal })
    const { area, journal } = await openState(configuration, log)
    if (!mount.readOnly) await resumeRenames(store, journal, log)
    const transport = await createTransport(mount.transport, {
      mountPoint,
      source: configuration.url,
      readOnly: mount.readOnly,
      allowOther: mount.allowOther,
      allowRoot: mount.allowRoot,
      defaultPermissions: mount.defaultPermissions,
      owner: { uid: owner.uid, gid: owner.gid },
      mountOptions: mount.kernelOptions,
      kernelReadAheadBytes: mount.kernelReadAheadBytes,
      threads: shared?.threads,
      log,
    })
    const { known, folderTimes, close } = await openKnowledge(configuration, log)
    closeKnowledge = close
    const lane = new MainLane(store, () => known.asking())
    diskCache = openDiskCache(configuration, lane, log)
    const memory = new BufferBudget(data.memoryBytes)
    const blocks = new BlockCache({ lane, tier: diskCache, memory, blockSizeBytes: data.blockSizeBytes, ...shared })
    const filesystem = new BucketFilesystem({
      store,
      known,
      folderTimes,
      metadata: new MetadataCache({ store, clock, ttlMs: data.metadataTtlMs, maxEntries: data.metadataEntries }),
      blocks,
      area,
      journal,
      kernelCache: transport.kernelCache,
      holders: transport.holders,
      log,
      clock,
      defaults: { uid: owner.uid, gid: owner.gid, fileMode: owner.fileMode, directoryMode: owner.dirMode },
      metadataTtlMs: data.metadataTtlMs,
      asksAllAttributes: data.attributes === 'full',
      keptSignals: new Set(mount.keptSignals),
      exclusiveCreate: mount.exclusiveCreate,
      maxReadAheadBytes: data.readAheadBytes,
      partSizeBytes: data.partSizeBytes,
      uploadConcurrency: data.uploadConcurrency,
      // What one streaming writer takes, and a little for others: further ones wait for it, or go through staging.
      writeMemory: new MemoryBudget(memory, data.partSizeBytes * (data.uploadConcurrency + 4)),
      sizeBytes: data.volumeSizeBytes,
    })
    signal?.throwIfAborted()
    const { stateDir } = places
    const source = configuration.url
    const running = await runMount({
      transport,
      filesystem,
      mountPoint,
      source,
      stateDir,
      cacheDir: configuration.diskCache?.dir,
      beforeUnmount: () => within(SYSTEM_TIMERS, LAST_RECALL_MS, blocks.settled()),
      notifySocket: configuration.notifySocket,
      log,
    })
    if (!mount.readOnly) void abortLeftUploads(store, area, { olderThanMs: data.abortAfterMs, clock, log })
    const ended = running.ended.finally(() => {
      log.info('requests to the store', { ...meter.snapshot() })
      const cacheClosed = diskCache?.close(blocks.settled())
      return Promise.all([store.close(), closeKnowledge(), cacheClosed]).then(() => shared?.threads?.close())
    })
    return { ended, stop: reason => running.stop(reason) }
  } catch (error) {
    await Promise.all([store.close(), closeKnowledge(), diskCache?.close()])
    await shared?.threads?.close()
    throw error
  }
}

/** Where blocks lie, and the threads that answer reads from there, where there are any. */
interface Shared {
  readonly buffers: SharedBuffers
  readonly threads: DataThreads | undefined
}

/**
 * Memory that goes back to the system as soon as it is given up, also where no other thread uses it; elsewhere than on
 * Linux it is left to the garbage collector. Threads are for what is read over connections, and answered by writing,
 * which any thread may.
 */
function openShared({ url, data, mount, diskCache }: MountConfiguration, log: Log): Shared | undefined {
  if (process.platform !== 'linux') return undefined
  const count = data.dataThreads
  const buffers = new SharedBuffers({ maxBytes: data.memoryBytes * SHARED_SLACK, discard: discardMemory })
  const isFit = parseStorageUrl(url).scheme === 's3' && mount.transport === 'kernel' && diskCache === undefined
  return { buffers, threads: count > 0 && isFit ? new DataThreads({ count, buffers, log }) : undefined }
}

function stagingOptions(configuration: MountConfiguration, log: Log): StagingOptions {
  const { url, s3, data, places } = configuration
  return {
    folder: places.stateDir,
    source: { url, endpoint: s3.endpoint },
    maxBytes: data.stagingSizeBytes,
    maxKeptBytes: data.keptSizeBytes,
    log,
  }
}

async function openState(configuration: MountConfiguration, log: Log) {
  const { stateDir } = configuration.places
  try {
    makeFolder(stateDir)
    const area = await StagingArea.open(stagingOptions(configuration, log))
    return { area, journal: await RenameJournal.open({ folder: stateDir, log }) }
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigurationError([{ place: '--state-dir', expected: 'a folder that can be made and written', found }], {
      cause,
    })
  }
}

/** What this machine knows of objects and folders that no listing tells, from this and earlier mounts. */
async function openKnowledge(configuration: MountConfiguration, log: Log) {
  const { data, places } = configuration
  const kept = { maxEntries: data.metadataEntries, folder: places.stateDir, log }
  const known = await KnownVersions.open({ ...kept, nowMs: () => SYSTEM_CLOCK.nowMs(), ttlMs: data.metadataTtlMs })
  const folderTimes = await FolderTimes.open(kept)
  const close = () => Promise.all([known.close(), folderTimes.close()]).then(() => undefined)
  return { known, folderTimes, close }
}

/** Every mount of the bucket finds the same bytes there. What waits for the disk stays in the memory of its block. */
function openDiskCache({ url, s3, data, diskCache }: MountConfiguration, lane: MainLane, log: Log) {
  if (diskCache === undefined) return undefined
  const parsed = parseStorageUrl(url)
  if (parsed.scheme !== 's3') return undefined
  try {
    return DiskCache.open({
      place: diskCache.dir,
      maxBytes: diskCache.maxBytes,
      keepFree: diskCache.keepFree,
      store: { url: `s3://${parsed.bucket}`, endpoint: s3.endpoint },
      prefix: parsed.prefix,
      maxWaitingBytes: Math.floor(data.memoryBytes / 4),
      storeMs: sizeBytes => lane.pace.usualMs(sizeBytes),
      log,
    })
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause)
    const expected = cause instanceof CacheFolderError ? cause.expected : 'a folder that can be made and read'
    throw new ConfigurationError([{ place: '--cache-dir', expected, found }], { cause })
  }
}

/** A store for `mount-bucket recover`, beside mounts that may be running. */
export interface OpenRecovery {
  readonly services: RecoveryServices
  close(): Promise<void>
}

/** `stateDir` is that of the mount whose kept bytes are to be stored. Rejects with ConfigurationError or StoreError. */
export async function openForRecovery(
  configuration: MountConfiguration,
  stateDir: string,
  log: Log,
): Promise<OpenRecovery> {
  const { store } = await openStack(configuration, log)
  try {
    const area = await StagingArea.beside({ ...stagingOptions(configuration, log), folder: stateDir })
    const sizes = new PartSizes(configuration.data.partSizeBytes)
    const concurrency = configuration.data.uploadConcurrency
    const committer = new Committer({ store, area, sizes, concurrency, nowMs: () => SYSTEM_CLOCK.nowMs() })
    return { services: { store, area, committer }, close: () => store.close() }
  } catch (error) {
    await store.close()
    throw error
  }
}
