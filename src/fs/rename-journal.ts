import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../backend/log.js'
import { tryLockExclusive } from '../system/flock.js'
import { FsError } from './fs-error.js'
import { Mutex } from './mutex.js'

/**
 * How far a folder's move is. `copying`: the old name holds everything. `deleting`: the new name does. `returning`: it
 * has failed, and its copies are being removed again.
 */
export type RenamePhase = 'copying' | 'deleting' | 'returning'

export interface RenameRecord {
  /** Of the store that both names are in. */
  readonly url: string
  /** The folder's paths, without slashes at the end. */
  readonly from: string
  readonly to: string
  /** The object whose key is the path itself goes along: it is an entry of the folder. */
  readonly withBeside: boolean
  readonly startedMs: number
  /** The new name was an empty folder with a marker of its own, whose place that of the folder takes. */
  readonly replacesMarker: boolean
}

/** The copies that a move has made before it failed: by their keys behind the folder's path. */
export interface MadeCopies {
  /** In key order, nothing behind this one was copied. */
  readonly upTo: string
  /** These are of others. */
  readonly except: readonly string[]
}

/** ETags of an object and of its copy, where the store gave the copy another one (multipart uploads, some encryption). */
interface CopyEtags {
  readonly from: string
  readonly to: string
}

/** One line each, so that a crash costs the last one at the most. */
type Line =
  | { readonly record: RenameRecord }
  | { readonly phase: RenamePhase; readonly newestMs: number; readonly made?: MadeCopies | undefined }
  | { readonly copied: string; readonly etags: CopyEtags }

/** Copies with another ETag are remembered in memory too: of more, a move is left to the program (`mv`). */
const MAX_OTHER_ETAGS = 1_000_000

export interface RenameJournalOptions {
  /** The mount's state folder; `renames/` is made below it. */
  readonly folder: string
  readonly log: Log
  readonly newId?: () => string
}

/** Moves of folders that are under way, in the state folder, so that a later mount finishes what a crash cut off. */
export class RenameJournal {
  readonly #folder: string
  readonly #log: Log
  readonly #newId: () => string

  private constructor(folder: string, log: Log, newId: () => string) {
    this.#folder = folder
    this.#log = log
    this.#newId = newId
  }

  static async open({ folder, log, newId = randomUUID }: RenameJournalOptions): Promise<RenameJournal> {
    const renames = join(folder, 'renames')
    await mkdir(renames, { recursive: true, mode: 0o700 })
    return new RenameJournal(renames, log, newId)
  }

  /** The record is on the disk when this resolves. Rejects with an errno where it can't be. */
  async begin(record: RenameRecord): Promise<RenameEntry> {
    const path = join(this.#folder, `${this.#newId()}.json`)
    try {
      const file = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_APPEND | constants.O_RDWR, 0o600)
      const entry = new RenameEntry(path, file, record)
      try {
        tryLockExclusive(file.fd)
        await entry.write({ record })
        await syncFolder(this.#folder)
        return entry
      } catch (error) {
        await entry.end()
        throw error
      }
    } catch (cause) {
      throw new FsError('ENOSPC', `the state folder ${this.#folder} takes no more (--state-dir)`, cause)
    }
  }

  /** What drivers that are gone began in this store and did not finish. */
  async unfinished(url: string): Promise<readonly RenameEntry[]> {
    const entries: RenameEntry[] = []
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name)
      const entry = await this.#reopen(path)
      if (entry === undefined) continue
      if (entry.record.url === url) entries.push(entry)
      else {
        await entry.leave()
        this.#log.warn('a folder was being renamed in another store; that is left alone', { path, ...entry.record })
      }
    }
    return entries
  }

  async #reopen(path: string): Promise<RenameEntry | undefined> {
    const file = await open(path, constants.O_APPEND | constants.O_RDWR)
    // A driver that was detached from its mount point (`umount -l`) may still be at it.
    if (!tryLockExclusive(file.fd)) {
      await file.close()
      return undefined
    }
    const text = await readFile(path, 'utf8')
    const lines = text.split('\n').flatMap(line => parsed(line))
    const record = lines.map(line => ('record' in line ? line.record : undefined)).find(found => found !== undefined)
    if (record === undefined) {
      // Cut off before the first change.
      await file.close()
      await rm(path, { force: true })
      return undefined
    }
    const entry = new RenameEntry(path, file, record)
    entry.recall(lines)
    // What a crash cut off must not swallow the next line.
    if (!text.endsWith('\n')) await file.appendFile('\n')
    return entry
  }
}

/** One move in the journal. Other drivers leave it alone while it is open. */
export class RenameEntry {
  readonly record: RenameRecord
  readonly #path: string
  readonly #file: FileHandle
  /** Held while a line is written. */
  readonly #lock = new Mutex()
  readonly #otherEtags = new Map<string, CopyEtags>()
  #phase: RenamePhase = 'copying'
  #newestMs = 0
  #made: MadeCopies | undefined

  constructor(path: string, file: FileHandle, record: RenameRecord) {
    this.#path = path
    this.#file = file
    this.record = record
  }

  get phase(): RenamePhase {
    return this.#phase
  }

  /** By the store's clock, when the latest of the copied objects was made: what is newer isn't what was copied. */
  get newestMs(): number {
    return this.#newestMs
  }

  /** Of a move that is `returning`; undefined: whatever looks like a copy is one. */
  get made(): MadeCopies | undefined {
    return this.#made
  }

  /** The ETag that the copy of this version of an object has. */
  etagOfCopy(rest: string, etag: string): string {
    const etags = this.#otherEtags.get(rest)
    return etags?.from === etag ? etags.to : etag
  }

  /** An object was copied. EXDEV where that is more than can be remembered: `mv` then copies by itself. */
  async copied(rest: string, from: string, to: string): Promise<void> {
    if (from === to) return
    if (this.#otherEtags.size >= MAX_OTHER_ETAGS) throw new FsError('EXDEV', 'too many objects whose copies differ')
    this.#otherEtags.set(rest, { from, to })
    await this.#append({ copied: rest, etags: { from, to } })
  }

  /** On the disk when it resolves. */
  async advance(phase: RenamePhase, newestMs = this.#newestMs, made?: MadeCopies): Promise<void> {
    await this.write({ phase, newestMs, made })
    this.#phase = phase
    this.#newestMs = newestMs
    this.#made = made
  }

  /** The move is over. */
  async end(): Promise<void> {
    await rm(this.#path, { force: true })
    await this.#file.close()
  }

  /** The move is left to a later mount. */
  leave(): Promise<void> {
    return this.#file.close()
  }

  async write(line: Line): Promise<void> {
    await this.#append(line)
    await this.#file.datasync()
  }

  recall(lines: readonly Line[]): void {
    for (const line of lines) {
      if ('copied' in line) this.#otherEtags.set(line.copied, line.etags)
      if (!('phase' in line)) continue
      this.#phase = line.phase
      this.#newestMs = line.newestMs
      this.#made = line.made
    }
  }

  #append(line: Line): Promise<void> {
    return this.#lock.run(() => this.#file.appendFile(`${JSON.stringify(line)}\n`))
  }
}

function parsed(line: string): Line[] {
  if (line === '') return []
  try {
    return [JSON.parse(line) as Line]
  } catch {
    // A line that the crash cut off says nothing.
    return []
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
