import { constants } from 'node:os'
import type { ReadReply } from '../cache/lanes/read-reply.js'
import { AcrossFiles } from './across-files.js'
import { AttributeChanges } from './attribute-changes.js'
import { Directories } from './directories.js'
import { Files } from './files.js'
import type { FilesystemOptions } from './filesystem-options.js'
import { FolderRenames } from './folder-renames.js'
import { FsError } from './fs-error.js'
import { type FileHandle, Handles } from './handles.js'
import { Inodes } from './inodes.js'
import { KeptOpen } from './kept-open.js'
import { KernelPages } from './kernel-pages.js'
import { KilledWriters } from './killed-writers.js'
import { Moving } from './moving.js'
import { leavable } from './mutex.js'
import { MAX_NAME_BYTES, slotOf } from './names.js'
import type { Node } from './node.js'
import { ObjectFacts } from './object-facts.js'
import { OpenWriters } from './open-writers.js'
import type {
  AllocateOptions,
  AttributesReply,
  CallContext,
  DirectorySink,
  Entry,
  Filesystem,
  FilesystemStatistics,
  NegativeEntry,
  OpenFlags,
  OpenReply,
  RenameFlags,
  SetAttributes,
  ShutdownReport,
  WriteOptions,
  XattrDemand,
} from './operations.js'
import { Reader } from './reader.js'
import { Names } from './rename.js'
import { SpecialFiles } from './special-files.js'
import { Tree } from './tree.js'
import { writerServices } from './writer-services.js'
import { Xattrs } from './xattrs.js'

const STATFS_BLOCK_BYTES = 4096

/** POSIX on objects. Each call finds its node, and leaves the work to the room that it belongs to. */
export class BucketFilesystem implements Filesystem {
  readonly #inodes = new Inodes()
  readonly #handles = new Handles()
  readonly #tree: Tree
  readonly #directories: Directories
  readonly #moving = new Moving()
  readonly #names: Names
  readonly #files: Files
  readonly #writers: OpenWriters
  readonly #changes: AttributeChanges
  readonly #special: SpecialFiles
  readonly #xattrs: Xattrs
  readonly #sizeBytes: number
  #isEnding = false

