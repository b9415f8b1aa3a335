import { constants } from 'node:fs'
import { type FileHandle, open, stat, unlink } from 'node:fs/promises'
import { tryLockExclusive } from '../../system/flock.js'
import { hasCode, unlessMissing } from './local-errors.js'

/** Where there are no locks, a file that nobody has written to for so long is nobody's. */
const UNLOCKED_IDLE_MS = 10 * 60 * 1000

/**
 * A file that one process at a time works on, among all that share the folder, in containers too: it is locked (flock) as
 * long as it is open, and whoever finds it unlocked may go on with it. A process that ends leaves its files so, however it ends.
 */
export class OwnedFile {
  readonly path: string
  readonly handle: FileHandle

  private constructor(path: string, handle: FileHandle) {
    this.path = path
    this.handle = handle
  }

  /** Undefined where it is not there, another one works on it, or it may not be written. */
  static async open(path: string): Promise<OwnedFile | undefined> {
    const handle = await openFound(path)
    if (handle === undefined) return undefined
    const file = new OwnedFile(path, handle)
    try {
      if ((lock(handle) ?? (await isIdle(handle))) && (await file.isThere())) return file
    } catch (error) {
      await file.close()
      throw error
    }
    await file.close()
    return undefined
  }

  /** A new one; undefined where another process has taken it on at once. Rejects with EEXIST where there is one. */
  static async create(path: string, mode: number): Promise<OwnedFile | undefined> {
    const handle = await open(path, 'wx+', mode)
    const file = new OwnedFile(path, handle)
    if (lock(handle) !== false && (await file.isThere())) return file
    await file.close()
    return undefined
  }

  /** Whether its path still leads to it. */
  async isThere(): Promise<boolean> {
    const [here, there] = await Promise.all([
      this.handle.stat({ bigint: true }),
      unlessMissing(stat(this.path, { bigint: true })),
    ])
    return here.ino === there?.ino && here.dev === there.dev
  }

  /** Removes it, unless another one is at its path. */
  async remove(): Promise<void> {
    if (await this.isThere()) await unlessMissing(unlink(this.path))
  }

  /** Others may go on with it. */
  close(): Promise<void> {
    return this.handle.close()
  }
}

async function openFound(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES', 'EPERM', 'EROFS', 'ELOOP', 'EISDIR', 'ENXIO')) return undefined
    throw error
  }
}

/** Undefined where there are no locks: another C library, or a file system without. */
function lock({ fd }: FileHandle): boolean | undefined {
  try {
    return tryLockExclusive(fd)
  } catch {
    return undefined
  }
}

async function isIdle(handle: FileHandle): Promise<boolean> {
  return (await handle.stat()).mtimeMs < Date.now() - UNLOCKED_IDLE_MS
}
