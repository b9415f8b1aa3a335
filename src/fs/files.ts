import { isStoreError } from '../backend/store-error.js'
import type { BlockSource } from '../cache/block.js'
import type { ReadReply } from '../cache/lanes/read-reply.js'
import type { AcrossFiles } from './across-files.js'
import type { AttributeChanges } from './attribute-changes.js'
import { S_IFREG } from './attributes.js'
import { copyRange } from './copy-range.js'
import { FsError } from './fs-error.js'
import { FileHandle } from './handles.js'
import type { KeptOpen } from './kept-open.js'
import { leavable } from './mutex.js'
import type { Node } from './node.js'
import type { OpenWriters } from './open-writers.js'
import type { AllocateOptions, CallContext, OpenFlags, Timestamp, WriteOptions } from './operations.js'
import { seekStored } from './pieces.js'
import type { Reader } from './reader.js'
import type { Tree } from './tree.js'

export interface FilesOptions {
  readonly tree: Tree
  readonly reader: Reader
  readonly across: AcrossFiles
  readonly writers: OpenWriters
  readonly changes: AttributeChanges
  readonly kept: KeptOpen
  readonly exclusiveCreate: 'close' | 'open'
}

const DAY_SECONDS = 86_400

const DONE = Promise.resolve()

/** Files: opening, reading, writing and closing them. */
export class Files {
  readonly #tree: Tree
  readonly #reader: Reader
  readonly #across: AcrossFiles
  readonly #writers: OpenWriters
  readonly #changes: AttributeChanges
  readonly #kept: KeptOpen
  readonly #exclusiveCreate: 'close' | 'open'

  constructor(options: FilesOptions) {
    this.#tree = options.tree
    this.#reader = options.reader
    this.#across = options.across
    this.#writers = options.writers
    this.#changes = options.changes
    this.#kept = options.kept
    this.#exclusiveCreate = options.exclusiveCreate
  }

  /** ESTALE for a node whose name shows a newer version, or other attributes: the kernel looks up again. */
  async open(node: Node, flags: OpenFlags, context: CallContext): Promise<FileHandle> {
    if (node.isDirectory) throw new FsError('EISDIR', node.path)
    await this.#learn(node, flags, context)
    if (context.isAborted) throw new FsError('EINTR', 'the calling program is being killed')
    // What this mount unlinked can still be opened by who holds it, through /proc/self/fd.
    if (node.isDetached && !node.isUnlinked) throw new FsError('ESTALE', `${node.path} is another file by now`)
    // Linux truncates for who only reads, too.
    if (flags.truncate && !flags.write) await this.#changes.truncate(node, 0, { killPrivileges: flags.killPrivileges })
    const handle = this.#handle(node, flags, context)
    if (!flags.write) this.#accessed(node)
    if (!flags.truncate || !flags.write) return handle
    try {
      await this.#writers.of(node).truncate(0, { leaver: context })
      this.#changes.modified(node, flags.killPrivileges)
      return handle
    } catch (error) {
      await this.release(handle)
      throw error
    }
  }

  /** EEXIST when another mount has made the file meanwhile and that is to be known; else it is made at once. */
  create(
    parent: Node,
    slot: string,
    mode: number,
    flags: OpenFlags,
    context: CallContext,
  ): FileHandle | Promise<FileHandle> {
    this.#tree.newKey(parent, slot)
    const node = this.#tree.inodes.make(parent, slot, S_IFREG)
    this.#tree.shown.give(node, mode, context.uid, context.gid)
    const absence = flags.exclusive ? 'exclusive' : flags.truncate ? 'replaced' : 'believed'
    this.#writers.of(node).create(absence)
    node.modified = this.#tree.now()
    node.changed = node.modified
    this.#tree.touchDirectory(parent)
    const handle = this.#handle(node, { ...flags, write: true }, context)
    return flags.exclusive && this.#exclusiveCreate === 'open'
      ? this.#tree.inodes.using(parent, () => this.#storedEmpty(handle))
      : handle
  }

