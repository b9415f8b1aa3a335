/**
 * The filesystem as a transport sees it: inode level, promises, no FUSE and no provider. Every method rejects with an
 * error that `errnoOf` (fs-error.ts) turns into an errno name.
 *
 * Node ids are positive integers, 1 is the root. A node lives until the transport has given back, by `forget`, as many
 * lookups as Entry answers (lookup, create, mkdir, readdir entries taken) it got. Names are raw bytes, without `/` and
 * NUL; they are only valid during the synchronous part of a call.
 */
import type { ReadReply } from '../cache/lanes/read-reply.js'
import type { Hold } from './lent.js'

export const ROOT_NODE = 1

/** How a call is told that its program is being killed: it then ends with EINTR. Cheap, since every call asks. */
export interface Leaver {
  readonly isAborted: boolean
  /** Calls `run` when that happens, not when it has happened already; the answered function calls that off. */
  onAbort(run: () => void): () => void
}

/** Who calls, and how it is told that the call is no longer wanted. */
export interface CallContext extends Leaver {
  readonly uid: number
  readonly gid: number
  /** A thread's id; 0 where the transport does not know it. */
  readonly pid: number
  /** The umask of the caller where the transport leaves applying it to the filesystem, else 0. */
  readonly umask: number
  /** The same as a signal, for what takes one. Made when it is asked for. */
  readonly signal: AbortSignal
}

export interface Timestamp {
  readonly seconds: number
  readonly nanoseconds: number
}

export interface Attributes {
  /** st_ino: the same in readdir and stat, whatever the node id is. */
  readonly ino: number
  readonly sizeBytes: number
  /** st_mode, type bits included. */
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
  readonly atime: Timestamp
  readonly mtime: Timestamp
  readonly ctime: Timestamp
}

export interface AttributesReply {
  readonly attributes: Attributes
  /** How long the kernel may answer by itself: the remaining lifetime of what this mount knows. */
  readonly ttlMs: number
}

export interface Entry extends AttributesReply {
  readonly node: number
  readonly entryTtlMs: number
}

/** A lookup that found nothing; the kernel may remember it for so long. */
export interface NegativeEntry {
  readonly node: 0
  readonly entryTtlMs: number
}

export interface SetAttributes {
  readonly mode?: number | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  readonly sizeBytes?: number | undefined
  readonly atime?: Timestamp | 'now' | undefined
  readonly mtime?: Timestamp | 'now' | undefined
  /** Clear setuid and (where group execute is set) setgid. */
  readonly killPrivileges?: boolean | undefined
}

/** Open flags in plain words, since their numbers differ by platform. */
export interface OpenFlags {
  readonly read: boolean
  readonly write: boolean
  readonly append: boolean
  readonly truncate: boolean
  readonly exclusive: boolean
  /** O_SYNC or O_DSYNC. */
  readonly sync: boolean
  readonly killPrivileges: boolean
}

/** What setxattr(2) demands of the name: XATTR_CREATE or XATTR_REPLACE. */
export type XattrDemand = 'absent' | 'present' | undefined

export interface TruncateOptions {
  readonly leaver?: Leaver
  /** Nobody has the file open, and who is told that it failed has lost nothing. */
  readonly isByPath?: boolean
}

/** fallocate(2). `zero` reads as zeros afterwards and grows the file unless `keepSize`; `punch` never grows it. */
export interface AllocateOptions {
  readonly kind: 'allocate' | 'punch' | 'zero'
  readonly keepSize: boolean
}

export interface OpenReply {
  readonly handle: number
  /** The pages that the kernel holds of this node are still those of this version. */
  readonly keepCache: boolean
}

export interface WriteOptions {
  /** A write of mapped pages (pid unknown), not of a write(2). */
  readonly fromPageCache: boolean
  readonly killPrivileges: boolean
  /** Keeps the data valid beyond the call; absent where the transport needs its memory back, or it is little. */
  readonly hold?: Hold | undefined
}

export interface FilesystemStatistics {
  readonly blockSizeBytes: number
  readonly totalBlocks: number
  readonly freeBlocks: number
  readonly totalFiles: number
  readonly freeFiles: number
  readonly maxNameBytes: number
}

export interface DirectoryEntry {
  /** Most are text, and come as that: their UTF-8 is written once, where it is sent from. */
  readonly name: string | Uint8Array
  readonly ino: number
  /** st_mode, of which only the type bits count. */
  readonly mode: number
  /** The `offset` with which a later readdir goes on behind this entry. */
  readonly nextOffset: number
  /** With attributes, where readdir was asked for them and they are known; taking it counts as one lookup. */
  readonly entry: Entry | undefined
}

/** Takes directory entries until it is full. */
export interface DirectorySink {
  /** False: no room, the entry was not taken and the filesystem stops. */
  add(entry: DirectoryEntry): boolean
}

export interface RenameFlags {
  readonly noReplace: boolean
  readonly exchange: boolean
}

