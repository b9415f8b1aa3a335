import type { BigIntStats } from 'node:fs'
import { join } from 'node:path'
import type { ObjectVersion } from '../../backend/object-store.js'
import { StoreError } from '../../backend/store-error.js'
import type { BucketServices } from '../bucket-services.js'
import { getListedFile } from '../get-file.js'
import { iterateObjects } from '../listing.js'
import { pathFault, TargetFolder } from '../target-folder.js'
import { Ancestors } from './ancestors.js'
import type { Comparer, Comparison } from './comparison.js'
import { type LocalEntry, localTree } from './local-tree.js'
import { sideBySide } from './side-by-side.js'
import type { SyncEntry } from './sync-entry.js'
import type { SyncOptions } from './sync-options.js'
import {
  emptySourceError,
  failedEntry,
  type Removal,
  type RemovalStep,
  removalEntry,
  type Step,
  type SyncTask,
} from './sync-run.js'

/** What fetching files takes. */
export interface FetchServices {
  readonly bucket: BucketServices
  readonly comparer: Comparer
}

interface LocalRemoval extends Removal {
  readonly stats: BigIntStats
}

type FetchStep = Exclude<Step, RemovalStep> | (RemovalStep & { readonly removal: LocalRemoval })

/** Compares an object with the file that stands where it goes to, and fetches it where that is something else. */
export function fetchStep(
  services: FetchServices,
  object: ObjectVersion,
  name: string,
  target: TargetFolder,
  options: SyncOptions,
): Step {
  const { key, sizeBytes } = object
  const path = target.pathOf(name, key)
  return {
    kind: 'work',
    key,
    path,
    sizeBytes,
    run: async ({ progress, signal }) => {
      await target.makeFoldersFor(name, key, options.dryRun === true)
      const present = await target.present(name, key)
      const compared: Comparison =
        present === undefined
          ? { isSame: false, reason: 'new' }
          : await services.comparer.compare({ path, sizeBytes: Number(present.size) }, object, signal)
      const { isSame, reason } = compared
      if (isSame) return { action: 'same', key, path, sizeBytes, reason }
      if (options.dryRun !== true)
        await getListedFile(services.bucket, object, path, { signal, onProgress: bytes => progress.at(bytes) })
      return { action: 'fetch', key, path, sizeBytes, reason }
    },
  }
}

/** Makes a folder of the local disk like what is below a prefix. */
export class FetchTask implements SyncTask<LocalRemoval> {
  readonly #services: FetchServices
  readonly #folder: string
  readonly #isThere: boolean
  readonly #target: TargetFolder
  readonly #prefix: string
  readonly #options: SyncOptions

  /** `prefix` is empty or ends in a slash; `folder` may not be there yet, in a dry run. */
  constructor(services: FetchServices, prefix: string, folder: string, isThere: boolean, options: SyncOptions) {
    this.#services = services
    this.#folder = folder
    this.#isThere = isThere
    this.#target = new TargetFolder(folder)
    this.#prefix = prefix
    this.#options = options
  }

  emptySource(removes: boolean): StoreError {
    const source = this.#prefix === '' ? 'the bucket' : this.#prefix
    if (removes) return emptySourceError(source)
    return new StoreError('not-found', `there is nothing in ${source}`, {
      key: this.#prefix,
      operation: 'sync',
      code: 'NoPrefix',
    })
  }

  async *plan(signal: AbortSignal): AsyncGenerator<FetchStep, void, undefined> {
    const prefix = this.#prefix
    const objects = iterateObjects(this.#services.bucket.store, { prefix, signal })
    const files = new Ancestors()
    for await (const { name, source, target } of sideBySide(
      objects,
      ({ key }) => key.slice(prefix.length),
      this.#isThere ? localTree(this.#folder, signal) : nothing(),
      each => each.name,
    )) {
      const step = source === undefined ? this.#surplus(target) : this.#sourceStep(name, source, files)
      if (step !== undefined) yield step
    }
  }

  #sourceStep(name: string, object: ObjectVersion, files: Ancestors): FetchStep | undefined {
    const { key, sizeBytes } = object
    if (name.endsWith('/') || name === '') return this.#markerStep(name, object)
    const above = files.above(name)
    files.add(name)
    try {
      if (above !== undefined)
        throw new StoreError('invalid', `${this.#prefix}${above} is an object, too, so it can be no folder`, { key })
      return fetchStep(this.#services, object, name, this.#target, this.#options) as FetchStep
    } catch (error) {
      return { kind: 'settled', entry: failedEntry(key, join(this.#folder, safe(name)), sizeBytes, error) }
    }
  }

  /** A marker is a folder, which need not hold anything. */
  #markerStep(name: string, { key, sizeBytes }: ObjectVersion): FetchStep | undefined {
    if (name === '' && sizeBytes === 0) return undefined
    const path = join(this.#folder, safe(name))
    const fault = sizeBytes > 0 ? 'it ends in a slash, and no file name does' : pathFault(name.slice(0, -1))
    if (fault !== undefined) {
      const error = new StoreError('invalid', fault, { key })
      return { kind: 'settled', entry: failedEntry(key, path, sizeBytes, error) }
    }
    return {
      kind: 'work',
      key,
      path,
      sizeBytes,
      run: async () => {
        await this.#target.makeFoldersFor(name, key, this.#options.dryRun === true)
        return { action: 'same', key, path, sizeBytes, reason: 'a folder' }
      },
    }
  }

  /** Something in the folder that is no object. */
  #surplus(entry: LocalEntry): FetchStep | undefined {
    if (this.#options.delete !== true || entry.kind === 'left alone') return undefined
    const { name, path } = entry
    const key = `${this.#prefix}${name}`
    if (entry.kind === 'unreadable') return { kind: 'settled', entry: failedEntry(key, path, 0, entry.error) }
    const { stats } = entry
    return { kind: 'removal', removal: { key, name, path, sizeBytes: Number(stats.size), stats } }
  }

  async remove(removals: readonly LocalRemoval[], signal: AbortSignal): Promise<readonly SyncEntry[]> {
    const entries: SyncEntry[] = []
    for (const removal of removals) {
      if (signal.aborted) break
      const { key, name, path, sizeBytes, stats } = removal
      try {
        const isRemoved = await this.#target.remove(name, key, stats)
        entries.push(isRemoved ? removalEntry(removal) : { ...removalEntry(removal), ...CHANGED })
      } catch (error) {
        entries.push(failedEntry(key, path, sizeBytes, error))
      }
    }
    return entries
  }
}

const CHANGED = { action: 'pass over', reason: 'it was changed since it was looked at' } as const

async function* nothing(): AsyncGenerator<never, void, undefined> {}

/** For messages: a name that leads elsewhere is not joined to a path. */
function safe(name: string): string {
  return pathFault(name) === undefined ? name : ''
}
