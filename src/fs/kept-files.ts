import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '../backend/local/sync-folder.js'
import type { Attachments } from '../backend/object-store.js'
import { tryLockExclusive } from '../system/flock.js'

/** Whose bytes a staging file holds. */
export interface StagedFor {
  readonly key: string
  /** The version that was being edited; undefined for a new or replaced object. */
  readonly baseEtag: string | undefined
}

/** Where the object is or was to be. Without secrets. */
export interface StoreSource {
  readonly url: string
  /** Of an S3 store that is not Amazon's. */
  readonly endpoint?: string | undefined
}

/** Pairs of `[start, end]`. */
export type Ranges = readonly (readonly [number, number])[]

/** Why and of what bytes are kept. */
export interface Keeping {
  readonly reason: string
  /** In the mount, when they were kept. */
  readonly path: string
  /** The version that the name led to; undefined: none. */
  readonly shownEtag: string | undefined
  /** What was to be kept beside the bytes; undefined where it was not known. */
  readonly attachments: Attachments | undefined
}

/** What is written beside kept bytes, as JSON. */
export interface KeptRecord extends StagedFor, StoreSource, Partial<Keeping> {
  readonly reason: string
  /** Size that the file had for the program that wrote it. */
  readonly sizeBytes: number
  /**
   * The ranges that the kept file holds, zeros where it is shorter; other bytes are the base's. Undefined where the driver died before it
   * could say: then nobody knows what the holes of the file stand for, nor what came behind its end.
   */
  readonly ranges: Ranges | undefined
  /** Ranges that only the parts of an upload held, which is gone: staging had no room for them. */
  readonly lost?: Ranges
  readonly keptAtMs: number
}

/** What a mount could not store, on the local disk. */
export interface KeptFile {
  readonly id: string
  readonly record: KeptRecord
  readonly dataPath: string
  /** What it takes of the disk. */
  readonly diskBytes: number
}

/** Stands in for a record that can't be read: the bytes are there all the same. */
const NO_RECORD = { url: '', key: '', baseEtag: undefined, ranges: undefined, reason: 'its record can not be read' }

/** The folder `kept/` of a mount's state: two files for each, ID.data and ID.json. */
export class KeptFiles {
  readonly #folder: string

  /** `stateDir` is the mount's state folder. */
  constructor(stateDir: string) {
    this.#folder = join(stateDir, 'kept')
  }

  async make(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
  }

  /** Moves synced bytes here and says where they are. On the disk, with their record, when it resolves. */
  async add(id: string, from: string, record: KeptRecord): Promise<string> {
    // A crash between the two left a record, which knew more than whoever finds the bytes later.
    if ((await readJson(this.#recordPath(id))) === undefined) await this.#writeRecord(id, record)
    const dataPath = this.#dataPath(id)
    await rename(from, dataPath)
    await syncFolder(this.#folder)
    return dataPath
  }

  /** The oldest first. None where the folder does not exist. */
  async list(): Promise<readonly KeptFile[]> {
    const names = await namesIn(this.#folder)
    const found: KeptFile[] = []
    for (const name of names) {
      if (!name.endsWith('.data')) continue
      const file = await this.#read(name.slice(0, -'.data'.length))
      if (file !== undefined) found.push(file)
    }
    return found.sort((a, b) => a.record.keptAtMs - b.record.keptAtMs)
  }

  async totalBytes(): Promise<number> {
    return (await this.list()).reduce((sum, file) => sum + file.diskBytes, 0)
  }

  /**
   * Runs `task` while nobody else may work on the file, with the file open for reading and writing. Undefined: somebody
   * does, or has removed it.
   */
  async alone<T>(file: KeptFile, task: (handle: FileHandle) => Promise<T>): Promise<T | undefined> {
    const handle = await open(file.dataPath, constants.O_RDWR).catch(() => undefined)
    if (handle === undefined) return undefined
    try {
      if (!tryLockExclusive(handle.fd)) return undefined
      return (await handle.stat()).nlink === 0 ? undefined : await task(handle)
    } finally {
      await handle.close()
    }
  }

  async remove(id: string): Promise<void> {
    await rm(this.#dataPath(id), { force: true })
    await rm(this.#recordPath(id), { force: true })
    await syncFolder(this.#folder)
  }

  async #read(id: string): Promise<KeptFile | undefined> {
    const dataPath = this.#dataPath(id)
    // Somebody may have removed it meanwhile.
    const found = await stat(dataPath).catch(() => undefined)
    if (found === undefined) return undefined
    const record = await readJson<KeptRecord>(this.#recordPath(id))
    const missing = { ...NO_RECORD, sizeBytes: found.size, keptAtMs: found.mtimeMs }
    return { id, dataPath, diskBytes: found.blocks * 512, record: record ?? missing }
  }

  async #writeRecord(id: string, record: KeptRecord): Promise<void> {
    const handle = await open(this.#recordPath(id), 'w', 0o600)
    try {
      await handle.writeFile(`${JSON.stringify(record, undefined, 1)}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  #dataPath(id: string): string {
    return join(this.#folder, `${id}.data`)
  }

  #recordPath(id: string): string {
    return join(this.#folder, `${id}.json`)
  }
}

/** What is in a folder: nothing where there is none. Rejects where it can't be read: that is not to look like nothing. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return []
    throw error
  }
}

/** Undefined for a file that is not there, and for one that a crash cut off: it says nothing. */
export async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T
  } catch {
    // As said above.
    return undefined
  }
}