export interface Filesystem {
  statfs(): Promise<FilesystemStatistics>
  lookup(parent: number, name: Uint8Array, context: CallContext): Promise<Entry | NegativeEntry>
  forget(node: number, lookups: number): void
  getattr(node: number, handle: number | undefined, context: CallContext): Promise<AttributesReply>
  setattr(
    node: number,
    changes: SetAttributes,
    handle: number | undefined,
    context: CallContext,
  ): Promise<AttributesReply>
  /** `mode` has the umask of the caller applied where `context.umask` is 0. */
  mkdir(parent: number, name: Uint8Array, mode: number, context: CallContext): Promise<Entry>
  /** A fifo, socket, device or empty regular file. `mode` holds the type bits; `rdev` is 0 but for devices. */
  mknod(parent: number, name: Uint8Array, mode: number, rdev: number, context: CallContext): Promise<Entry>
  /** `target` is kept as it is, without a look at what it leads to. */
  symlink(parent: number, name: Uint8Array, target: Uint8Array, context: CallContext): Promise<Entry>
  readlink(node: number, context: CallContext): Promise<Uint8Array>
  /** `name` in full, with its namespace (`user.`). ENODATA without it, EOPNOTSUPP outside of `user.`. */
  getxattr(node: number, name: Uint8Array, context: CallContext): Promise<Uint8Array>
  setxattr(node: number, name: Uint8Array, value: Uint8Array, demand: XattrDemand, context: CallContext): Promise<void>
  removexattr(node: number, name: Uint8Array, context: CallContext): Promise<void>
  /** Full names. Costs no request with `--attributes listing`. */
  listxattr(node: number, context: CallContext): Promise<readonly Uint8Array[]>
  unlink(parent: number, name: Uint8Array, context: CallContext): Promise<void>
  rmdir(parent: number, name: Uint8Array, context: CallContext): Promise<void>
  rename(
    parent: number,
    name: Uint8Array,
    newParent: number,
    newName: Uint8Array,
    flags: RenameFlags,
    context: CallContext,
  ): Promise<void>
  open(node: number, flags: OpenFlags, context: CallContext): Promise<OpenReply>
  create(
    parent: number,
    name: Uint8Array,
    mode: number,
    flags: OpenFlags,
    context: CallContext,
  ): Promise<{ readonly entry: Entry; readonly open: OpenReply }>
  /** Answers through `reply` in full, short only at the end of the file; rejects without having replied. */
  read(handle: number, offset: number, sizeBytes: number, reply: ReadReply, context: CallContext): Promise<void>
  /** `data` stays valid until the promise settles, and beyond while it is held. Resolves with the bytes taken: all of them. */
  write(handle: number, offset: number, data: Uint8Array, options: WriteOptions, context: CallContext): Promise<number>
  allocate(
    handle: number,
    offset: number,
    sizeBytes: number,
    options: AllocateOptions,
    context: CallContext,
  ): Promise<void>
  /** lseek(2) with SEEK_DATA or SEEK_HOLE. ENXIO at and behind the end of the file, and where no data follows. */
  seek(handle: number, offset: number, what: 'data' | 'hole', context: CallContext): Promise<number>
  /** copy_file_range(2): resolves with the bytes copied, less than asked for only at the end of the source. */
  copyFileRange(
    from: number,
    fromOffset: number,
    to: number,
    toOffset: number,
    sizeBytes: number,
    context: CallContext,
  ): Promise<number>
  /** A descriptor was closed: stores what the handle owes unless another process still holds the file. */
  flush(handle: number, context: CallContext): Promise<void>
  fsync(handle: number, context: CallContext): Promise<void>
  /** The last descriptor is gone. Never rejects: what fails is logged and its bytes are kept. */
  release(handle: number): Promise<void>
  opendir(node: number, context: CallContext): Promise<OpenReply>
  readdir(
    handle: number,
    offset: number,
    withAttributes: boolean,
    sink: DirectorySink,
    context: CallContext,
  ): Promise<void>
  releasedir(handle: number): Promise<void>
  /** Stores all that is dirty; resolves with what could not be stored. No call may come after it. */
  shutdown(): Promise<ShutdownReport>
  /** Puts what is not stored onto the local disk, whatever the store does meanwhile. Never rejects. */
  secure(): Promise<void>
}

export interface ShutdownReport {
  readonly stored: number
  /** Where the bytes of each file lie that could not be stored. */
  readonly kept: readonly { readonly path: string; readonly keptAt: string }[]
}

/** What the filesystem asks of its transport: dropping what the kernel remembers. Calls never wait. */
export interface KernelCache {
  /** Attributes and pages of a node. */
  invalidateNode(node: number): void
  /** What a name in a directory leads to. */
  invalidateEntry(parent: number, name: Uint8Array): void
  /**
   * Puts what the kernel holds of a node's bytes from `offset` on into `memory`, from the front; resolves with how many,
   * 0 for none. They may be those of pages that were never filled: only who knows the bytes again may use them. At most
   * one at a time. Absent where the transport can't. Never rejects.
   */
  retrieve?(node: number, offset: number, memory: Uint8Array): Promise<number>
}

/** What the system tells of the processes that use the mount. */
export interface HolderProbe {
  /**
   * Whether a file of this mount is still held open for writing by any of these processes. `pids` are the threads seen
   * on the handle; what can't be looked at does not hold.
   */
  isHeld(pids: readonly number[], ino: number): boolean | Promise<boolean>
  /**
   * The signal that is ending this thread's process at this moment; undefined while it lives, when it exits by itself,
   * and where that can't be told (facts of Linux: /proc/TID/stat, fields 9 and 52).
   */
  killedBy(tid: number): number | undefined
}
