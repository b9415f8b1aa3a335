import { type Dirent, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Log } from '../../backend/log.js'
import { makeFolder } from '../../system/make-folder.js'

/** A folder that must not hold a disk cache. Its message says what was found. */
export class CacheFolderError extends Error {
  override readonly name = 'CacheFolderError'
  readonly expected = 'a folder of this user to which no other may write'
}

const FAMILY = /^mount-bucket-cache-(\d+)$/

/** The version of the format is in the folder's name, so that releases with different ones live side by side. */
const NAME = 'mount-bucket-cache-1'

const SEGMENT = /^[0-9a-f]{38}$/

/** What a process that ended in between has left. */
const UNBORN = /^[0-9a-f]{38}\.[0-9a-f-]+\.new$/

const SHELF = /^[0-9a-f]{2}$/

/** Backup programs leave folders with it out (bford.info/cachedir). */
const TAG = `Signature: 8a477f597d28d172789f06886806bc55
# What mount-bucket has read from object stores. It may be removed at any time.
`

/** One file of the cache. */
export interface CacheFile {
  readonly path: string
  /** Of the disk, in bytes. */
  readonly usedBytes: number
  /** When it was last used, as Date.now. */
  readonly usedMs: number
  /** Not in its place yet, or left by a process that ended before it was. */
  readonly isUnborn: boolean
}

/** The folder of the disk cache of this format, and where in it what lies. Nothing else below it is ever touched. */
export class CacheFolder {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /**
   * Makes the folder below `place`. Throws CacheFolderError where it is another user's or others may write to it: they
   * could make programs read what the store does not have.
   */
  static open(place: string, log: Log): CacheFolder {
    const folder = CacheFolder.at(place)
    makeFolder(folder.path)
    const stats = lstatSync(folder.path)
    if (!stats.isDirectory()) throw new CacheFolderError(`${folder.path}, which is no folder`)
    if (stats.uid !== process.getuid?.()) throw new CacheFolderError(`${folder.path}, which is another user's`)
    if ((stats.mode & 0o022) !== 0) throw new CacheFolderError(`${folder.path}, to which other users may write`)
    folder.#tag(log)
    const others = readdirSync(place).filter(name => FAMILY.test(name) && name !== NAME)
    if (others.length > 0) log.warn('disk caches of other versions are left alone', { folder: place, others })
    return folder
  }

  /** Where it is or would be. */
  static at(place: string): CacheFolder {
    return new CacheFolder(join(place, NAME))
  }

  pathOf(segmentName: string): string {
    return join(this.path, segmentName.slice(0, 2), segmentName.slice(2))
  }

  /** Makes the folder of a segment, and those above if somebody has removed them. */
  async makeFor(path: string): Promise<void> {
    await makeWithParents(dirname(path))
  }

  /** The same, for a thread that may wait. */
  makeForSync(path: string): void {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  }

  /** Every file of ours, shelf by shelf. Takes as long as the disk does: nothing for the thread that serves. */
  *files(): Generator<CacheFile> {
    for (const shelf of this.shelves())
      for (const entry of entriesOf(shelf)) {
        const file = entry.isFile() && isOurs(entry.name) ? look(shelf, entry.name) : undefined
        if (file !== undefined) yield file
      }
  }

  /** The folders that segments lie in. */
  shelves(): readonly string[] {
    const shelves = entriesOf(this.path).filter(entry => entry.isDirectory() && SHELF.test(entry.name))
    return shelves.map(entry => join(this.path, entry.name))
  }

  #tag(log: Log): void {
    try {
      writeFileSync(join(this.path, 'CACHEDIR.TAG'), TAG, { mode: 0o600 })
    } catch (error) {
      log.warn('the disk cache is on a disk for reading only: nothing is added to it', { folder: this.path, error })
    }
  }
}

function isOurs(name: string): boolean {
  return SEGMENT.test(name) || UNBORN.test(name)
}

function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Undefined for a file that another process has removed meanwhile. */
function look(shelf: string, name: string): CacheFile | undefined {
  const path = join(shelf, name)
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return undefined
  return { path, usedBytes: stats.blocks * 512, usedMs: stats.mtimeMs, isUnborn: UNBORN.test(name) }
}

async function makeWithParents(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    await makeWithParents(dirname(path))
    await makeWithParents(path)
  }
}
