import type { ObjectStore } from '../backend/object-store.js'
import { type IterateOptions, iterateObjects } from './listing.js'

export interface Usage {
  readonly objects: number
  readonly sizeBytes: number
}

export interface FolderUsage extends Usage {
  /** The key up to the first slash behind the prefix and with it; empty for what has none. */
  readonly folder: string
}

/** How much there is below each folder behind the prefix: lists everything once. In key order. */
export async function usageOf(store: ObjectStore, options: IterateOptions = {}): Promise<readonly FolderUsage[]> {
  const { prefix = '' } = options
  const byFolder = new Map<string, { objects: number; sizeBytes: number }>()
  for await (const { key, sizeBytes } of iterateObjects(store, options)) {
    const slash = key.indexOf('/', prefix.length)
    const folder = slash < 0 ? '' : key.slice(0, slash + 1)
    const usage = byFolder.get(folder) ?? { objects: 0, sizeBytes: 0 }
    byFolder.set(folder, { objects: usage.objects + 1, sizeBytes: usage.sizeBytes + sizeBytes })
  }
  return [...byFolder].map(([folder, usage]) => ({ folder, ...usage }))
}
