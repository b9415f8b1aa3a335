import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, realpath, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ObjectInfo } from '../object-store.js'
import { StoreError } from '../store-error.js'
import type { Attributes, FileFacts } from './attributes.js'
import { isPlainKey, type KeyTree } from './key-paths.js'
import type { Layout } from './layout.js'
import { hasCode, unlessMissing } from './local-errors.js'
import { syncFolder } from './sync-folder.js'

/** What a path can be instead of an object's file: nothing, a folder, a symbolic link, below a file. */
const NOT_AN_OBJECT = ['ENOTDIR', 'ELOOP', 'EISDIR', 'ENAMETOOLONG', 'ENXIO']

/** An object's file, opened: what it tells stays true whatever happens to its name. */
export interface OpenedObject {
  readonly file: FileHandle
  readonly stats: BigIntStats
  readonly facts: FileFacts
}

/** Finds the files of keys. Symbolic links are no objects and lead nowhere, so that no key leaves the folder. */
export class ObjectFiles {
  readonly #layout: Layout
  readonly #tree: KeyTree
  readonly #attributes: Attributes

  constructor(layout: Layout, tree: KeyTree, attributes: Attributes) {
    this.#layout = layout
    this.#tree = tree
    this.#attributes = attributes
  }

  /** Where an ordinary key is a plain file; undefined for a key that can't be one. */
  plainPath(key: string): string | undefined {
    return isPlainKey(key) ? join(this.#layout.root, key) : undefined
  }

  /** Where the object can be, in the order in which that counts. */
  async paths(key: string): Promise<readonly string[]> {
    const plain = this.plainPath(key)
    const inTree = this.#tree.fileOf(key)
    return plain !== undefined && (await this.isRealFolder(dirname(plain))) ? [plain, inTree] : [inTree]
  }

  /** Undefined where there is no such object. The caller closes the file. */
  async open(key: string): Promise<OpenedObject | undefined> {
    for (const path of await this.paths(key)) {
      const opened = await this.#openPath(path)
      if (opened !== undefined) return opened
    }
    await this.checkRoot()
    return undefined
  }

  /** Runs `use` on the opened file, or throws not-found. */
  async withObject<T>(key: string, operation: string, use: (object: OpenedObject) => Promise<T>): Promise<T> {
    const object = await this.open(key)
    if (object === undefined) throw notFound(key, operation)
    try {
      return await use(object)
    } finally {
      await object.file.close()
    }
  }

  /** The ETag at present; undefined without an object. */
  async etagOf(key: string): Promise<string | undefined> {
    const object = await this.open(key)
    await object?.file.close()
    return object?.facts.etag
  }

  /** A folder to which no symbolic link leads. */
  async isRealFolder(path: string): Promise<boolean> {
    if (path === this.#layout.root) return true
    // With a slash behind it, realpath(3) answers for folders only.
    return (await unlessMissing(realpath(`${path}/`), ...NOT_AN_OBJECT)) === path
  }

  /**
   * Makes the folders down to `path` that are missing, and remembers that they are the store's. False where something
   * else than a folder is in the way. `from` exists.
   */
  async makeFolders(from: string, path: string): Promise<boolean> {
    if (path === from || (await this.isRealFolder(path))) return true
    if (!(await this.makeFolders(from, dirname(path)))) return false
    try {
      await mkdir(path)
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return this.isRealFolder(path)
      if (hasCode(error, 'ENOTDIR', 'ENAMETOOLONG')) return false
      throw error
    }
    const stats = await unlessMissing(lstat(path, { bigint: true }))
    if (stats !== undefined) await this.#attributes.markFolder(path, stats)
    await syncFolder(dirname(path))
    return true
  }

  /** Removes the folders from `path` upwards that are empty and were made by the store, `root` excepted. */
  async removeEmptyFolders(root: string, path: string): Promise<void> {
    for (let folder = path; folder.length > root.length; folder = dirname(folder)) {
      const stats = await unlessMissing(lstat(folder, { bigint: true }), 'ENOTDIR')
      if (stats === undefined) continue
      if (!stats.isDirectory()) return
      const isOurs = await unlessMissing(this.#attributes.isMarkedFolder(folder, stats))
      if (isOurs === false) return
      try {
        await rmdir(folder)
      } catch (error) {
        if (hasCode(error, 'ENOTEMPTY', 'EEXIST')) return
        if (!hasCode(error, 'ENOENT')) throw error
      }
      await this.#attributes.dropFolder(stats)
    }
  }

  /** Throws unless the store's folder is there: without it, nothing is known of any object. */
  async checkRoot(): Promise<void> {
    await stat(this.#layout.root)
  }

  async #openPath(path: string): Promise<OpenedObject | undefined> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const file = await unlessMissing(open(path, flags), ...NOT_AN_OBJECT)
    if (file === undefined) return undefined
    try {
      const stats = await file.stat({ bigint: true })
      if (stats.isFile()) return { file, stats, facts: await this.#attributes.read(file.fd, stats) }
    } catch (error) {
      await file.close()
      throw error
    }
    await file.close()
    return undefined
  }
}

export function notFound(key: string, operation: string): StoreError {
  return new StoreError('not-found', `${operation}: no such object`, { key, operation, code: 'ENOENT' })
}

export function infoOf(key: string, stats: BigIntStats, facts: FileFacts): ObjectInfo {
  return {
    key,
    sizeBytes: Number(stats.size),
    etag: facts.etag,
    lastModifiedMs: Number(stats.mtimeNs / 1_000_000n),
    metadata: facts.metadata,
    headers: facts.headers,
  }
}
