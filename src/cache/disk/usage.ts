import { closeSync, openSync, readSync } from 'node:fs'
import { type CacheFile, CacheFolder } from './cache-folder.js'
import { type CachedStore, HEADER_BYTES, storeOf } from './segment-format.js'

/** What a disk cache holds of one bucket. */
export interface StoreUsage extends CachedStore {
  /** Files of up to 4 MiB. */
  files: number
  usedBytes: number
  /** Of last use, as Date.now. */
  usedMs: number
}

/** What a disk cache holds, the most first; files that are damaged or not finished are left out. Throws what the disk says. */
export function usageOf(place: string): readonly StoreUsage[] {
  const usages = new Map<string, StoreUsage>()
  for (const file of CacheFolder.at(place).files()) {
    const store = file.isUnborn ? undefined : readStore(file)
    if (store === undefined) continue
    const name = `${store.endpoint ?? ''} ${store.url}`
    const usage = usages.get(name) ?? { ...store, files: 0, usedBytes: 0, usedMs: 0 }
    usage.files += 1
    usage.usedBytes += file.usedBytes
    usage.usedMs = Math.max(usage.usedMs, file.usedMs)
    usages.set(name, usage)
  }
  return [...usages.values()].sort((a, b) => b.usedBytes - a.usedBytes)
}

function readStore(file: CacheFile): CachedStore | undefined {
  const header = Buffer.alloc(HEADER_BYTES)
  try {
    const descriptor = openSync(file.path, 'r')
    try {
      readSync(descriptor, header, 0, HEADER_BYTES, 0)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    // A mount has removed it meanwhile.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return storeOf(header)
}
