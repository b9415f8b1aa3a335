/** Reads the bodies of requests. `message` begins with the header; names are views, valid as long as the message is. */
import type {
  AllocateOptions,
  OpenFlags,
  RenameFlags,
  SetAttributes,
  Timestamp,
  WriteOptions,
} from '../../fs/operations.js'
import { openFlags } from '../open-flags.js'
import { IN_HEADER_BYTES, RETRIEVE_IN_BYTES, WRITE_IN_BYTES } from './layout.js'
import type { Message } from './message.js'
import { readInt64, readUint64 } from './uint64.js'

const BODY = IN_HEADER_BYTES

/** FATTR_*: which fields of fuse_setattr_in count. */
const SETATTR = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  HANDLE: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  LOCKOWNER: 1 << 9,
  KILL_SUIDGID: 1 << 11,
} as const
/** These say how, not what. */
const NO_CHANGE = SETATTR.HANDLE | SETATTR.LOCKOWNER

const GETATTR_HANDLE = 1 << 0
const OPEN_KILL_SUIDGID = 1 << 0
const WRITE_CACHE = 1 << 0
const WRITE_KILL_SUIDGID = 1 << 2
const RENAME_NOREPLACE = 1 << 0
const RENAME_EXCHANGE = 1 << 1
/** fallocate(2); collapsing, inserting and unsharing ranges are not for a bucket. */
const FALLOCATE = { KEEP_SIZE: 0x01, PUNCH_HOLE: 0x02, ZERO_RANGE: 0x10 } as const
/** lseek(2). The kernel carries out the others itself. */
const SEEK_DATA = 3
const SEEK_HOLE = 4

/** Permission bits; the type bits are told by the operation. */
const PERMISSIONS = 0o7777

function nameAt({ bytes }: Message, at: number): Buffer {
  return bytes.subarray(at, bytes.indexOf(0, at))
}

/** LOOKUP, UNLINK, RMDIR: one name. */
export function readName(message: Message): Buffer {
  return nameAt(message, BODY)
}

/** FORGET: fuse_forget_in. */
export function readForget({ numbers }: Message): number {
  return readUint64(numbers, BODY)
}

/** BATCH_FORGET: fuse_batch_forget_in and its fuse_forget_one records. */
export function readBatchForget({ numbers }: Message, each: (node: number, lookups: number) => void): void {
  const count = numbers.getUint32(BODY, true)
  for (let i = 0, at = BODY + 8; i < count; i++, at += 16) each(readUint64(numbers, at), readUint64(numbers, at + 8))
}

/** GETATTR: the handle it is asked through, if any. */
export function readGetattr({ numbers }: Message): number | undefined {
  return numbers.getUint32(BODY, true) & GETATTR_HANDLE ? readUint64(numbers, BODY + 8) : undefined
}

export interface SetattrRequest {
  readonly changes: SetAttributes
  readonly handle: number | undefined
}

/**
 * SETATTR: fuse_setattr_in. A change of ctime comes with the writeback cache only, which is not negotiated. One that sets
 * nothing is what is left of chown(path, -1, -1) and of a fallocate(2) or copy_file_range(2) that takes privileges away:
 * the kernel has dropped the very bits that it meant, since HANDLE_KILLPRIV_V2 leaves clearing them to the filesystem.
 */
export function readSetattr({ numbers }: Message): SetattrRequest {
  const valid = numbers.getUint32(BODY, true)
  const has = (bit: number): boolean => (valid & bit) !== 0
  return {
    handle: has(SETATTR.HANDLE) ? readUint64(numbers, BODY + 8) : undefined,
    changes: {
      sizeBytes: has(SETATTR.SIZE) ? readUint64(numbers, BODY + 16) : undefined,
      atime: has(SETATTR.ATIME) ? timeOf(numbers, has(SETATTR.ATIME_NOW), BODY + 32, BODY + 56) : undefined,
      mtime: has(SETATTR.MTIME) ? timeOf(numbers, has(SETATTR.MTIME_NOW), BODY + 40, BODY + 60) : undefined,
      mode: has(SETATTR.MODE) ? numbers.getUint32(BODY + 68, true) & PERMISSIONS : undefined,
      uid: has(SETATTR.UID) ? numbers.getUint32(BODY + 76, true) : undefined,
      gid: has(SETATTR.GID) ? numbers.getUint32(BODY + 80, true) : undefined,
      killPrivileges: has(SETATTR.KILL_SUIDGID) || (valid & ~NO_CHANGE) === 0 ? true : undefined,
    },
  }
}

