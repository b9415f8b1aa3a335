import type { ReadReply } from '../../src/cache/lanes/read-reply.js'
import type { FsError } from '../../src/fs/fs-error.js'
import type {
  AllocateOptions,
  Attributes,
  AttributesReply,
  CallContext,
  DirectorySink,
  Entry,
  Filesystem,
  FilesystemStatistics,
  HolderProbe,
  NegativeEntry,
  OpenFlags,
  OpenReply,
  RenameFlags,
  SetAttributes,
  ShutdownReport,
  WriteOptions,
  XattrDemand,
} from '../../src/fs/operations.js'
import { dropPrivileges, makeNode, type Node, now, resize } from './fuse-memory-node.js'

interface Handle {
  readonly node: Node
  readonly append: boolean
}

type ErrnoClass = typeof FsError

export interface MemoryFilesystemOptions {
  /** Of the build that the transport is from: another copy of the class is another class. */
  readonly FsError: ErrnoClass
  readonly ttlMs: number
  /** Told of what tests want to see. */
  readonly trace: (event: string) => void
  /** What the transport tells of the thread that closes a file. */
  readonly holders?: HolderProbe
}

const S_IFDIR = 0o040000
const S_IFREG = 0o100000
const S_IFLNK = 0o120000

/**
 * A filesystem in memory, as small as the contract allows, to try transports with. Names with a meaning: reading `slow*`
 * waits until the caller is killed; writing `stuck*` or making it as a folder waits for `go()`; `fails` can't be read.
 */
export class MemoryFilesystem implements Filesystem {
  readonly #options: MemoryFilesystemOptions
  readonly #nodes = new Map<number, Node>()
  readonly #handles = new Map<number, Handle>()
  readonly #stuck: (() => void)[] = []
  #lastId = 0

  constructor(options: MemoryFilesystemOptions) {
    this.#options = options
    this.#make(S_IFDIR | 0o755, process.getuid?.() ?? 0, process.getgid?.() ?? 0)
  }

  async statfs(): Promise<FilesystemStatistics> {
    const half = { totalBlocks: 2 ** 33, freeBlocks: 2 ** 32, totalFiles: 1e6, freeFiles: 5e5 }
    return { ...half, blockSizeBytes: 4096, maxNameBytes: 255 }
  }

