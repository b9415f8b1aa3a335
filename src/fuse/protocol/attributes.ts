import type { Attributes, AttributesReply, Entry, NegativeEntry } from '../../fs/operations.js'
import { writeInt64 } from './uint64.js'

/** fuse_attr_out: 16 bytes of lifetime, then fuse_attr. */
export const ATTR_OUT_BYTES = 104
/** fuse_entry_out: 40 bytes of node and lifetimes, then fuse_attr. */
export const ENTRY_OUT_BYTES = 128

/**
 * st_blksize: the unit in which stdio, Python and others write. Without the kernel's writeback cache each of their
 * writes is one request, so it is larger than a page.
 */
const PREFERRED_TRANSFER_BYTES = 128 << 10

/** Longer than any mount lives, and far from overflowing the kernel's clock. */
const LONGEST_TTL_MS = 1e12

/** fuse_attr, 88 bytes. */
function writeAttributes(buffer: Buffer, at: number, attributes: Attributes): void {
  writeInt64(buffer, attributes.ino, at)
  writeInt64(buffer, attributes.sizeBytes, at + 8)
  writeInt64(buffer, Math.ceil(attributes.sizeBytes / 512), at + 16)
  writeInt64(buffer, attributes.atime.seconds, at + 24)
  writeInt64(buffer, attributes.mtime.seconds, at + 32)
  writeInt64(buffer, attributes.ctime.seconds, at + 40)
  buffer.writeUInt32LE(attributes.atime.nanoseconds, at + 48)
  buffer.writeUInt32LE(attributes.mtime.nanoseconds, at + 52)
  buffer.writeUInt32LE(attributes.ctime.nanoseconds, at + 56)
  buffer.writeUInt32LE(attributes.mode, at + 60)
  buffer.writeUInt32LE(attributes.nlink, at + 64)
  buffer.writeUInt32LE(attributes.uid, at + 68)
  buffer.writeUInt32LE(attributes.gid, at + 72)
  buffer.writeUInt32LE(attributes.rdev, at + 76)
  buffer.writeUInt32LE(PREFERRED_TRANSFER_BYTES, at + 80)
  buffer.writeUInt32LE(0, at + 84)
}

function writeLifetime(buffer: Buffer, ttlMs: number, secondsAt: number, nanosecondsAt: number): void {
  const ms = ttlMs > 0 ? Math.min(ttlMs, LONGEST_TTL_MS) : 0
  const seconds = Math.floor(ms / 1000)
  writeInt64(buffer, seconds, secondsAt)
  buffer.writeUInt32LE(Math.floor((ms - seconds * 1000) * 1e6), nanosecondsAt)
}

export function writeAttrOut(buffer: Buffer, at: number, reply: AttributesReply): void {
  writeLifetime(buffer, reply.ttlMs, at, at + 8)
  buffer.writeUInt32LE(0, at + 12)
  writeAttributes(buffer, at + 16, reply.attributes)
}

/** A negative entry has node 0: the name does not exist, and the kernel may remember that. */
export function writeEntryOut(buffer: Buffer, at: number, entry: Entry | NegativeEntry): void {
  if (!isFound(entry)) {
    buffer.fill(0, at, at + ENTRY_OUT_BYTES)
    writeLifetime(buffer, entry.entryTtlMs, at + 16, at + 32)
    return
  }
  writeInt64(buffer, entry.node, at)
  writeInt64(buffer, 0, at + 8)
  writeLifetime(buffer, entry.entryTtlMs, at + 16, at + 32)
  writeLifetime(buffer, entry.ttlMs, at + 24, at + 36)
  writeAttributes(buffer, at + 40, entry.attributes)
}

export function isFound(entry: Entry | NegativeEntry): entry is Entry {
  return entry.node !== 0
}
