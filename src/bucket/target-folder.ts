import type { BigIntStats } from 'node:fs'
import { lstat, mkdir, rmdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StoreError } from '../backend/store-error.js'
import { identityOf } from './sync/local-file.js'
import { isGone, whatIs } from './sync/local-tree.js'

/** The longest name and path that Linux and macOS take, in bytes (NAME_MAX, and PATH_MAX of the lesser). */
const MAX_NAME_BYTES = 255
const MAX_PATH_BYTES = 1023

/** Why a key can't be a path below a folder; undefined where it can. A marker's slash at the end must be off. */
export function pathFault(name: string): string | undefined {
  if (name === '') return 'an empty name is no file name'
  if (name.includes('\0')) return 'a NUL is in no file name'
  for (const part of name.split('/')) {
    if (part === '')
      return name.startsWith('/') ? 'it begins with a slash' : 'it has an empty part, which is no file name'
    if (part === '.' || part === '..') return `it has the part ${part}, which would lead elsewhere`
    if (Buffer.byteLength(part) > MAX_NAME_BYTES) return `it has a part of more than ${MAX_NAME_BYTES} bytes`
  }
  return undefined
}

/** A folder of the local disk that is written to, and nothing outside of it, whatever names and links say. */
export class TargetFolder {
  readonly #root: string

  /** An absolute path without links, so that what lies below can be checked part by part. */
  constructor(root: string) {
    this.#root = root
  }

  /** Throws `invalid` for a name that is no path here. */
  pathOf(name: string, key: string): string {
    const path = join(this.#root, name)
    const fault =
      pathFault(name) ?? (Buffer.byteLength(path) > MAX_PATH_BYTES ? 'the path would be too long' : undefined)
    if (fault !== undefined) throw notAPath(key, fault)
    return path
  }

  /** Makes the folders above a file, or with `isDryRun` looks whether they can be. Throws `invalid` where one of them is something else, a link to a folder included. */
  async makeFoldersFor(name: string, key: string, isDryRun: boolean): Promise<void> {
    const parts = name.split('/').slice(0, -1)
    for (let depth = 1; depth <= parts.length; depth++) await this.#makeFolder(parts.slice(0, depth), key, isDryRun)
  }

  /** What stands where a file is to go; undefined for nothing. Throws `invalid` for what no file may take the place of. */
  async present(name: string, key: string): Promise<BigIntStats | undefined> {
    const path = this.pathOf(name, key)
    const stats = await statsOf(path)
    if (stats === undefined || stats.isFile()) return stats
    throw notAPath(key, stats.isDirectory() ? `${path} is a folder` : `${path} is ${whatIs(stats)}`)
  }

  /** Removes a file that is still as it was seen, and the folders above that it leaves empty. False where it is not. */
  async remove(name: string, key: string, seen: BigIntStats): Promise<boolean> {
    const path = this.pathOf(name, key)
    if (!(await this.#areFolders(name))) return false
    const stats = await statsOf(path)
    if (stats === undefined || identityOf(stats) !== identityOf(seen)) return false
    await unlink(path)
    await this.#removeEmpty(dirname(name))
    return true
  }

  async #makeFolder(parts: readonly string[], key: string, isDryRun: boolean): Promise<void> {
    const path = join(this.#root, ...parts)
    for (let attempt = 0; attempt < 2; attempt++) {
      const stats = await statsOf(path)
      if (stats?.isDirectory() === true || (stats === undefined && isDryRun)) return
      if (stats !== undefined) throw notAPath(key, `${path} is ${stats.isFile() ? 'a file' : whatIs(stats)}`)
      try {
        await mkdir(path)
        return
      } catch (error) {
        // Another file of this folder was quicker: it is looked at again.
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
    }
  }

  async #areFolders(name: string): Promise<boolean> {
    const parts = name.split('/').slice(0, -1)
    for (let depth = 1; depth <= parts.length; depth++) {
      const stats = await statsOf(join(this.#root, ...parts.slice(0, depth)))
      if (stats?.isDirectory() !== true) return false
    }
    return true
  }

  async #removeEmpty(folder: string): Promise<void> {
    for (let name = folder; name !== '.'; name = dirname(name)) {
      try {
        await rmdir(join(this.#root, name))
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOENT') return
        throw error
      }
    }
  }
}

async function statsOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true })
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** What a key fails with that can't go where it would. */
export function notAPath(key: string, reason: string): StoreError {
  return new StoreError('invalid', reason, { key, operation: 'get' })
}