  /** Lock files: whoever stores the empty object first has made it. */
  async #storedEmpty(handle: FileHandle): Promise<FileHandle> {
    const { node } = handle
    try {
      await this.#writers.commit(node)
      return handle
    } catch (error) {
      node.openFiles -= 1
      await this.#writers.abandon(node)
      this.#tree.inodes.release(node)
      throw error
    }
  }

  /**
   * Permissions hold at open, so what is kept beside the bytes must be known: from the first bytes where they are to be
   * read, else from HEAD.
   */
  async #learn(node: Node, flags: OpenFlags, context: CallContext): Promise<void> {
    const { version } = node
    if (flags.write || flags.truncate) await this.#tree.learn(node)
    else if (version !== undefined && version.sizeBytes > 0)
      await this.#tree.learn(node, () => this.#reader.peek(version, context.signal))
    else await this.#tree.learn(node)
  }

  /** Once a day, and once after a change, as `relatime` has it. Reads from the kernel's pages are not seen. */
  #accessed(node: Node): void {
    const { atime, mtime, ctime } = this.#tree.shown.of(node)
    const now = this.#tree.now()
    const isBehind = !isBefore(mtime, atime) || !isBefore(ctime, atime) || atime.seconds + DAY_SECONDS <= now.seconds
    if (isBehind) node.accessed = now
  }

  read(handle: FileHandle, offset: number, sizeBytes: number, reply: ReadReply, context: CallContext): Promise<void> {
    const shown = handle.node.version
    return this.#readNow(handle, offset, sizeBytes, reply, context).catch(async (error: unknown) => {
      await this.#hasMoved(handle.node, shown, error, context)
      return this.read(handle, offset, sizeBytes, reply, context)
    })
  }

  /** Resolves where another version is the file by now that a read failed. Rejects with what the read is to fail with. */
  async #hasMoved(node: Node, shown: BlockSource | undefined, error: unknown, context: CallContext): Promise<void> {
    if (!isStoreError(error, 'precondition-failed', 'not-found')) throw error
    // This mount may be about to replace or move the object: then the handle goes with it.
    await node.lock.run(async () => node.writer?.settle(), context)
    if (node.version !== shown) return
    if (!node.isUnlinked) this.#tree.metadata.forget(node.path)
    // ENOENT is for names: this handle's version is gone.
    throw error.kind === 'not-found' ? new FsError('ESTALE', `${node.path} was removed`, error) : error
  }

  #readNow(
    handle: FileHandle,
    offset: number,
    sizeBytes: number,
    reply: ReadReply,
    context: CallContext,
  ): Promise<void> {
    const { node, reads } = handle
    if (node.writer !== undefined)
      return this.#reader.readWritten(node.writer, offset, sizeBytes, reads, reply, context)
    if (node.version === undefined) {
      reply.send([], () => undefined)
      return DONE
    }
    const answered = this.#reader.read(node.version, offset, sizeBytes, reads, reply, context)
    // What is waited for has been asked for first.
    if (!handle.hasRead && offset === 0) this.#across.began(node.version, reads.pattern)
    handle.hasRead = true
    return answered
  }

  async write(handle: FileHandle, offset: number, data: Uint8Array, options: WriteOptions, context: CallContext) {
    const writer = this.#writers.of(handle.node)
    handle.usedBy(context.pid)
    // Mapped pages have a place of their own, also in a file opened for appending.
    if (handle.flags.append && !options.fromPageCache) await writer.append(data, context, options.hold)
    else await writer.write(offset, data, context, options.hold)
    if (data.length > 0) this.#changes.modified(handle.node, options.killPrivileges)
    if (handle.flags.sync) await this.#writers.commit(handle.node, context)
    return data.length
  }

  async allocate(
    handle: FileHandle,
    offset: number,
    sizeBytes: number,
    options: AllocateOptions,
    context: CallContext,
  ): Promise<void> {
    if (!handle.flags.write) throw new FsError('EBADF', 'the file is open for reading only')
    handle.usedBy(context.pid)
    await this.#writers.of(handle.node).allocate(offset, sizeBytes, options, context)
    this.#changes.modified(handle.node, false)
    if (handle.flags.sync) await this.#writers.commit(handle.node, context)
  }

  seek({ node }: FileHandle, offset: number, what: 'data' | 'hole'): number {
    return node.writer?.seek(offset, what) ?? seekStored(node.version?.sizeBytes ?? 0, offset, what)
  }

  /** Resolves with the bytes copied. */
  async copyRange(
    from: FileHandle,
    sourceOffset: number,
    to: FileHandle,
    targetOffset: number,
    sizeBytes: number,
    context: CallContext,
  ): Promise<number> {
    if (!to.flags.write) throw new FsError('EBADF', 'the file is open for reading only')
    to.usedBy(context.pid)
    for (const { node } of [from, to])
      if (node.writer?.unanswered.isEmpty === false) await node.lock.run(async () => node.writer?.settle(), context)
    const copied = await copyRange({
      source: () => from.node.writer?.file ?? from.node.version,
      sourceOffset,
      target: this.#writers.of(to.node),
      targetOffset,
      sizeBytes,
      reader: this.#reader,
      signal: context.signal,
    })
    if (copied > 0) this.#changes.modified(to.node, false)
    if (to.flags.sync) await this.#writers.commit(to.node, context)
    return copied
  }

  flush(handle: FileHandle, context: CallContext): Promise<void> {
    handle.usedBy(context.pid)
    return this.#writers.flush(handle, context)
  }

  /** Stores what was written; who only reads waits until what was read is in the disk cache, or has been left out of it, or is killed. */
  async sync(handle: FileHandle, context: CallContext): Promise<void> {
    await this.#writers.commit(handle.node, context)
    if (!handle.flags.write) await leavable(this.#reader.settled(), context)
  }

  /** The handle is gone. Stores what is left; what can't be stored is kept on this disk. */
  async release(handle: FileHandle): Promise<void> {
    const { node } = handle
    this.#reader.end(node.version, handle.reads)
    try {
      node.openFiles -= 1
      if (node.openFiles === 0) node.reads = undefined
      if (handle.flags.write) await this.#writers.release(handle)
      if (node.openFiles === 0) await this.#kept.ended(node)
    } finally {
      this.#tree.inodes.release(node)
    }
  }

  #handle(node: Node, flags: OpenFlags, context: CallContext): FileHandle {
    const handle = new FileHandle(node, flags)
    handle.usedBy(context.pid)
    node.uses += 1
    node.openFiles += 1
    if (flags.write) this.#writers.hold(node)
    return handle
  }
}

function isBefore(a: Timestamp, b: Timestamp): boolean {
  return a.seconds < b.seconds || (a.seconds === b.seconds && a.nanoseconds < b.nanoseconds)
}