  constructor(options: FilesystemOptions) {
    const { known, folderTimes, holders, kernelCache, log } = options
    this.#sizeBytes = options.sizeBytes
    this.#tree = new Tree({
      ...options,
      inodes: this.#inodes,
      ttlMs: options.metadataTtlMs,
      asksAll: options.asksAllAttributes,
    })
    const tree = this.#tree
    const moving = this.#moving
    this.#directories = new Directories(tree, moving)
    const services = writerServices(options)
    const killed = new KilledWriters(holders, options.keptSignals)
    this.#writers = new OpenWriters({ tree, services, holders, killed, kernelCache, moving, log })
    this.#changes = new AttributeChanges(tree, this.#writers, services, moving)
    this.#special = new SpecialFiles(this.#tree, options.blocks)
    this.#xattrs = new Xattrs(this.#tree, this.#changes, this.#directories, new ObjectFacts(this.#tree))
    const reader = new Reader(options.blocks, options.maxReadAheadBytes, () => options.clock.nowMs())
    if (kernelCache.retrieve !== undefined) options.blocks.recallFrom(new KernelPages(this.#inodes, kernelCache))
    const kept = new KeptOpen(tree, this.#writers, log)
    const writing = { writers: this.#writers, changes: this.#changes, kept, exclusiveCreate: options.exclusiveCreate }
    this.#files = new Files({ tree, reader, across: new AcrossFiles({ ...options, inodes: this.#inodes }), ...writing })
    const shared = { tree, directories: this.#directories, moving, loans: services.loans }
    const folders = new FolderRenames({ ...shared, journal: options.journal, known, folderTimes, log })
    this.#names = new Names({ ...shared, folders, kept })
  }

  async statfs(): Promise<FilesystemStatistics> {
    const totalBlocks = Math.floor(this.#sizeBytes / STATFS_BLOCK_BYTES)
    const totalFiles = 2 ** 32
    return {
      blockSizeBytes: STATFS_BLOCK_BYTES,
      totalBlocks,
      // What a bucket holds can't be asked without listing all of it.
      freeBlocks: totalBlocks,
      totalFiles,
      freeFiles: totalFiles,
      maxNameBytes: MAX_NAME_BYTES,
    }
  }

  async lookup(parent: number, name: Uint8Array, context: CallContext): Promise<Entry | NegativeEntry> {
    const directory = this.#inodes.directory(parent)
    const slot = slotOf(name, directory.partial)
    const ask = async () => {
      const found = await this.#tree.lookup(directory, slot)
      // Nobody will forget what is found after the program was killed.
      if (found.node !== undefined && context.isAborted) this.#inodes.tidy(found.node)
      return found
    }
    const { node, expiresMs } = this.#tree.known(directory, slot) ?? (await this.#in(directory, context, ask))
    if (node === undefined) return { node: 0, entryTtlMs: this.#tree.remainingMs(expiresMs) }
    return this.#tree.entry(node)
  }

  forget(node: number, lookups: number): void {
    this.#inodes.forget(node, lookups)
  }

  async getattr(node: number): Promise<AttributesReply> {
    return this.#tree.attributesReply(this.#inodes.current(node))
  }

  async setattr(
    id: number,
    changes: SetAttributes,
    _handle: number | undefined,
    context: CallContext,
  ): Promise<AttributesReply> {
    const node = this.#inodes.get(id)
    await this.#in(node, context, async () => {
      if (!node.isDirectory) return this.#changes.change(node, changes)
      if (changes.sizeBytes !== undefined) throw new FsError('EISDIR', node.path)
      return this.#directories.change(node, () => this.#changes.apply(node, changes))
    })
    return this.#tree.attributesReply(node)
  }

  async mkdir(parent: number, name: Uint8Array, mode: number, context: CallContext): Promise<Entry> {
    const directory = this.#inodes.directory(parent)
    const slot = slotOf(name, directory.partial)
    const permissions = mode & ~context.umask
    return this.#making(directory, slot, context, () => this.#directories.make(directory, slot, permissions, context))
  }

  async mknod(parent: number, name: Uint8Array, mode: number, rdev: number, context: CallContext): Promise<Entry> {
    const directory = this.#inodes.directory(parent)
    const slot = slotOf(name, directory.partial)
    const given = mode & ~context.umask
    return this.#making(directory, slot, context, () => this.#special.make(directory, slot, given, rdev, context))
  }

  async symlink(parent: number, name: Uint8Array, target: Uint8Array, context: CallContext): Promise<Entry> {
    const directory = this.#inodes.directory(parent)
    const slot = slotOf(name, directory.partial)
    const body = Uint8Array.from(target)
    return this.#making(directory, slot, context, () => this.#special.link(directory, slot, body, context))
  }

  readlink(id: number, context: CallContext): Promise<Uint8Array> {
    const node = this.#inodes.get(id)
    return this.#in(node, context, () => this.#special.target(node, context.signal))
  }

  getxattr(id: number, name: Uint8Array, context: CallContext): Promise<Uint8Array> {
    const node = this.#inodes.get(id)
    const kept = Uint8Array.from(name)
    return this.#in(node, context, () => this.#xattrs.get(node, kept))
  }

  setxattr(id: number, name: Uint8Array, value: Uint8Array, demand: XattrDemand, context: CallContext): Promise<void> {
    const node = this.#inodes.get(id)
    const kept = Uint8Array.from(name)
    const bytes = Uint8Array.from(value)
    return this.#in(node, context, () => this.#xattrs.set(node, kept, bytes, demand))
  }

  removexattr(id: number, name: Uint8Array, context: CallContext): Promise<void> {
    const node = this.#inodes.get(id)
    const kept = Uint8Array.from(name)
    return this.#in(node, context, () => this.#xattrs.remove(node, kept))
  }

  async listxattr(id: number): Promise<readonly Uint8Array[]> {
    return this.#xattrs.list(this.#inodes.get(id))
  }

  allocate(
    handle: number,
    offset: number,
    sizeBytes: number,
    options: AllocateOptions,
    context: CallContext,
  ): Promise<void> {
    return this.#files.allocate(this.#handles.file(handle), offset, sizeBytes, options, context)
  }

  async seek(handle: number, offset: number, what: 'data' | 'hole'): Promise<number> {
    return this.#files.seek(this.#handles.file(handle), offset, what)
  }

  copyFileRange(
    from: number,
    fromOffset: number,
    to: number,
    toOffset: number,
    sizeBytes: number,
    context: CallContext,
  ): Promise<number> {
    const source = this.#handles.file(from)
    return this.#files.copyRange(source, fromOffset, this.#handles.file(to), toOffset, sizeBytes, context)
  }

  unlink(parent: number, name: Uint8Array, context: CallContext): Promise<void> {
    const directory = this.#inodes.directory(parent)
    const slot = slotOf(name, directory.partial)
    return this.#in(directory, context, () => this.#names.unlink(directory, slot, context))
  }

  rmdir(parent: number, name: Uint8Array, context: CallContext): Promise<void> {
    const directory = this.#inodes.directory(parent)
    const slot = slotOf(name, directory.partial)
    return this.#changing(directory, slot, context, () => this.#directories.remove(directory, slot))
  }

  rename(
    parent: number,
    name: Uint8Array,
    newParent: number,
    newName: Uint8Array,
    flags: RenameFlags,
    context: CallContext,
  ): Promise<void> {
    const directory = this.#inodes.directory(parent)
    const newDirectory = this.#inodes.directory(newParent)
    const from = slotOf(name, directory.partial)
    const to = slotOf(newName, newDirectory.partial)
    let hasBegun = false
    const begins = () => {
      if (context.isAborted) throw new FsError('EINTR', 'the calling program is being killed')
      hasBegun = true
    }
    const call = { signal: context.signal, begins }
    const renamed = this.#inodes.using(directory, () =>
      this.#inodes.using(newDirectory, () => this.#names.rename(directory, from, newDirectory, to, flags, call)),
    )
    return leavable(renamed, context, () => !hasBegun)
  }

  async open(id: number, flags: OpenFlags, context: CallContext): Promise<OpenReply> {
    this.#checkOpen()
    const node = this.#inodes.get(id)
    const opened = this.#inodes.using(node, () => this.#files.open(node, flags, context))
    return { handle: this.#handles.add(await this.#opened(opened, context)), keepCache: true }
  }

  async #opened(opened: Promise<FileHandle>, context: CallContext): Promise<FileHandle> {
    try {
      return await leavable(opened, context)
    } catch (error) {
      // What is opened after its program was killed is nobody's.
      opened.then(
        late => {
          late.killedBy = constants.signals.SIGKILL
          return this.#files.release(late)
        },
        () => undefined,
      )
      throw error
    }
  }

  async create(
    parent: number,
    name: Uint8Array,
    mode: number,
    flags: OpenFlags,
    context: CallContext,
  ): Promise<{ readonly entry: Entry; readonly open: OpenReply }> {
    this.#checkOpen()
    const directory = this.#inodes.directory(parent)
    const slot = slotOf(name, directory.partial)
    const existing = this.#tree.existing(directory, slot)
    if (existing !== undefined) {
      if (flags.exclusive) {
        this.#inodes.tidy(existing)
        throw new FsError('EEXIST', existing.path)
      }
      const open = await this.open(existing.id, flags, context)
      return { entry: this.#tree.entry(existing), open }
    }
    const made = this.#files.create(directory, slot, mode & ~context.umask, flags, context)
    const handle = made instanceof Promise ? await this.#opened(made, context) : made
    return { entry: this.#tree.entry(handle.node), open: { handle: this.#handles.add(handle), keepCache: true } }
  }

  read(handle: number, offset: number, sizeBytes: number, reply: ReadReply, context: CallContext): Promise<void> {
    return this.#files.read(this.#handles.file(handle), offset, sizeBytes, reply, context)
  }

  write(
    handle: number,
    offset: number,
    data: Uint8Array,
    options: WriteOptions,
    context: CallContext,
  ): Promise<number> {
    return this.#files.write(this.#handles.file(handle), offset, data, options, context)
  }

  flush(handle: number, context: CallContext): Promise<void> {
    return this.#files.flush(this.#handles.file(handle), context)
  }

  fsync(handle: number, context: CallContext): Promise<void> {
    return this.#files.sync(this.#handles.file(handle), context)
  }

  release(handle: number): Promise<void> {
    const file = this.#handles.file(handle)
    this.#handles.remove(handle)
    return this.#files.release(file)
  }

  async opendir(id: number, context: CallContext): Promise<OpenReply> {
    const node = this.#inodes.directory(id)
    const opened = await this.#in(node, context, async () => {
      const handle = await this.#directories.open(node)
      // Nobody will close what is opened after the program was killed.
      if (context.isAborted) this.#directories.close(handle)
      return handle
    })
    node.uses += 1
    return { handle: this.#handles.add(opened), keepCache: false }
  }

  readdir(
    handle: number,
    offset: number,
    withAttributes: boolean,
    sink: DirectorySink,
    context: CallContext,
  ): Promise<void> {
    const directory = this.#handles.directory(handle)
    // What is taken after the program was killed nobody would forget.
    const living: DirectorySink = { add: entry => !context.isAborted && sink.add(entry) }
    return this.#in(directory.node, context, () => this.#directories.read(directory, offset, withAttributes, living))
  }

  async releasedir(handle: number): Promise<void> {
    const directory = this.#handles.directory(handle)
    this.#handles.remove(handle)
    this.#directories.close(directory)
    this.#inodes.release(directory.node)
  }

  shutdown(): Promise<ShutdownReport> {
    this.#isEnding = true
    return this.#writers.storeAll()
  }

  secure(): Promise<void> {
    return this.#writers.secureAll()
  }

  /** A change of what is stored at one slot. */
  #changing<T>(directory: Node, slot: string, context: CallContext, task: () => Promise<T>): Promise<T> {
    const paths = () => [directory.pathOf(slot)]
    return this.#in(directory, context, () => this.#moving.change(paths, task, context))
  }

  /** As `#changing`, for something new. */
  async #making(directory: Node, slot: string, context: CallContext, make: () => Promise<Node>): Promise<Entry> {
    const made = async () => {
      const node = await make()
      // Nobody will forget what is made after the program was killed.
      if (context.isAborted) this.#inodes.tidy(node)
      return node
    }
    return this.#tree.entry(await this.#changing(directory, slot, context, made))
  }

  #checkOpen(): void {
    if (this.#isEnding) throw new FsError('EIO', 'the mount is ending')
  }

  /**
   * Runs a call that needs a node. When the calling program is killed it is answered at once, and what has begun goes
   * on to its end.
   */
  #in<T>(node: Node, context: CallContext, task: () => Promise<T>): Promise<T> {
    return leavable(this.#inodes.using(node, task), context)
  }
}