function timeOf(numbers: DataView, now: boolean, secondsAt: number, nanosecondsAt: number): Timestamp | 'now' {
  if (now) return 'now'
  return { seconds: readInt64(numbers, secondsAt), nanoseconds: numbers.getUint32(nanosecondsAt, true) }
}

export interface MakeRequest {
  /** As the program gave it, umask applied; MKNOD's has type bits. */
  readonly mode: number
  readonly name: Buffer
}

/** MKNOD: fuse_mknod_in. `rdev` is a dev_t of 32 bits (`new_encode_dev`), as fuse_attr has it. */
export function readMknod(message: Message): MakeRequest & { readonly rdev: number } {
  const { numbers } = message
  return {
    mode: numbers.getUint32(BODY, true),
    rdev: numbers.getUint32(BODY + 4, true),
    name: nameAt(message, BODY + 16),
  }
}

/** SYMLINK: the name and the target, which is a copy. */
export function readSymlink(message: Message): { readonly name: Buffer; readonly target: Uint8Array } {
  const name = nameAt(message, BODY)
  return { name, target: Buffer.from(nameAt(message, BODY + name.length + 1)) }
}

/** MKDIR: fuse_mkdir_in. */
export function readMkdir(message: Message): MakeRequest {
  return { mode: message.numbers.getUint32(BODY, true) & PERMISSIONS, name: nameAt(message, BODY + 8) }
}

/** CREATE: fuse_create_in. */
export function readCreate(message: Message): MakeRequest & { readonly flags: OpenFlags } {
  const { numbers } = message
  return {
    flags: openFlags(numbers.getUint32(BODY, true), (numbers.getUint32(BODY + 12, true) & OPEN_KILL_SUIDGID) !== 0),
    mode: numbers.getUint32(BODY + 4, true) & PERMISSIONS,
    name: nameAt(message, BODY + 16),
  }
}

/** OPEN and OPENDIR: fuse_open_in. */
export function readOpen({ numbers }: Message): OpenFlags {
  return openFlags(numbers.getUint32(BODY, true), (numbers.getUint32(BODY + 4, true) & OPEN_KILL_SUIDGID) !== 0)
}

export interface RenameRequest {
  readonly newParent: number
  readonly name: Buffer
  readonly newName: Buffer
  /** Undefined: flags that nobody here knows. */
  readonly flags: RenameFlags | undefined
}

/** RENAME: fuse_rename_in. */
export function readRename(message: Message): RenameRequest {
  return renameNames(message, BODY + 8, 0)
}

/** RENAME2: fuse_rename2_in. */
export function readRename2(message: Message): RenameRequest {
  return renameNames(message, BODY + 16, message.numbers.getUint32(BODY + 8, true))
}

function renameNames(message: Message, at: number, flags: number): RenameRequest {
  const name = nameAt(message, at)
  const known = (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) === 0
  return {
    newParent: readUint64(message.numbers, BODY),
    name,
    newName: nameAt(message, at + name.length + 1),
    flags: known
      ? { noReplace: (flags & RENAME_NOREPLACE) !== 0, exchange: (flags & RENAME_EXCHANGE) !== 0 }
      : undefined,
  }
}

export interface ReadRequest {
  readonly handle: number
  readonly offset: number
  readonly sizeBytes: number
}

/** READ, READDIR and READDIRPLUS: fuse_read_in. */
export function readRead({ numbers }: Message): ReadRequest {
  return {
    handle: readUint64(numbers, BODY),
    offset: readUint64(numbers, BODY + 8),
    sizeBytes: numbers.getUint32(BODY + 16, true),
  }
}

