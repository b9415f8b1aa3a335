import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../backend/log.js'
import { KeptFiles, type KeptRecord, namesIn, readJson, type StagedFor, type StoreSource } from './kept-files.js'
import { isLocked, outOfSpace, StagingFile } from './staging-file.js'
import { WritePace } from './write-pace.js'

export interface StagingOptions {
  /** The mount's state folder; `staging/`, `kept/` and `uploads/` are made below it. */
  readonly folder: string
  readonly source: StoreSource
  /** Bound of all staging files together. */
  readonly maxBytes: number
  /** Beyond this the log warns of what is kept: it is never removed by itself, and more is kept all the same. */
  readonly maxKeptBytes: number
  readonly log: Log
  readonly newId?: () => string
  /** Finer than milliseconds. */
  readonly nowMs?: () => number
}

interface UploadRecord {
  readonly key: string
  readonly uploadId: string
  readonly startedMs: number
}

/**
 * How many bytes drivers that ended have left in the staging folder below this state folder: the next driver moves them to
 * `kept/`.
 */
export async function leftInStaging(stateDir: string): Promise<number> {
  const folder = join(stateDir, 'staging')
  let leftBytes = 0
  for (const name of await namesIn(folder)) {
    const path = join(folder, name)
    // A driver may end, or begin, while they are looked at.
    if (name.endsWith('.data') && !(await isLocked(path).catch(() => true))) leftBytes += await sizeOf(path)
  }
  return leftBytes
}

function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}

/** The folder where writers keep what is not stored yet, and where bytes stay that could not be stored. */
export class StagingArea {
  readonly #options: StagingOptions
  /** Of the disk of the state folder. */
  readonly pace: WritePace
  readonly #newId: () => string
  readonly #kept: KeptFiles
  /** Of each file whose record is being written anew, when that is done. */
  readonly #renewals = new Map<StagingFile, Promise<void>>()
  #usedBytes = 0

  private constructor(options: StagingOptions) {
    this.#options = options
    this.#newId = options.newId ?? randomUUID
    this.pace = new WritePace(options.nowMs ?? (() => performance.now()))
    this.#kept = new KeptFiles(options.folder)
  }

  /** Makes the folders. What an earlier driver left in staging moves to `kept/`, since its writers are gone. */
  static async open(options: StagingOptions): Promise<StagingArea> {
    const area = await StagingArea.beside(options)
    await area.#keepLeftovers()
    return area
  }

  /** The area of a mount that may be running: what others have in it is left alone. */
  static async beside(options: StagingOptions): Promise<StagingArea> {
    const area = new StagingArea(options)
    for (const folder of ['staging', 'uploads'])
      await mkdir(join(options.folder, folder), { recursive: true, mode: 0o700 })
    await area.#kept.make()
    return area
  }

