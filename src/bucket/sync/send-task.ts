import { checkKey } from '../../backend/keys.js'
import type { ObjectStore, ObjectVersion } from '../../backend/object-store.js'
import type { StoreError } from '../../backend/store-error.js'
import { iterateObjects } from '../listing.js'
import { Ancestors } from './ancestors.js'
import type { Comparer, Comparison } from './comparison.js'
import type { LocalEntry, LocalFile } from './local-tree.js'
import type { Sender } from './sender.js'
import { sideBySide } from './side-by-side.js'
import type { SyncEntry } from './sync-entry.js'
import type { SyncOptions } from './sync-options.js'
import {
  emptySourceError,
  failedEntry,
  type Removal,
  removalEntry,
  type Step,
  type SyncTask,
  type WorkStep,
} from './sync-run.js'

/** What sending files takes. */
export interface SendServices {
  readonly store: ObjectStore
  readonly comparer: Comparer
  readonly sender: Sender
}

/** A file and the object that it is to become. */
export interface SentFile {
  readonly key: string
  readonly path: string
  readonly sizeBytes: number
}

/** Compares a file with what the store has, and sends it where that is something else. */
export function sendStep(
  services: SendServices,
  file: SentFile,
  present: ObjectVersion | undefined,
  options: SyncOptions,
): WorkStep {
  const { key, path, sizeBytes } = file
  return {
    kind: 'work',
    key,
    path,
    sizeBytes,
    run: async ({ progress, signal }) => {
      const compared: Comparison =
        present === undefined
          ? { isSame: false, reason: 'new' }
          : await services.comparer.compare(file, present, signal)
      const { isSame, reason, fingerprint } = compared
      if (isSame) return { action: 'same', key, path, sizeBytes, reason }
      if (options.dryRun === true) return { action: 'send', key, path, sizeBytes, reason }
      const sentBytes = await services.sender.send(
        { path, key, fingerprint },
        { signal, onBytes: bytes => progress.add(bytes) },
      )
      return { action: 'send', key, path, sizeBytes: sentBytes, reason }
    },
  }
}

/** Where files to send come from. */
export interface SendSource {
  /** For messages. */
  readonly shown: string
  /** In key order, by names behind the prefix. */
  entries(signal: AbortSignal): AsyncIterable<LocalEntry>
  /** Whether there is anything by that name now. */
  has(name: string): Promise<boolean>
  pathOf(name: string): string
}

/** Makes what is below a prefix like files of the local disk. */
export class SendTask implements SyncTask {
  readonly #services: SendServices
  readonly #source: SendSource
  readonly #prefix: string
  readonly #options: SyncOptions

  /** `prefix` is empty or ends in a slash. */
  constructor(services: SendServices, source: SendSource, prefix: string, options: SyncOptions) {
    this.#services = services
    this.#source = source
    this.#prefix = prefix
    this.#options = options
  }

  emptySource(removes: boolean): StoreError | undefined {
    return removes ? emptySourceError(this.#source.shown) : undefined
  }

  async *plan(signal: AbortSignal): AsyncGenerator<Step, void, undefined> {
    const prefix = this.#prefix
    const objects = iterateObjects(this.#services.store, { prefix, signal })
    const hiding = new Ancestors()
    for await (const { name, source, target } of sideBySide(
      this.#source.entries(signal),
      each => each.name,
      objects,
      ({ key }) => key.slice(prefix.length),
    )) {
      if (source?.kind === 'left alone') hiding.add(name)
      const step = source === undefined ? await this.#surplus(target, hiding) : this.#sourceStep(name, source, target)
      if (step !== undefined) yield step
    }
  }

  #sourceStep(name: string, source: LocalEntry, target: ObjectVersion | undefined): Step {
    const key = `${this.#prefix}${name}`
    if (source.kind === 'file') return this.#fileStep(key, source, target)
    if (source.kind === 'unreadable') return { kind: 'settled', entry: failedEntry(key, source.path, 0, source.error) }
    const entry = { action: 'pass over', key, path: source.path, sizeBytes: 0, reason: source.what } as const
    return { kind: 'settled', entry }
  }

  #fileStep(key: string, { path, stats }: LocalFile, present: ObjectVersion | undefined): Step {
    const sizeBytes = Number(stats.size)
    try {
      checkKey(key, 'sync')
    } catch (error) {
      return { kind: 'settled', entry: failedEntry(key, path, sizeBytes, error) }
    }
    return sendStep(this.#services, { key, path, sizeBytes }, present, this.#options)
  }

  /** An object that no file is the source of. */
  async #surplus({ key, sizeBytes }: ObjectVersion, hiding: Ancestors): Promise<Step | undefined> {
    if (this.#options.delete !== true) return undefined
    const name = key.slice(this.#prefix.length)
    if (hiding.above(name) !== undefined) return undefined
    // The marker of a folder is like the folder that there is.
    if (name.endsWith('/') && (name === '' || (await this.#source.has(name.slice(0, -1))))) return undefined
    return { kind: 'removal', removal: { key, name, sizeBytes, path: this.#source.pathOf(name) } }
  }

  async remove(removals: readonly Removal[], signal: AbortSignal): Promise<readonly SyncEntry[]> {
    const gone: Removal[] = []
    const entries: SyncEntry[] = []
    for (const removal of removals) {
      if (await this.#source.has(removal.name)) entries.push({ ...removalEntry(removal), ...CAME_BACK })
      else gone.push(removal)
    }
    if (gone.length === 0) return entries
    const results = await this.#services.store.delete(
      gone.map(({ key }) => ({ key })),
      { signal },
    )
    for (const [index, { error }] of results.entries()) {
      const removal = gone[index]
      if (removal === undefined) continue
      const { key, path, sizeBytes } = removal
      entries.push(error === undefined ? removalEntry(removal) : failedEntry(key, path, sizeBytes, error))
    }
    return entries
  }
}

const CAME_BACK = { action: 'pass over', reason: 'it has come into the source meanwhile' } as const
