import type { Attributes, AttributesReply, Entry, NegativeEntry } from '../../fs/operations.js'
import { putInt64 } from './words.js'

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

/** fuse_attr, 22 words. `at` counts words here and below. */
function putAttributes(words: Uint32Array, at: number, attributes: Attributes): void {
  const { sizeBytes, atime, mtime, ctime } = attributes
  putInt64(words, at, attributes.ino)
  putInt64(words, at + 2, sizeBytes)
  putInt64(words, at + 4, Math.ceil(sizeBytes / 512))
  putInt64(words, at + 6, atime.seconds)
  putInt64(words, at + 8, mtime.seconds)
  putInt64(words, at + 10, ctime.seconds)
  words[at + 12] = atime.nanoseconds
  words[at + 13] = mtime.nanoseconds
  words[at + 14] = ctime.nanoseconds
  words[at + 15] = attributes.mode
  words[at + 16] = attributes.nlink
  words[at + 17] = attributes.uid
  words[at + 18] = attributes.gid
  words[at + 19] = attributes.rdev
  words[at + 20] = PREFERRED_TRANSFER_BYTES
  words[at + 21] = 0
}

function putLifetime(words: Uint32Array, ttlMs: number, secondsAt: number, nanosecondsAt: number): void {
  const ms = ttlMs > 0 ? Math.min(ttlMs, LONGEST_TTL_MS) : 0
  const seconds = Math.floor(ms / 1000)
  putInt64(words, secondsAt, seconds)
  words[nanosecondsAt] = Math.floor((ms - seconds * 1000) * 1e6)
}

export function putAttrOut(words: Uint32Array, at: number, reply: AttributesReply): void {
  putLifetime(words, reply.ttlMs, at, at + 2)
  words[at + 3] = 0
  putAttributes(words, at + 4, reply.attributes)
}

/** A negative entry has node 0: the name does not exist, and the kernel may remember that. */
export function putEntryOut(words: Uint32Array, at: number, entry: Entry | NegativeEntry): void {
  if (!isFound(entry)) {
    words.fill(0, at, at + ENTRY_OUT_BYTES / 4)
    putLifetime(words, entry.entryTtlMs, at + 4, at + 8)
    return
  }
  putInt64(words, at, entry.node)
  putInt64(words, at + 2, 0)
  putLifetime(words, entry.entryTtlMs, at + 4, at + 8)
  putLifetime(words, entry.ttlMs, at + 6, at + 9)
  putAttributes(words, at + 10, entry.attributes)
}

export function isFound(entry: Entry | NegativeEntry): entry is Entry {
  return entry.node !== 0
}