export interface WriteRequest extends ReadRequest {
  readonly options: WriteOptions
  /** Where the data begins in the message. */
  readonly dataAt: number
}

/** WRITE: fuse_write_in, followed by the data. */
export function readWrite({ numbers }: Message): WriteRequest {
  const flags = numbers.getUint32(BODY + 20, true)
  return {
    handle: readUint64(numbers, BODY),
    offset: readUint64(numbers, BODY + 8),
    sizeBytes: numbers.getUint32(BODY + 16, true),
    options: {
      fromPageCache: (flags & WRITE_CACHE) !== 0,
      killPrivileges: (flags & WRITE_KILL_SUIDGID) !== 0,
    },
    dataAt: BODY + WRITE_IN_BYTES,
  }
}

export interface FallocateRequest {
  readonly handle: number
  readonly offset: number
  readonly sizeBytes: number
  /** Undefined: modes that nobody here knows. */
  readonly options: AllocateOptions | undefined
}

/** FALLOCATE: fuse_fallocate_in. */
export function readFallocate({ numbers }: Message): FallocateRequest {
  return {
    handle: readUint64(numbers, BODY),
    offset: readUint64(numbers, BODY + 8),
    sizeBytes: readUint64(numbers, BODY + 16),
    options: allocateOptions(numbers.getUint32(BODY + 24, true)),
  }
}

function allocateOptions(mode: number): AllocateOptions | undefined {
  const keepSize = (mode & FALLOCATE.KEEP_SIZE) !== 0
  const kind = mode & ~FALLOCATE.KEEP_SIZE
  if (kind === 0) return { kind: 'allocate', keepSize }
  if (kind === FALLOCATE.PUNCH_HOLE && keepSize) return { kind: 'punch', keepSize }
  return kind === FALLOCATE.ZERO_RANGE ? { kind: 'zero', keepSize } : undefined
}

export interface LseekRequest {
  readonly handle: number
  readonly offset: number
  /** Undefined: neither SEEK_DATA nor SEEK_HOLE. */
  readonly what: 'data' | 'hole' | undefined
}

/** LSEEK: fuse_lseek_in. */
export function readLseek({ numbers }: Message): LseekRequest {
  const whence = numbers.getUint32(BODY + 16, true)
  return {
    handle: readUint64(numbers, BODY),
    offset: readUint64(numbers, BODY + 8),
    what: whence === SEEK_DATA ? 'data' : whence === SEEK_HOLE ? 'hole' : undefined,
  }
}

export interface CopyFileRangeRequest {
  readonly from: number
  readonly fromOffset: number
  readonly to: number
  readonly toOffset: number
  readonly sizeBytes: number
  /** Those of copy_file_range(2), which knows none. */
  readonly flags: number
}

/** COPY_FILE_RANGE and COPY_FILE_RANGE_64: fuse_copy_file_range_in. */
export function readCopyFileRange({ numbers }: Message): CopyFileRangeRequest {
  return {
    from: readUint64(numbers, BODY),
    fromOffset: readUint64(numbers, BODY + 8),
    to: readUint64(numbers, BODY + 24),
    toOffset: readUint64(numbers, BODY + 32),
    sizeBytes: readUint64(numbers, BODY + 40),
    flags: readUint64(numbers, BODY + 48),
  }
}

/** The handle that FLUSH, FSYNC, RELEASE and RELEASEDIR begin with. */
export function readHandle({ numbers }: Message): number {
  return readUint64(numbers, BODY)
}

/** INTERRUPT: the unique of the request that is interrupted. */
export function readInterrupt({ numbers }: Message): number {
  return readUint64(numbers, BODY)
}

/** fuse_notify_retrieve_in and what the kernel holds; the request's `unique` is that of the notification. */
export function readRetrieved({ bytes, numbers }: Message): Buffer {
  const start = BODY + RETRIEVE_IN_BYTES
  return bytes.subarray(start, start + numbers.getUint32(BODY + 16, true))
}
