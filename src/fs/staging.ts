import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../backend/log.js'
import { punchHole } from '../system/fallocate.js'
import { tryLockExclusive } from '../system/flock.js'
import { Extents } from './extents.js'
import { FsError } from './fs-error.js'

export interface StagingOptions {
  /** The mount's state folder; `staging/`, `kept/` and `uploads/` are made below it. */
  readonly folder: string
  /** Bound of all staging files together. */
  readonly maxBytes: number
  readonly log: Log
  readonly newId?: () => string
}

/** Whose bytes a staging file holds. */
export interface StagedFor {
  readonly key: string
  /** The version that was being edited; undefined for a new or replaced object. */
  readonly baseEtag: string | undefined
}

/** What is written beside kept bytes, as JSON. */
export interface KeptRecord extends StagedFor {
  /** Size that the file had for the program that wrote it. */
  readonly sizeBytes: number
  /**
   * The ranges that the kept file holds: `[start, end]` pairs; other bytes are the base's, or zero. Undefined where the
   * driver died before it could say: then the holes of the file are the base's bytes.
   */
  readonly ranges: readonly (readonly [number, number])[] | undefined
  readonly reason: string
  readonly keptAtMs: number
}

interface UploadRecord {
  readonly key: string
  readonly uploadId: string
  readonly startedMs: number
}

/** The folder where writers keep what is not stored yet, and where bytes stay that could not be stored. */
export class StagingArea {
  readonly #options: StagingOptions
  readonly #newId: () => string
  #usedBytes = 0

  private constructor(options: StagingOptions) {
    this.#options = options
    this.#newId = options.newId ?? randomUUID
  }

  /** Makes the folders. What an earlier driver left in staging moves to `kept/`, since its writers are gone. */
  static async open(options: StagingOptions): Promise<StagingArea> {
    const area = new StagingArea(options)
    for (const folder of ['staging', 'kept', 'uploads'])
      await mkdir(join(options.folder, folder), { recursive: true, mode: 0o700 })
    await area.#keepLeftovers()
    return area
  }

