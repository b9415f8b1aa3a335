import { type BigIntStats, constants } from 'node:fs'
import { copyFile, type FileHandle, link, lstat, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { throwIfAborted } from '../call.js'
import type { Signal } from '../call-signal.js'
import { checkConditions } from '../conditions.js'
import type { CallOptions, WriteConditions, WriteResult } from '../object-store.js'
import { StoreError } from '../store-error.js'
import { type Attributes, identityOf, type LocalAttachments, newEtag } from './attributes.js'
import type { KeyLocks } from './key-locks.js'
import type { KeyTree } from './key-paths.js'
import { isReserved, type Layout } from './layout.js'
import { hasCode, unlessMissing } from './local-errors.js'
import type { ObjectFiles, OpenedObject } from './object-files.js'
import { syncFolder } from './sync-folder.js'

const COPY_BYTES = 1024 ** 2

/** How often a place is chosen anew when folders come and go meanwhile. */
const MAX_PLACINGS = 50

/** What a disk says that knows no hard links. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']

export interface WriteRequest extends WriteConditions, CallOptions {
  readonly key: string
  readonly operation: string
  readonly attachments: LocalAttachments
  /** Writes the bytes into a new file. */
  readonly fill: (file: FileHandle, path: string) => Promise<void>
  /** Looked at once more under the lock, just before the object appears; throws what is wrong. */
  readonly check?: () => Promise<void>
  /** Called under the lock when the object is there. */
  readonly placed?: () => Promise<void>
}

/** Puts objects in their places: complete, on the disk, and as the conditions permit. */
export class ObjectWriter {
  readonly #layout: Layout
  readonly #tree: KeyTree
  readonly #files: ObjectFiles
  readonly #attributes: Attributes
  readonly #locks: KeyLocks

  constructor(layout: Layout, tree: KeyTree, files: ObjectFiles, attributes: Attributes, locks: KeyLocks) {
    this.#layout = layout
    this.#tree = tree
    this.#files = files
    this.#attributes = attributes
    this.#locks = locks
  }