  async createFile(owner: StagedFor): Promise<StagingFile> {
    const id = this.#newId()
    const path = join(this.#options.folder, 'staging', `${id}.data`)
    try {
      const file = new StagingFile(this, id, path, await open(path, 'wx+', 0o600))
      try {
        await writeFile(this.#recordPath(id), JSON.stringify(owner), { mode: 0o600 })
        return file
      } catch (error) {
        await this.remove(file)
        throw error
      }
    } catch (cause) {
      throw outOfSpace(`the state folder ${this.#options.folder} takes no more (--state-dir, --staging-size)`, cause)
    }
  }

  /** False: the bound is reached. */
  reserve(sizeBytes: number): boolean {
    if (this.#usedBytes + sizeBytes > this.#options.maxBytes) return false
    this.#usedBytes += sizeBytes
    return true
  }

  giveBack(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes
  }

  /** The file belongs to another key or version now, which a later driver must know if this one dies. Never rejects. */
  renew(file: StagingFile, owner: StagedFor): Promise<void> {
    const path = this.#recordPath(file.id)
    const write = async () => {
      try {
        await writeFile(`${path}.new`, JSON.stringify(owner), { mode: 0o600 })
        await rename(`${path}.new`, path)
      } catch (error) {
        this.#options.log.warn('where a staged file belongs could not be noted', { key: owner.key, error })
        // Where that fails, too, the next driver removes it.
        await rm(`${path}.new`, { force: true }).catch(() => undefined)
      }
    }
    const renewed = this.#settled(file).then(write)
    this.#renewals.set(file, renewed)
    return renewed
  }

  /** Moves a staging file out of the way of new ones and says where: its bytes could not be stored. */
  async keep(file: StagingFile, record: Omit<KeptRecord, keyof StoreSource>): Promise<string> {
    await file.sync()
    const keptAt = await this.#kept.add(file.id, file.path, { ...this.#options.source, ...record })
    await file.close()
    await this.#removeRecord(file)
    await this.#warnOfSize()
    return keptAt
  }

  /** Nobody waits until the disk has forgotten its bytes. Never rejects: what it held is stored, or nobody's any more. */
  async remove(file: StagingFile): Promise<void> {
    try {
      await rm(file.path, { force: true })
      await this.#removeRecord(file)
    } catch (error) {
      this.#options.log.warn('a staging file could not be removed', { path: file.path, error })
    }
    file.close().catch((error: unknown) => {
      this.#options.log.warn('a staging file could not be closed', { path: file.path, error })
    })
  }

  /** Remembers an upload before its first part, so that a later driver can abort it. Returns how to forget it. */
  async recordUpload(record: UploadRecord): Promise<() => Promise<void>> {
    const path = join(this.#options.folder, 'uploads', `${this.#newId()}.json`)
    try {
      await writeFile(path, JSON.stringify(record), { mode: 0o600 })
    } catch (error) {
      // A full state folder must not stop a sequential writer; the store's own lifecycle rules end such uploads.
      this.#options.log.warn('an upload could not be recorded', { key: record.key, error })
    }
    return async () => {
      try {
        await rm(path, { force: true })
      } catch (error) {
        // A later driver finds no such upload and forgets it.
        this.#options.log.warn('the record of an upload could not be removed', { key: record.key, error })
      }
    }
  }

  /** Uploads that earlier drivers recorded and did not end. */
  async recordedUploads(): Promise<readonly (UploadRecord & { readonly forget: () => Promise<void> })[]> {
    const folder = join(this.#options.folder, 'uploads')
    const records: (UploadRecord & { readonly forget: () => Promise<void> })[] = []
    for (const name of await readdir(folder)) {
      const path = join(folder, name)
      const record = await readJson<UploadRecord>(path)
      if (record === undefined) await rm(path, { force: true })
      else records.push({ ...record, forget: () => rm(path, { force: true }) })
    }
    return records
  }

  #recordPath(id: string): string {
    return join(this.#options.folder, 'staging', `${id}.json`)
  }

  #settled(file: StagingFile): Promise<void> {
    return this.#renewals.get(file) ?? Promise.resolve()
  }

  async #removeRecord(file: StagingFile): Promise<void> {
    await this.#settled(file)
    this.#renewals.delete(file)
    await rm(this.#recordPath(file.id), { force: true })
  }

  /** What is kept is never removed by itself, and keeping more loses less than refusing it. */
  async #warnOfSize(): Promise<void> {
    const { maxKeptBytes, log } = this.#options
    const keptBytes = await this.#kept.totalBytes()
    if (keptBytes > maxKeptBytes)
      log.warn('what is kept takes more than --kept-size: save, retry or discard it (mount-bucket recover)', {
        keptBytes,
        keptSize: maxKeptBytes,
      })
  }

  async #keepLeftovers(): Promise<void> {
    const folder = join(this.#options.folder, 'staging')
    const names = await readdir(folder)
    for (const name of names) {
      const id = name.slice(0, name.indexOf('.'))
      const isOrphan = name.includes('.json') && !names.includes(`${id}.data`)
      if (isOrphan || name.endsWith('.new')) await rm(join(folder, name), { force: true })
      if (name.endsWith('.data') && !(await isLocked(join(folder, name)))) await this.#keepLeftover(id)
    }
  }

  async #keepLeftover(id: string): Promise<void> {
    const path = join(this.#options.folder, 'staging', `${id}.data`)
    const recorded = await readJson<StagedFor>(this.#recordPath(id))
    // A record that the crash cut off must not cost the bytes.
    const owner: StagedFor = recorded ?? { key: '', baseEtag: undefined }
    const { size } = await stat(path)
    if (size === 0) {
      await rm(path, { force: true })
    } else {
      const keptAt = await this.#kept.add(id, path, {
        ...this.#options.source,
        ...owner,
        sizeBytes: size,
        // Its writer may have had more in memory, and what was dropped or lost with the machine's memory is a hole.
        ranges: undefined,
        reason: `the driver ended before it was stored${recorded === undefined ? ' and before it noted of which key' : ''}`,
        keptAtMs: Date.now(),
      })
      const message = 'an earlier driver ended before this was stored; its bytes are kept (mount-bucket recover)'
      this.#options.log.warn(message, { key: owner.key, keptAt })
    }
    await rm(this.#recordPath(id), { force: true })
  }
}