  async createFile(owner: StagedFor): Promise<StagingFile> {
    const id = this.#newId()
    const path = join(this.#options.folder, 'staging', `${id}.data`)
    try {
      const file = new StagingFile(this, id, path, await open(path, 'wx+', 0o600))
      try {
        await writeFile(join(this.#options.folder, 'staging', `${id}.json`), JSON.stringify(owner), { mode: 0o600 })
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

  /** Moves a staging file out of the way of new ones and says where: its bytes could not be stored. */
  async keep(file: StagingFile, record: KeptRecord): Promise<string> {
    const folder = join(this.#options.folder, 'kept')
    const keptAt = join(folder, `${file.id}.data`)
    await file.sync()
    await writeFile(join(folder, `${file.id}.json`), `${JSON.stringify(record, undefined, 1)}\n`, { mode: 0o600 })
    await rename(file.path, keptAt)
    await file.close()
    await this.#removeRecord(file.id)
    return keptAt
  }

  async remove(file: StagingFile): Promise<void> {
    await file.close()
    await rm(file.path, { force: true })
    await this.#removeRecord(file.id)
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

  async #removeRecord(id: string): Promise<void> {
    await rm(join(this.#options.folder, 'staging', `${id}.json`), { force: true })
  }

  async #keepLeftovers(): Promise<void> {
    const folder = join(this.#options.folder, 'staging')
    const names = await readdir(folder)
    for (const name of names) {
      const id = name.slice(0, name.lastIndexOf('.'))
      if (name.endsWith('.json') && !names.includes(`${id}.data`)) await this.#removeRecord(id)
      if (!name.endsWith('.data')) continue
      const path = join(folder, name)
      if (await isLocked(path)) continue
      const recorded = await readJson<StagedFor>(join(folder, `${id}.json`))
      // A record that the crash cut off must not cost the bytes.
      const owner = recorded ?? { key: '', baseEtag: undefined }
      const { size } = await stat(path)
      if (size === 0) {
        await rm(path, { force: true })
      } else {
        const keptAt = join(this.#options.folder, 'kept', name)
        const record: KeptRecord = {
          ...owner,
          sizeBytes: size,
          ranges: recorded === undefined || owner.baseEtag !== undefined ? undefined : [[0, size]],
          reason: `the driver ended before it was stored${recorded === undefined ? ' and before it noted of which key' : ''}`,
          keptAtMs: Date.now(),
        }
        await writeFile(join(this.#options.folder, 'kept', `${id}.json`), JSON.stringify(record), { mode: 0o600 })
        await rename(path, keptAt)
        this.#options.log.warn('an earlier driver ended before this was stored; its bytes are kept', {
          key: owner.key,
          keptAt,
        })
      }
      await this.#removeRecord(id)
    }
  }
}

/** A sparse file of one writer. Only `held` ranges mean anything. */
export class StagingFile {
  readonly id: string
  readonly path: string
  readonly held = new Extents()
  readonly #area: StagingArea
  readonly #handle: FileHandle
  #heldBytes = 0
  #isClosed = false

  constructor(area: StagingArea, id: string, path: string, handle: FileHandle) {
    this.#area = area
    this.id = id
    this.path = path
    this.#handle = handle
    // Tells drivers that start with the same state folder that the file's writer lives.
    tryLockExclusive(handle.fd)
  }

  /** ENOSPC where the bound of the area or the disk is reached; then nothing of it counts as held. */
  async write(offset: number, data: Uint8Array): Promise<void> {
    const end = offset + data.length
    const newBytes = this.held
      .split(offset, end)
      .reduce((sum, piece) => sum + (piece.isInside ? 0 : piece.end - piece.start), 0)
    if (!this.#area.reserve(newBytes)) throw outOfSpace('the staging folder is full (--staging-size)')
    try {
      for (let done = 0; done < data.length; ) {
        const { bytesWritten } = await this.#handle.write(data, done, data.length - done, offset + done)
        done += bytesWritten
      }
    } catch (cause) {
      this.#area.giveBack(newBytes)
      throw outOfSpace('the disk of the state folder is full or failing (--state-dir)', cause)
    }
    this.#heldBytes += newBytes
    this.held.add(offset, end)
  }

  /** Bytes of a held range. */
  async read(offset: number, sizeBytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(sizeBytes)
    for (let done = 0; done < sizeBytes; ) {
      const { bytesRead } = await this.#handle.read(buffer, done, sizeBytes - done, offset + done)
      if (bytesRead === 0) {
        if (this.held.covers(offset, offset + sizeBytes))
          throw new FsError('EIO', `the staging file ${this.path} is shorter than it should be`)
        // The file was truncated while it was being read.
        buffer.fill(0, done)
        return buffer
      }
      done += bytesRead
    }
    return buffer
  }

  /** Forgets all from `sizeBytes` on. */
  async truncate(sizeBytes: number): Promise<void> {
    this.held.remove(sizeBytes, Number.MAX_SAFE_INTEGER)
    await this.#handle.truncate(sizeBytes)
    this.#settle()
  }

  /** Forgets a range and gives its disk space back. */
  drop(start: number, end: number): void {
    punchHole(this.#handle.fd, start, end - start)
    this.held.remove(start, end)
    this.#settle()
  }

  sync(): Promise<void> {
    return this.#handle.datasync()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#area.giveBack(this.#heldBytes)
    await this.#handle.close()
  }

  #settle(): void {
    const heldBytes = this.held.totalBytes
    this.#area.giveBack(this.#heldBytes - heldBytes)
    this.#heldBytes = heldBytes
  }
}

function outOfSpace(message: string, cause?: unknown): FsError {
  return new FsError('ENOSPC', message, cause)
}

/** A driver that was detached from its mount point (`umount -l`) may still be storing the file. */
async function isLocked(path: string): Promise<boolean> {
  const handle = await open(path, 'r')
  try {
    return !tryLockExclusive(handle.fd)
  } finally {
    await handle.close()
  }
}

async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T
  } catch {
    // A record that was cut off by the crash says nothing.
    return undefined
  }
}