  /** Resolves when the bytes, what is kept with them and the name are on the disk. */
  async write(request: WriteRequest): Promise<WriteResult> {
    await this.#layout.prepareWriting()
    const temporary = this.#layout.temporary()
    const file = await open(temporary, 'wx')
    let isPlaced = false
    let sideOf: BigIntStats | undefined
    try {
      await request.fill(file, temporary)
      const stats = await file.stat({ bigint: true })
      sideOf = stats
      const etag = newEtag()
      await this.#attributes.write(file.fd, stats, etag, request.attachments, false)
      await file.sync()
      const placed = await this.#locks.withLock(request.key, request.signal, request.operation, async () => {
        const path = await this.#commit(request, temporary)
        isPlaced = true
        await request.placed?.()
        return path
      })
      await unlessMissing(syncFolder(dirname(placed)))
      return { etag, lastModifiedMs: Number(stats.mtimeNs / 1_000_000n) }
    } finally {
      await file.close()
      if (!isPlaced) {
        await unlessMissing(unlink(temporary))
        if (sideOf !== undefined) await this.#attributes.drop(sideOf)
      }
    }
  }

  /** Replaces what is kept with an object, of which no byte changes, in place. */
  async writeAttachments(request: Omit<WriteRequest, 'fill'>, sourceIfMatch?: string): Promise<WriteResult> {
    const { key, operation, signal } = request
    await this.#layout.prepareWriting()
    return this.#locks.withLock(key, signal, operation, () =>
      this.#files.withObject(key, operation, async ({ file, stats, facts }) => {
        checkConditions({ ifMatch: sourceIfMatch }, facts.etag, operation, key)
        checkConditions(request, facts.etag, operation, key)
        const etag = newEtag()
        await this.#attributes.write(file.fd, stats, etag, request.attachments, true)
        await file.sync()
        return { etag, lastModifiedMs: Number(stats.mtimeNs / 1_000_000n) }
      }),
    )
  }

  /** Changes who may read an object; its version stays the same. */
  async setPublic(key: string, isPublic: boolean, { signal }: CallOptions): Promise<void> {
    await this.#layout.prepareWriting()
    await this.#locks.withLock(key, signal, 'setAcl', () =>
      this.#files.withObject(key, 'setAcl', async ({ file, stats, facts }) => {
        await this.#attributes.write(file.fd, stats, facts.etag, { ...facts, isPublic }, true)
        await file.sync()
      }),
    )
  }

  /** Removes an object; resolves with the folders that lost a name and are to be put on the disk. */
  async remove(key: string, ifMatch: string | undefined, signal: Signal | undefined): Promise<readonly string[]> {
    await this.#layout.prepareWriting()
    return this.#locks.withLock(key, signal, 'delete', async () => {
      throwIfAborted(signal, 'delete', key)
      const etag = ifMatch === undefined ? undefined : await this.#files.etagOf(key)
      if (etag !== undefined) checkConditions({ ifMatch }, etag, 'delete', key)
      const folders: string[] = []
      for (const path of await this.#files.paths(key)) if (await this.#removeFile(path)) folders.push(dirname(path))
      return folders
    })
  }

  /** To be called with what `remove` answered, when that is on the disk. */
  async removeEmptyFolders(folder: string): Promise<void> {
    await this.#files.removeEmptyFolders(isReserved(this.#layout, folder) ? this.#tree.root : this.#layout.root, folder)
  }

  async #commit(request: WriteRequest, temporary: string): Promise<string> {
    const { key, operation, signal, ifMatch, ifNoneMatch } = request
    throwIfAborted(signal, operation, key)
    if (ifMatch !== undefined || ifNoneMatch !== undefined)
      checkConditions(request, await this.#files.etagOf(key), operation, key)
    await request.check?.()
    for (let placing = 1; ; placing++) {
      try {
        const placed = await this.#place(request, temporary)
        if (placed !== undefined) return placed
        if (placing >= MAX_PLACINGS) throw new StoreError('unavailable', `${operation}: no place`, { key, operation })
      } catch (error) {
        if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR') || placing >= MAX_PLACINGS) throw error
      }
    }
  }

  /** Undefined when the place was taken meanwhile and is to be chosen anew; ENOENT, too, when a folder went. */
  async #place(request: WriteRequest, temporary: string): Promise<string | undefined> {
    const { key } = request
    const inTree = this.#tree.fileOf(key)
    const plain = this.#files.plainPath(key)
    if (plain !== undefined && (await this.#files.makeFolders(this.#layout.root, dirname(plain)))) {
      const before = await unlessMissing(lstat(plain, { bigint: true }))
      if (before === undefined || before.isFile()) {
        if (!(await this.#move(request, temporary, plain))) return undefined
        if (before !== undefined) await this.#attributes.drop(before)
        if (await this.#removeFile(inTree)) await this.removeEmptyFolders(dirname(inTree))
        return plain
      }
    }
    await this.#tree.recordLongNames(key)
    await this.#files.makeFolders(this.#layout.reserved, dirname(inTree))
    const before = await unlessMissing(lstat(inTree, { bigint: true }))
    if (!(await this.#move(request, temporary, inTree))) return undefined
    if (before !== undefined) await this.#attributes.drop(before)
    return inTree
  }

  /** False when another program has put something there that is no object. */
  async #move(request: WriteRequest, temporary: string, path: string): Promise<boolean> {
    if (request.ifNoneMatch === undefined) {
      await rename(temporary, path)
      return true
    }
    try {
      await link(temporary, path)
    } catch (error) {
      if (hasCode(error, 'EEXIST')) {
        if ((await unlessMissing(lstat(path)))?.isFile() !== true) return false
        const { key, operation } = request
        throw new StoreError('precondition-failed', `${operation}: the object exists`, { cause: error, key, operation })
      }
      if (!hasCode(error, ...NO_LINKS)) throw error
      await rename(temporary, path)
      return true
    }
    await unlink(temporary)
    return true
  }

  async #removeFile(path: string): Promise<boolean> {
    const stats = await unlessMissing(lstat(path, { bigint: true }), 'ENOTDIR', 'ENAMETOOLONG')
    if (stats?.isFile() !== true) return false
    await unlessMissing(unlink(path))
    await this.#attributes.drop(stats)
    return true
  }
}

/** Writes all of a chunk; a single write may take less. */
export async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.byteLength; ) done += (await file.write(chunk, done)).bytesWritten
}

/** Appends `lengthBytes` bytes from `offset` on of another file. */
export async function appendBytes(
  from: FileHandle,
  to: FileHandle,
  offset: number,
  lengthBytes: number,
  signal: Signal | undefined,
  operation: string,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(COPY_BYTES, lengthBytes)))
  for (let done = 0; done < lengthBytes; ) {
    throwIfAborted(signal, operation)
    const { bytesRead } = await from.read(buffer, 0, Math.min(buffer.byteLength, lengthBytes - done), offset + done)
    if (bytesRead === 0) throw new StoreError('corrupt', `${operation}: the file became shorter`, { operation })
    await writeAll(to, buffer.subarray(0, bytesRead))
    done += bytesRead
  }
}

/** Makes a new file the copy of an opened object, sharing its blocks where the disk can (`path` is `to`'s). */
export async function copyBytes(source: OpenedObject, to: FileHandle, path: string, signal?: Signal): Promise<void> {
  if (process.platform === 'linux') {
    const { mode } = await to.stat()
    await copyFile(`/proc/self/fd/${source.file.fd}`, path, constants.COPYFILE_FICLONE)
    await to.chmod(mode & 0o7777)
  } else {
    await appendBytes(source.file, to, 0, Number(source.stats.size), signal, 'copy')
  }
  const after = await source.file.stat({ bigint: true })
  if (identityOf(after) !== identityOf(source.stats))
    throw new StoreError('corrupt', 'copy: the source changed while it was copied', { operation: 'copy' })
}
