import { join } from 'node:path'
import type { Log } from '../backend/log.js'
import type { Timers } from '../backend/timers.js'
import { type KeptFormat, KeptMap } from './kept-map.js'

/** Whole seconds since 1970 and what is over. */
export interface FolderTime {
  readonly seconds: number
  readonly nanoseconds: number
}

/** When something was last made, removed or renamed in a folder, and when the folder itself was changed. */
export interface TimesOfFolder {
  readonly modified: FolderTime
  readonly changed: FolderTime
}

export interface FolderTimesOptions {
  readonly maxEntries: number
  /** The mount's state folder. */
  readonly folder: string
  readonly log: Log
  readonly timers?: Timers | undefined
}

/** Lines of `folder-times.jsonl`: `[modified, changed]`, each as seconds and nanoseconds. */
const FORMAT: KeptFormat<TimesOfFolder> = {
  title: 'mount-bucket folder times 1',
  write: ({ modified, changed }) => [modified.seconds, modified.nanoseconds, changed.seconds, changed.nanoseconds],
  read(json) {
    if (!Array.isArray(json) || json.length !== 4 || !json.every(Number.isSafeInteger)) return undefined
    const [modifiedS, modifiedNs, changedS, changedNs] = json as [number, number, number, number]
    return {
      modified: { seconds: modifiedS, nanoseconds: modifiedNs },
      changed: { seconds: changedS, nanoseconds: changedNs },
    }
  },
}

/**
 * The times of folders that this mount changed: no store has them. By path without slashes at the ends, '' is the root.
 * Bounded, the least recently used go first, and kept in the state folder for the next mount.
 */
export class FolderTimes {
  readonly #times: KeptMap<TimesOfFolder>

  /** Without a map, which `open` makes, they live as long as the process. */
  constructor(maxEntries: number, times: KeptMap<TimesOfFolder> = new KeptMap(maxEntries)) {
    this.#times = times
  }

  static async open(options: FolderTimesOptions): Promise<FolderTimes> {
    const path = join(options.folder, 'folder-times.jsonl')
    return new FolderTimes(options.maxEntries, await KeptMap.open({ ...options, path, format: FORMAT }))
  }

  get(path: string): TimesOfFolder | undefined {
    return this.#times.get(path)
  }

  set(path: string, times: TimesOfFolder): void {
    this.#times.set(path, times)
  }

  /** The folder is gone, or has another name. */
  delete(path: string): void {
    this.#times.delete(path)
  }

  /** A folder has moved, with everything below it. Its own times are the caller's to set. */
  movedBelow(from: string, to: string): void {
    this.#times.delete(from)
    for (const path of this.#times.names()) {
      const times = path.startsWith(`${from}/`) ? this.#times.get(path) : undefined
      if (times === undefined) continue
      this.#times.delete(path)
      this.#times.set(to + path.slice(from.length), times)
    }
  }

  /** Writes what is not in the file yet. */
  close(): Promise<void> {
    return this.#times.close()
  }
}
