import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  type BucketConfiguration,
  type DataSettings,
  type DiskCacheSettings,
  MOUNT_NAMES,
  type MountConfiguration,
  type OwnerSettings,
  S3_NAMES,
} from './configuration.js'
import { type ChosenValues, checkScheme } from './contradictions.js'
import type { Environment } from './environment.js'
import type { Fault } from './fault.js'
import { keepFreeOf } from './keep-free.js'
import { KIB } from './option.js'
import type { OptionValues } from './option-table.js'
import { mountId, type Places } from './paths.js'
import { formatSize } from './quantities.js'
import { keptSignals } from './signals.js'
import { checkStorageUrl, schemeOf } from './storage-url.js'

interface Ingredients {
  readonly chosen: ChosenValues
  readonly values: OptionValues
  readonly places: Places
  readonly environment: Environment
  readonly kernelOptions: readonly string[]
}

/** Puts checked values together and checks them against each other; undefined only beside new faults. */
export function assemble(ingredients: Ingredients, faults: Fault[]): MountConfiguration | undefined {
  const { chosen, values, places, environment, kernelOptions } = ingredients
  const store = storeOf(chosen, places, faults)
  if (store !== undefined) checkScheme(chosen, schemeOf(store.url), store.isEmbedded, faults)
  const mountPoint = mountPointOf(values, chosen, faults)
  const stateRoot = values.stateDir ?? places.stateRoot
  if (stateRoot === undefined)
    faults.push({ place: '--state-dir', expected: 'a folder', found: 'none, and no home folder for the usual one' })
  if (values.blockSize > values.memory)
    faults.push({
      place: chosen.get('blockSize')?.place ?? chosen.get('memory')?.place ?? '--block-size',
      expected: `a block size of at most --memory (${formatSize(values.memory)})`,
      found: formatSize(values.blockSize),
    })
  const diskCache = diskCacheOf(ingredients, store?.url, faults)
  checkKeys(chosen, faults)
  if (store === undefined || mountPoint === undefined || stateRoot === undefined) return undefined
  const stateDir = join(stateRoot, mountId(store.url, mountPoint))
  return {
    ...store,
    mountPoint,
    foreground: values.foreground,
    publicUrl: values.publicUrl,
    s3: pick(values, S3_NAMES),
    mount: {
      ...pick(values, MOUNT_NAMES),
      kernelOptions,
      kernelReadAheadBytes: values.kernelReadAhead,
      keptSignals: keptSignals(values.killedWriter),
    },
    owner: ownerOf(values, environment),
    data: dataOf(values),
    diskCache,
    places: { endpointsDir: join(stateRoot, 'endpoints'), stateDir },
    log: {
      file: values.logFile ?? (values.foreground ? undefined : backgroundLog(places, mountPoint, stateDir)),
      level: values.logLevel,
      maxBytes: values.logSize,
    },
    notifySocket: environment.variables.NOTIFY_SOCKET || undefined,
  }
}

/** The same for a store that is not mounted: undefined only beside new faults. */
export function assembleBucket(
  ingredients: Omit<Ingredients, 'kernelOptions'>,
  faults: Fault[],
): BucketConfiguration | undefined {
  const { chosen, values, places } = ingredients
  const store = storeOf(chosen, places, faults)
  if (store === undefined) return undefined
  checkScheme(chosen, schemeOf(store.url), store.isEmbedded, faults)
  checkKeys(chosen, faults)
  const stateRoot = values.stateDir ?? places.stateRoot
  return {
    ...store,
    publicUrl: values.publicUrl,
    s3: pick(values, S3_NAMES),
    mount: { readOnly: values.readOnly },
    data: dataOf(values),
    places: {
      endpointsDir: stateRoot === undefined ? undefined : join(stateRoot, 'endpoints'),
      stateRoot,
      cacheRoot: places.cacheRoot,
    },
    log: { level: values.logLevel },
  }
}

/** An id without a secret signs nothing. A secret whose id gave way to a nearer profile is of no account. */
function checkKeys(chosen: ChosenValues, faults: Fault[]): void {
  const id = chosen.get('accessKeyId')
  if (id !== undefined && chosen.get('secretAccessKey') === undefined)
    faults.push({ place: id.place, expected: 'secret-access-key with it', found: 'none' })
}