  async lookup(parent: number, name: Uint8Array): Promise<Entry | NegativeEntry> {
    const node = this.#folder(parent).get(text(name))
    return node === undefined ? { node: 0, entryTtlMs: this.#options.ttlMs } : this.#entry(node)
  }

  forget(node: number, lookups: number): void {
    const known = this.#node(node)
    known.lookups -= lookups
    if (known.lookups < 0) this.#options.trace(`forgotten too often: ${node}`)
  }

  async getattr(node: number): Promise<AttributesReply> {
    return this.#attributes(this.#node(node))
  }

  async setattr(id: number, changes: SetAttributes): Promise<AttributesReply> {
    const node = this.#node(id)
    this.#options.trace(`setattr ${JSON.stringify(changes)}`)
    if (changes.killPrivileges) dropPrivileges(node)
    if (changes.sizeBytes !== undefined) resize(node, changes.sizeBytes)
    if (changes.mode !== undefined) node.mode = (node.mode & ~0o7777) | changes.mode
    if (changes.uid !== undefined) node.uid = changes.uid
    if (changes.gid !== undefined) node.gid = changes.gid
    if (changes.mtime !== undefined) node.mtime = changes.mtime === 'now' ? now() : changes.mtime
    if (changes.atime !== undefined) node.atime = changes.atime === 'now' ? now() : changes.atime
    return this.#attributes(node)
  }

  async mkdir(parent: number, name: Uint8Array, mode: number, context: CallContext): Promise<Entry> {
    if (text(name).startsWith('stuck')) await this.#untilGo()
    return this.#entry(this.#add(parent, text(name), S_IFDIR | mode, context))
  }

  async mknod(parent: number, name: Uint8Array, mode: number, rdev: number, context: CallContext): Promise<Entry> {
    const node = this.#add(parent, text(name), mode, context)
    node.rdev = rdev
    return this.#entry(node)
  }

  async symlink(parent: number, name: Uint8Array, target: Uint8Array, context: CallContext): Promise<Entry> {
    const node = this.#add(parent, text(name), S_IFLNK | 0o777, context)
    node.data = Buffer.from(target)
    node.sizeBytes = target.length
    return this.#entry(node)
  }

  async readlink(id: number): Promise<Uint8Array> {
    return this.#node(id).data
  }

  async getxattr(id: number, name: Uint8Array): Promise<Uint8Array> {
    this.#options.trace(`getxattr ${text(name)}`)
    const value = this.#node(id).xattrs.get(text(name))
    if (value === undefined) throw new this.#options.FsError('ENODATA', 'no such attribute')
    return value
  }

  async setxattr(id: number, name: Uint8Array, value: Uint8Array, demand: XattrDemand): Promise<void> {
    const { xattrs } = this.#node(id)
    const { FsError } = this.#options
    if (demand === 'absent' && xattrs.has(text(name))) throw new FsError('EEXIST', 'the attribute exists')
    if (demand === 'present' && !xattrs.has(text(name))) throw new FsError('ENODATA', 'no such attribute')
    xattrs.set(text(name), Buffer.from(value))
  }

  async removexattr(id: number, name: Uint8Array): Promise<void> {
    if (!this.#node(id).xattrs.delete(text(name))) throw new this.#options.FsError('ENODATA', 'no such attribute')
  }

  async listxattr(id: number): Promise<readonly Uint8Array[]> {
    return [...this.#node(id).xattrs.keys()].map(name => Buffer.from(name, 'latin1'))
  }

  async allocate(id: number, offset: number, sizeBytes: number, options: AllocateOptions): Promise<void> {
    const { node } = this.#handle(id)
    const { kind, keepSize } = options
    this.#options.trace(`allocate ${kind} ${keepSize}`)
    const end = offset + sizeBytes
    if (kind !== 'allocate') node.data.fill(0, Math.min(offset, node.sizeBytes), Math.min(end, node.sizeBytes))
    if (!keepSize && end > node.sizeBytes) resize(node, end)
  }

  /** Everything is data but for what the file ends with: its last 4,096 bytes. */
  async seek(id: number, offset: number, what: 'data' | 'hole'): Promise<number> {
    const { sizeBytes } = this.#handle(id).node
    const holeAt = Math.max(sizeBytes - 4096, 0)
    if (offset >= sizeBytes || (what === 'data' && offset >= holeAt))
      throw new this.#options.FsError('ENXIO', 'nothing follows')
    return what === 'data' ? offset : Math.max(offset, holeAt)
  }

  async copyFileRange(from: number, fromOffset: number, to: number, toOffset: number, sizeBytes: number) {
    const source = this.#handle(from).node
    const data = Buffer.from(source.data.subarray(fromOffset, Math.min(fromOffset + sizeBytes, source.sizeBytes)))
    const target = this.#handle(to).node
    if (toOffset + data.length > target.sizeBytes) resize(target, toOffset + data.length)
    target.data.set(data, toOffset)
    this.#options.trace(`copied ${data.length} of ${sizeBytes}`)
    return data.length
  }

  async unlink(parent: number, name: Uint8Array): Promise<void> {
    if (!this.#folder(parent).delete(text(name))) throw new this.#options.FsError('ENOENT', 'no such name')
  }

  async rmdir(parent: number, name: Uint8Array): Promise<void> {
    const children = this.#folder(parent).get(text(name))?.children
    if (children === undefined) throw new this.#options.FsError('ENOTDIR', 'not a folder')
    if (children.size > 0) throw new this.#options.FsError('ENOTEMPTY', 'not empty')
    this.#folder(parent).delete(text(name))
  }

  async rename(
    parent: number,
    name: Uint8Array,
    newParent: number,
    newName: Uint8Array,
    flags: RenameFlags,
  ): Promise<void> {
    const { FsError } = this.#options
    const from = text(name)
    const to = text(newName)
    const node = this.#folder(parent).get(from)
    const other = this.#folder(newParent).get(to)
    if (node === undefined) throw new FsError('ENOENT', 'no such name')
    if (flags.noReplace && other !== undefined) throw new FsError('EEXIST', 'the new name exists')
    if (flags.exchange && other === undefined) throw new FsError('ENOENT', 'nothing to exchange with')
    this.#folder(parent).delete(from)
    this.#folder(newParent).set(to, node)
    if (flags.exchange && other !== undefined) this.#folder(parent).set(from, other)
  }

  async open(id: number, flags: OpenFlags): Promise<OpenReply> {
    const node = this.#node(id)
    if (flags.killPrivileges) dropPrivileges(node)
    if (flags.truncate) resize(node, 0)
    return this.#open(node, flags.append)
  }

  async create(parent: number, name: Uint8Array, mode: number, flags: OpenFlags, context: CallContext) {
    const node = this.#add(parent, text(name), S_IFREG | mode, context)
    return { entry: this.#entry(node), open: this.#open(node, flags.append) }
  }

  async read(id: number, offset: number, sizeBytes: number, reply: ReadReply, context: CallContext): Promise<void> {
    const { node } = this.#handle(id)
    const name = this.#nameOf(node)
    if (name.startsWith('slow')) await this.#untilKilled(context.signal)
    if (name === 'fails') throw new Error('not readable')
    const end = Math.min(offset + sizeBytes, node.sizeBytes)
    const views: Buffer[] = []
    // In pieces, as a cache of blocks answers.
    for (let at = offset; at < end; at = Math.min(at + 256 * 1024, end))
      views.push(node.data.subarray(at, Math.min(at + 256 * 1024, end)))
    reply.send(views, () => undefined)
  }

  async write(id: number, offset: number, data: Uint8Array, options: WriteOptions): Promise<number> {
    const { node, append } = this.#handle(id)
    if (this.#nameOf(node).startsWith('stuck')) await this.#untilGo()
    if (options.killPrivileges) dropPrivileges(node)
    const at = append ? node.sizeBytes : offset
    if (at + data.length > node.sizeBytes) resize(node, at + data.length)
    node.data.set(data, at)
    node.mtime = now()
    return data.length
  }

  async flush(id: number, context: CallContext): Promise<void> {
    const { trace, holders } = this.#options
    const { node } = this.#handle(id)
    trace(`flush ${this.#nameOf(node)} by ${context.pid > 0 ? 'a thread' : 'nobody'}`)
    trace(`killed by ${holders?.killedBy(context.pid)}`)
    trace(`still held: ${await holders?.isHeld([context.pid], node.id)}`)
  }

  async fsync(id: number): Promise<void> {
    this.#handle(id)
  }

  async release(id: number): Promise<void> {
    this.#handles.delete(id)
  }

  async opendir(node: number): Promise<OpenReply> {
    this.#folder(node)
    return this.#open(this.#node(node), false)
  }

  async readdir(id: number, offset: number, withAttributes: boolean, sink: DirectorySink): Promise<void> {
    const folder = this.#handle(id).node
    const all: [string, Node][] = [['.', folder], ['..', folder], ...(folder.children ?? [])]
    for (let i = offset; i < all.length; i++) {
      const [name, node] = all[i] ?? ['', folder]
      const entry =
        withAttributes && i > 1
          ? { ...this.#attributes(node), node: node.id, entryTtlMs: this.#options.ttlMs }
          : undefined
      const { mode, id: ino } = node
      if (!sink.add({ name: Buffer.from(name), ino, mode, nextOffset: i + 1, entry })) return
      if (entry !== undefined) node.lookups++
    }
  }

  async releasedir(id: number): Promise<void> {
    this.#handles.delete(id)
  }

  async shutdown(): Promise<ShutdownReport> {
    return { stored: 0, kept: [] }
  }

  async secure(): Promise<void> {}

  /** Lets the writes of `stuck*` go on. */
  go(): void {
    for (const release of this.#stuck.splice(0)) release()
  }

  /** What tests do behind the kernel's back. */
  replace(name: string, content: string): { readonly node: number; readonly isNew: boolean } {
    const known = this.#folder(1).get(name)
    const node = known ?? this.#add(1, name, S_IFREG | 0o644, { uid: 0, gid: 0 })
    node.data = Buffer.from(content)
    node.sizeBytes = node.data.length
    return { node: node.id, isNew: known === undefined }
  }

  #make(mode: number, uid: number, gid: number): Node {
    const node = makeNode(++this.#lastId, mode, uid, gid)
    this.#nodes.set(node.id, node)
    return node
  }

  #add(parent: number, name: string, mode: number, owner: { readonly uid: number; readonly gid: number }): Node {
    const folder = this.#folder(parent)
    if (folder.has(name)) throw new this.#options.FsError('EEXIST', 'the name exists')
    const node = this.#make(mode, owner.uid, owner.gid)
    folder.set(name, node)
    return node
  }

  #node(id: number): Node {
    const node = this.#nodes.get(id)
    if (node === undefined) throw new this.#options.FsError('ESTALE', `no node ${id}`)
    return node
  }

  #folder(id: number): Map<string, Node> {
    const { children } = this.#node(id)
    if (children === undefined) throw new this.#options.FsError('ENOTDIR', 'not a folder')
    return children
  }

  #handle(id: number): Handle {
    const handle = this.#handles.get(id)
    if (handle === undefined) throw new this.#options.FsError('EBADF', `no handle ${id}`)
    return handle
  }

  #open(node: Node, append: boolean): OpenReply {
    const handle = ++this.#lastId
    this.#handles.set(handle, { node, append })
    return { handle, keepCache: true }
  }

  #entry(node: Node): Entry {
    node.lookups++
    return { ...this.#attributes(node), node: node.id, entryTtlMs: this.#options.ttlMs }
  }

  #attributes(node: Node): AttributesReply {
    const { id: ino, sizeBytes, mode, uid, gid, rdev, atime, mtime } = node
    const attributes: Attributes = { ino, sizeBytes, mode, nlink: 1, uid, gid, rdev, atime, mtime, ctime: mtime }
    return { attributes, ttlMs: this.#options.ttlMs }
  }

  #nameOf(node: Node): string {
    for (const [name, child] of this.#folder(1)) if (child === node) return name
    return ''
  }

  #untilGo(): Promise<void> {
    this.#options.trace('stuck')
    return new Promise(resolve => this.#stuck.push(resolve))
  }

  #untilKilled(signal: AbortSignal): Promise<never> {
    this.#options.trace('waiting')
    const { FsError, trace } = this.#options
    return new Promise((_, reject) => {
      const end = (): void => {
        trace('aborted')
        reject(new FsError('EINTR', 'killed'))
      }
      if (signal.aborted) end()
      else signal.addEventListener('abort', end, { once: true })
    })
  }
}

function text(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1')
}
