/** Reads the bodies of requests. `message` begins with the header; names are views, valid as long as the message is. */
import type { OpenFlags, RenameFlags, SetAttributes, Timestamp, WriteOptions } from '../../fs/operations.js'
import { openFlags } from '../open-flags.js'
import { IN_HEADER_BYTES, WRITE_IN_BYTES } from './layout.js'
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
  KILL_SUIDGID: 1 << 11,
} as const

const GETATTR_HANDLE = 1 << 0
const OPEN_KILL_SUIDGID = 1 << 0
const WRITE_CACHE = 1 << 0
const WRITE_KILL_SUIDGID = 1 << 2
const RENAME_NOREPLACE = 1 << 0
const RENAME_EXCHANGE = 1 << 1

/** Permission bits; the type bits are told by the operation. */
const PERMISSIONS = 0o7777

function nameAt(message: Buffer, at: number): Buffer {
  return message.subarray(at, message.indexOf(0, at))
}

/** LOOKUP, UNLINK, RMDIR: one name. */
export function readName(message: Buffer): Buffer {
  return nameAt(message, BODY)
}

/** FORGET: fuse_forget_in. */
export function readForget(message: Buffer): number {
  return readUint64(message, BODY)
}

/** BATCH_FORGET: fuse_batch_forget_in and its fuse_forget_one records. */
export function readBatchForget(message: Buffer, each: (node: number, lookups: number) => void): void {
  const count = message.readUInt32LE(BODY)
  for (let i = 0, at = BODY + 8; i < count; i++, at += 16) each(readUint64(message, at), readUint64(message, at + 8))
}

/** GETATTR: the handle it is asked through, if any. */
export function readGetattr(message: Buffer): number | undefined {
  return message.readUInt32LE(BODY) & GETATTR_HANDLE ? readUint64(message, BODY + 8) : undefined
}

export interface SetattrRequest {
  readonly changes: SetAttributes
  readonly handle: number | undefined
}

/** SETATTR: fuse_setattr_in. A change of ctime comes with the writeback cache only, which is not negotiated. */
export function readSetattr(message: Buffer): SetattrRequest {
  const valid = message.readUInt32LE(BODY)
  const has = (bit: number): boolean => (valid & bit) !== 0
  return {
    handle: has(SETATTR.HANDLE) ? readUint64(message, BODY + 8) : undefined,
    changes: {
      sizeBytes: has(SETATTR.SIZE) ? readUint64(message, BODY + 16) : undefined,
      atime: has(SETATTR.ATIME) ? timeOf(message, has(SETATTR.ATIME_NOW), BODY + 32, BODY + 56) : undefined,
      mtime: has(SETATTR.MTIME) ? timeOf(message, has(SETATTR.MTIME_NOW), BODY + 40, BODY + 60) : undefined,
      mode: has(SETATTR.MODE) ? message.readUInt32LE(BODY + 68) & PERMISSIONS : undefined,
      uid: has(SETATTR.UID) ? message.readUInt32LE(BODY + 76) : undefined,
      gid: has(SETATTR.GID) ? message.readUInt32LE(BODY + 80) : undefined,
      killPrivileges: has(SETATTR.KILL_SUIDGID) ? true : undefined,
    },
  }
}

function timeOf(message: Buffer, now: boolean, secondsAt: number, nanosecondsAt: number): Timestamp | 'now' {
  if (now) return 'now'
  return { seconds: readInt64(message, secondsAt), nanoseconds: message.readUInt32LE(nanosecondsAt) }
}

export interface MakeRequest {
  /** As the program gave it, umask applied; MKNOD's has type bits. */
  readonly mode: number
  readonly name: Buffer
}

/** MKNOD: fuse_mknod_in. */
export function readMknod(message: Buffer): MakeRequest {
  return { mode: message.readUInt32LE(BODY), name: nameAt(message, BODY + 16) }
}

/** MKDIR: fuse_mkdir_in. */
export function readMkdir(message: Buffer): MakeRequest {
  return { mode: message.readUInt32LE(BODY) & PERMISSIONS, name: nameAt(message, BODY + 8) }
}

/** CREATE: fuse_create_in. */
export function readCreate(message: Buffer): MakeRequest & { readonly flags: OpenFlags } {
  return {
    flags: openFlags(message.readUInt32LE(BODY), (message.readUInt32LE(BODY + 12) & OPEN_KILL_SUIDGID) !== 0),
    mode: message.readUInt32LE(BODY + 4) & PERMISSIONS,
    name: nameAt(message, BODY + 16),
  }
}

/** OPEN and OPENDIR: fuse_open_in. */
export function readOpen(message: Buffer): OpenFlags {
  return openFlags(message.readUInt32LE(BODY), (message.readUInt32LE(BODY + 4) & OPEN_KILL_SUIDGID) !== 0)
}

export interface RenameRequest {
  readonly newParent: number
  readonly name: Buffer
  readonly newName: Buffer
  /** Undefined: flags that nobody here knows. */
  readonly flags: RenameFlags | undefined
}

/** RENAME: fuse_rename_in. */
export function readRename(message: Buffer): RenameRequest {
  return renameNames(message, BODY + 8, 0)
}

/** RENAME2: fuse_rename2_in. */
export function readRename2(message: Buffer): RenameRequest {
  return renameNames(message, BODY + 16, message.readUInt32LE(BODY + 8))
}

function renameNames(message: Buffer, at: number, flags: number): RenameRequest {
  const name = nameAt(message, at)
  const known = (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) === 0
  return {
    newParent: readUint64(message, BODY),
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
export function readRead(message: Buffer): ReadRequest {
  return {
    handle: readUint64(message, BODY),
    offset: readUint64(message, BODY + 8),
    sizeBytes: message.readUInt32LE(BODY + 16),
  }
}

export interface WriteRequest extends ReadRequest {
  readonly options: WriteOptions
  /** Where the data begins in the message. */
  readonly dataAt: number
}

/** WRITE: fuse_write_in, followed by the data. */
export function readWrite(message: Buffer): WriteRequest {
  const flags = message.readUInt32LE(BODY + 20)
  return {
    handle: readUint64(message, BODY),
    offset: readUint64(message, BODY + 8),
    sizeBytes: message.readUInt32LE(BODY + 16),
    options: {
      fromPageCache: (flags & WRITE_CACHE) !== 0,
      killPrivileges: (flags & WRITE_KILL_SUIDGID) !== 0,
    },
    dataAt: BODY + WRITE_IN_BYTES,
  }
}

/** The handle that FLUSH, FSYNC, RELEASE and RELEASEDIR begin with. */
export function readHandle(message: Buffer): number {
  return readUint64(message, BODY)
}

/** INTERRUPT: the unique of the request that is interrupted. */
export function readInterrupt(message: Buffer): number {
  return readUint64(message, BODY)
}