type Store = Pick<MountConfiguration, 'url' | 'isEmbedded'>

function storeOf(chosen: ChosenValues, places: Places, faults: Fault[]): Store | undefined {
  const given = chosen.get('url')
  if (given !== undefined) {
    const url = checkStorageUrl(given, faults)
    return url === undefined ? undefined : { url, isEmbedded: false }
  }
  if (places.embeddedStore !== undefined) return { url: pathToFileURL(places.embeddedStore).href, isEmbedded: true }
  faults.push({ place: 'URL', expected: 'a storage URL', found: 'none, and no home folder for an embedded store' })
  return undefined
}

function mountPointOf(values: OptionValues, chosen: ChosenValues, faults: Fault[]): string | undefined {
  const text = chosen.get('mountPoint')?.text
  if (text === undefined) {
    faults.push({ place: 'MOUNTPOINT', expected: 'the folder to mount at', found: 'none' })
    return undefined
  }
  if (!/^[a-z0-9+.-]+:\/\//.test(text)) return values.mountPoint
  faults.push({ place: 'MOUNTPOINT', expected: 'the folder to mount at, behind the URL', found: 'a URL alone' })
  return undefined
}

function pick<Name extends keyof OptionValues>(values: OptionValues, names: readonly Name[]): Pick<OptionValues, Name> {
  return Object.fromEntries(names.map(name => [name, values[name]])) as Pick<OptionValues, Name>
}

function ownerOf(values: OptionValues, environment: Environment): OwnerSettings {
  const { umask } = values
  return {
    uid: values.uid ?? environment.uid,
    gid: values.gid ?? environment.gid,
    fileMode: values.fileMode ?? (umask === undefined ? 0o644 : 0o666 & ~umask),
    dirMode: values.dirMode ?? (umask === undefined ? 0o755 : 0o777 & ~umask),
  }
}

function dataOf(values: OptionValues): DataSettings {
  return {
    memoryBytes: values.memory,
    blockSizeBytes: values.blockSize,
    readAheadBytes: values.readAhead,
    metadataTtlMs: values.metadataTtl,
    metadataEntries: values.metadataEntries,
    attributes: values.attributes,
    requests: values.requests,
    dataThreads: values.dataThreads,
    timeoutMs: values.timeout,
    attempts: values.attempts,
    partSizeBytes: values.partSize,
    uploadConcurrency: values.uploadConcurrency,
    stagingSizeBytes: values.stagingSize,
    keptSizeBytes: values.keptSize,
    abortAfterMs: values.abortAfter,
    volumeSizeBytes: values.size,
  }
}

/** What the disk cache holds has a checksum for every 64 KiB. */
const CACHE_CELL_BYTES = 64 * KIB

function diskCacheOf(
  { chosen, values }: Ingredients,
  url: string | undefined,
  faults: Fault[],
): DiskCacheSettings | undefined {
  const { cacheDir, cacheSize, cacheFree, blockSize } = values
  for (const name of ['cacheSize', 'cacheFree'] as const) {
    const given = chosen.get(name)
    if (cacheDir === undefined && given?.level === 'command line')
      faults.push({ place: given.place, expected: '--cache-dir with it', found: 'none' })
  }
  if (cacheDir === undefined || url === undefined || schemeOf(url) !== 's3') return undefined
  if (blockSize % CACHE_CELL_BYTES !== 0)
    faults.push({
      place: chosen.get('blockSize')?.place ?? '--block-size',
      expected: 'a multiple of 64K with --cache-dir',
      found: formatSize(blockSize),
    })
  return { dir: cacheDir, maxBytes: cacheSize, keepFree: keepFreeOf(cacheFree) }
}

/** `/var/log/mount-bucket/bucket-HASH.log` for root, `log` in the state folder for others. */
function backgroundLog(places: Places, mountPoint: string, stateDir: string): string {
  if (places.logRoot === undefined) return join(stateDir, 'log')
  return join(places.logRoot, `${basename(mountPoint) || 'root'}-${basename(stateDir).slice(0, 8)}.log`)
}
