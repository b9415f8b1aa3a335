import { isDeepStrictEqual } from 'node:util'
import type { Log } from '../backend/log.js'
import type { ObjectVersion } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import type { ReadReply } from '../cache/lanes/read-reply.js'
import { type OwnAttributes, withoutPrivileges } from './attributes.js'
import { FileWriter, type WriterServices, type WriterTarget } from './file-writer.js'
import { errnoOf, FsError } from './fs-error.js'
import { FileHandle } from './handles.js'
import { abandonable } from './mutex.js'
import { childKey } from './names.js'
import type { Node } from './node.js'
import type { CallContext, HolderProbe, KernelCache, OpenFlags, SetAttributes, WriteOptions } from './operations.js'
import type { Reader } from './reader.js'
import type { Tree } from './tree.js'

export interface FilesOptions {
  readonly tree: Tree
  readonly reader: Reader
  readonly services: WriterServices
  readonly holders: HolderProbe
  readonly kernelCache: KernelCache
  readonly log: Log
}

/** Files: opening, reading, writing, storing, and what is kept beside their bytes. */
export class Files {
  readonly #tree: Tree
  readonly #reader: Reader
  readonly #services: WriterServices
  readonly #holders: HolderProbe
  readonly #kernelCache: KernelCache
  readonly #log: Log
  /** How many handles of a node are open for writing: its writer ends with the last. */
  readonly #writeHandles = new Map<Node, number>()

  constructor(options: FilesOptions) {
    this.#tree = options.tree
    this.#reader = options.reader
    this.#services = options.services
    this.#holders = options.holders
    this.#kernelCache = options.kernelCache
    this.#log = options.log
  }

  /** ESTALE for a node whose name shows a newer version: the kernel looks up again. */
  async open(node: Node, flags: OpenFlags, context: CallContext): Promise<FileHandle> {
    if (node.isDirectory) throw new FsError('EISDIR', node.path)
    // What is kept beside the bytes must be known before it is stored anew.
    if (flags.write || flags.truncate) await this.#tree.attachments(node)
    if (context.signal.aborted) throw new FsError('EINTR', 'the calling program is being killed')
    // What this mount unlinked can still be opened by who holds it, through /proc/self/fd.
    if (node.isDetached && !node.isUnlinked) throw new FsError('ESTALE', `${node.path} is another file by now`)
    // Linux truncates for who only reads, too.
    if (flags.truncate && !flags.write) await this.#truncate(node, 0)
    const handle = this.#handle(node, flags, context)
    if (!flags.truncate || !flags.write) return handle
    try {
      await this.#writer(node).truncate(0, context.signal)
      this.#modified(node, flags.killPrivileges)
      return handle
    } catch (error) {
      await this.release(handle)
      throw error
    }
  }

  create(parent: Node, name: string, mode: number, flags: OpenFlags, context: CallContext): FileHandle {
    childKey(parent.prefix, name)
    const node = this.#tree.inodes.make(parent, name, false)
    this.#tree.own(node, mode, context.uid, context.gid)
    const absence = flags.exclusive ? 'exclusive' : flags.truncate ? 'replaced' : 'believed'
    this.#writer(node).create(absence)
    node.modified = this.#tree.now()
    node.changed = node.modified
    this.#tree.touchDirectory(parent)
    return this.#handle(node, { ...flags, write: true }, context)
  }

  async read(handle: FileHandle, offset: number, sizeBytes: number, reply: ReadReply, context: CallContext) {
    const { node } = handle
    for (;;) {
      const shown = node.version
      try {
        return await this.#readNow(handle, offset, sizeBytes, reply, context.signal)
      } catch (error) {
        if (!isStoreError(error, 'precondition-failed', 'not-found')) throw error
        // This mount may be about to replace or move the object: then the handle goes with it.
        await node.lock.run(async () => undefined, context.signal)
        if (node.version !== shown) continue
        if (!node.isUnlinked) this.#tree.metadata.forget(node.path)
        // ENOENT is for names: this handle's version is gone.
        throw error.kind === 'not-found' ? new FsError('ESTALE', `${node.path} was removed`, error) : error
      }
    }
  }

  async #readNow(handle: FileHandle, offset: number, sizeBytes: number, reply: ReadReply, signal: AbortSignal) {
    const { node, pattern } = handle
    if (node.writer !== undefined)
      return this.#reader.readWritten(node.writer, offset, sizeBytes, pattern, reply, signal)
    if (node.version === undefined) return reply.send([], () => undefined)
    return this.#reader.read(node.version, offset, sizeBytes, pattern, reply, signal)
  }

  async write(handle: FileHandle, offset: number, data: Uint8Array, options: WriteOptions, context: CallContext) {
    const writer = this.#writer(handle.node)
    handle.usedBy(context.pid)
    // Mapped pages have a place of their own, also in a file opened for appending.
    if (handle.flags.append && !options.fromPageCache) await writer.append(data, context.signal)
    else await writer.write(offset, data, context.signal)
    this.#modified(handle.node, options.killPrivileges)
    if (handle.flags.sync) await this.commit(handle.node, context.signal)
    return data.length
  }

  /** Stores what the file owes, unless another process that used the handle still holds the file for writing. */
  async flush(handle: FileHandle, context: CallContext): Promise<void> {
    handle.usedBy(context.pid)
    const { node } = handle
    if (!handle.flags.write || node.writer?.isDirty !== true) return
    if (context.pid !== 0 && (await this.#holders.isHeld(handle.pids, node.ino))) return
    await this.commit(node, context.signal)
  }

  /** Resolves when everything written so far is stored. What is being stored goes on when `signal` fires. */
  async commit(node: Node, signal?: AbortSignal): Promise<void> {
    const { writer } = node
    if (writer === undefined) return
    const committed = writer.commit()
    await (signal === undefined ? committed : abandonable(committed, signal))
  }

  /** The handle is gone. Stores what is left; what can't be stored is kept on this disk. */
  async release(handle: FileHandle): Promise<void> {
    const { node } = handle
    this.#reader.end(handle.pattern)
    try {
      if (handle.flags.write) await this.#releaseWriter(node)
    } finally {
      this.#tree.inodes.release(node)
    }
  }

  /** Changes attributes: together with what is being written, or at once by a copy on the server. */
  async change(node: Node, changes: SetAttributes): Promise<void> {
    await this.#tree.attachments(node)
    if (changes.sizeBytes !== undefined) await this.#truncate(node, changes.sizeBytes)
    if (this.#joins(node, changes)) return
    await node.lock.run(async () => {
      if (this.#joins(node, changes)) return
      const before = node.own
      if (!this.#apply(node, changes) || node.version === undefined) return
      try {
        await this.#storeAttributes(node, node.version)
      } catch (error) {
        node.own = before
        throw error
      }
    })
  }

  /** True where a writer is open: its commit stores the changes. */
  #joins(node: Node, changes: SetAttributes): boolean {
    if (node.writer === undefined) return false
    if (this.#apply(node, changes)) node.writer.touch()
    return true
  }

  /** True if there is something to store. */
  #apply(node: Node, changes: SetAttributes): boolean {
    const before = node.own
    this.applyAttributes(node, changes)
    return changes.mtime === 'now' || changes.atime === 'now' || !isDeepStrictEqual(before, node.own)
  }

  /** Shows changed attributes without storing them. */
  applyAttributes(node: Node, changes: SetAttributes): void {
    const now = this.#tree.now()
    const shownMode = this.#tree.mode(node)
    const own: { -readonly [Name in keyof OwnAttributes]: OwnAttributes[Name] } = { ...node.own, ctime: undefined }
    if (changes.mode !== undefined && (changes.mode & 0o7777) !== shownMode) own.mode = changes.mode & 0o7777
    if (changes.killPrivileges === true && withoutPrivileges(shownMode) !== shownMode)
      own.mode = withoutPrivileges(shownMode)
    const shown = this.#tree.attributes(node)
    if (changes.uid !== undefined && changes.uid !== shown.uid) own.uid = changes.uid
    if (changes.gid !== undefined && changes.gid !== shown.gid) own.gid = changes.gid
    if (changes.mtime !== undefined) {
      own.mtime = changes.mtime === 'now' ? undefined : changes.mtime
      node.modified = changes.mtime === 'now' ? now : undefined
    }
    if (changes.atime !== undefined) {
      own.atime = changes.atime === 'now' ? undefined : changes.atime
      node.accessed = changes.atime === 'now' ? now : undefined
    }
    node.own = own
    node.changed = now
  }

  /** Stores everything that is dirty; what can't be stored is kept. */
  async storeAll(): Promise<{ readonly stored: number; readonly kept: { path: string; keptAt: string }[] }> {
    const kept: { path: string; keptAt: string }[] = []
    let stored = 0
    const store = async (node: Node) => {
      const { writer } = node
      if (writer?.isDirty !== true || node.isUnlinked) return
      const keptAt = await this.#end(node, writer, { isMountEnding: true })
      if (keptAt === undefined) stored += 1
      else kept.push({ path: node.path, keptAt })
    }
    await Promise.all([...this.#tree.inodes.all()].map(store))
    return { stored, kept }
  }

  #handle(node: Node, flags: OpenFlags, context: CallContext): FileHandle {
    const handle = new FileHandle(node, flags)
    handle.usedBy(context.pid)
    node.uses += 1
    if (flags.write) this.#hold(node)
    return handle
  }

  /** The node's writer lives until as many `#letGo` as `#hold`. */
  #hold(node: Node): FileWriter {
    this.#writeHandles.set(node, (this.#writeHandles.get(node) ?? 0) + 1)
    return this.#writer(node)
  }

  /** How many hold the writer still. */
  #letGo(node: Node): number {
    const left = (this.#writeHandles.get(node) ?? 1) - 1
    if (left > 0) this.#writeHandles.set(node, left)
    else this.#writeHandles.delete(node)
    return left
  }

  #writer(node: Node): FileWriter {
    node.writer ??= new FileWriter(this.#target(node), node.version, this.#services)
    return node.writer
  }

  #target(node: Node): WriterTarget {
    const tree = this.#tree
    return {
      get path() {
        return node.path
      },
      get isUnlinked() {
        return node.isUnlinked
      },
      lock: node.lock,
      attachments: () => tree.attachments(node),
      committed: (version, attachments) => tree.stored(node, version, attachments),
      refused: () => tree.metadata.forget(node.path),
    }
  }

  #modified(node: Node, killPrivileges: boolean): void {
    node.modified = this.#tree.now()
    node.changed = node.modified
    const mode = this.#tree.mode(node)
    const kept = killPrivileges ? withoutPrivileges(mode) : mode
    if (node.own.mtime !== undefined || node.own.ctime !== undefined || kept !== mode)
      node.own = { ...node.own, mtime: undefined, ctime: undefined, ...(kept !== mode && { mode: kept }) }
  }

  async #truncate(node: Node, sizeBytes: number): Promise<void> {
    if (node.isDirectory) throw new FsError('EISDIR', node.path)
    const writer = this.#hold(node)
    const isAlone = () => this.#writeHandles.get(node) === 1
    try {
      if (writer.sizeBytes !== sizeBytes) {
        await writer.truncate(sizeBytes)
        this.#modified(node, false)
      }
      // With an open writer it joins its commit.
      while (isAlone() && writer.isDirty && !node.isUnlinked) await writer.commit()
    } finally {
      // Others may have written meanwhile, whose bytes must not go with a truncation that failed.
      if (this.#letGo(node) === 0) await this.#endLast(node, writer)
    }
  }

  /** Call it under the lock. */
  async #storeAttributes(node: Node, version: ObjectVersion): Promise<void> {
    const attachments = await this.#tree.attachments(node)
    const stored = await this.#services.committer.replaceAttachments(version, attachments)
    const lastModifiedMs = stored.lastModifiedMs ?? this.#services.clock.nowMs()
    const changed = { ...version, ...stored, lastModifiedMs }
    this.#tree.stored(node, changed, attachments)
    node.writer?.rebase(changed)
  }

  async #releaseWriter(node: Node): Promise<void> {
    const left = this.#letGo(node)
    const { writer } = node
    if (writer === undefined) return
    if (left > 0) {
      // The other handles' commits publish it too; this one's error has nobody to hear it.
      await writer.commit().catch((error: unknown) => this.#log.warn('not stored yet', { path: node.path, error }))
      return
    }
    await this.#endLast(node, writer)
  }

  async #endLast(node: Node, writer: FileWriter): Promise<void> {
    const keptAt = await this.#end(node, writer)
    if (keptAt !== undefined) this.#dropFromKernel(node)
  }

  /**
   * Stores what a writer owes and ends it; says where the bytes are kept if that failed. Who has opened the file for
   * writing meanwhile goes on with the writer and owes what is not stored.
   */
  async #end(node: Node, writer: FileWriter, { isMountEnding = false } = {}): Promise<string | undefined> {
    let failure = writer.failure
    // A failure that the program has heard of is not tried again.
    while (failure === undefined && writer.isDirty && !node.isUnlinked)
      await writer.commit().catch((error: unknown) => {
        failure = error
      })
    if (this.#writeHandles.has(node) && (failure === undefined || !isMountEnding)) return undefined
    if (node.writer === writer) node.writer = undefined
    const { path } = node
    try {
      const keptAt = await writer.close(failure === undefined ? 'closed' : `${errnoOf(failure)}: ${String(failure)}`)
      if (keptAt === undefined) {
        if (failure !== undefined) this.#log.error('attributes were not stored', { path, error: failure })
        return undefined
      }
      this.#log.error('a file was not stored; its bytes are kept', { path, keptAt, error: failure })
      return keptAt
    } catch (error) {
      this.#log.error('a file was neither stored nor kept', { path, reason: failure, error })
      return 'nowhere: the state folder failed too'
    }
  }

  /** The kernel still holds bytes that the bucket will never have. */
  #dropFromKernel(node: Node): void {
    this.#kernelCache.invalidateNode(node.id)
    if (node.version !== undefined) return
    if (node.parent !== undefined) this.#kernelCache.invalidateEntry(node.parent.id, Buffer.from(node.name))
    this.#tree.inodes.detach(node)
  }
}
