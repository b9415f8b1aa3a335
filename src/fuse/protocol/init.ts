import { OUT_HEADER_BYTES } from './layout.js'

/** The newest minor version of protocol 7 whose meaning this code knows (Linux 6.18). */
const NEWEST_MINOR = 45
/** Linux 5.4. Structures have the same size in every version from here on. */
const OLDEST_MINOR = 31

const MAJOR = 7
const MEBIBYTE = 1 << 20

/** Bytes of file data in one READ or WRITE at the most. */
export const MAX_TRANSFER_BYTES = MEBIBYTE

/**
 * What is asked of the kernel. Not asked for: WRITEBACK_CACHE (the driver keeps size and mtime, and errors stay with
 * the writer), POSIX_LOCKS and FLOCK_LOCKS (the kernel keeps locks within the mount), DONT_MASK (the kernel applies the
 * umask), ASYNC_DIO (a killed O_DIRECT reader would wait for its request), NO_OPEN and NO_OPENDIR (the kernel would
 * cache folders without expiry), EXPORT_SUPPORT ("." and ".." are never looked up). AUTO_INVAL_DATA would drop the
 * pages of a file at each of our own commits, which move mtime: a node never changes to a version made by others, and
 * without it a changed size still drops them.
 */
const WANTED =
  (1 << 0) | // ASYNC_READ
  (1 << 3) | // ATOMIC_O_TRUNC
  (1 << 5) | // BIG_WRITES
  (1 << 13) | // DO_READDIRPLUS
  (1 << 14) | // READDIRPLUS_AUTO
  (1 << 18) | // PARALLEL_DIROPS
  (1 << 22) | // MAX_PAGES
  (1 << 23) | // CACHE_SYMLINKS
  (1 << 28) | // HANDLE_KILLPRIV_V2
  (1 << 30) // INIT_EXT: `flags2` is valid; none of its flags is wanted

/** Requests that the kernel keeps outstanding of its own accord (read-ahead), and where it begins to hold back. */
const MAX_BACKGROUND = 64
const CONGESTION_THRESHOLD = 48

/** fuse_init_out */
const INIT_OUT_BYTES = 64

export type Negotiation =
  | { readonly kind: 'agreed'; readonly minor: number; readonly replyBytes: number }
  /** The kernel speaks a later major version: it asks again with ours. */
  | { readonly kind: 'again'; readonly replyBytes: number }
  | { readonly kind: 'too-old'; readonly version: string }

/** Reads fuse_init_in at `offset` of `message` and writes fuse_init_out behind the header of `reply`. */
export function negotiate(message: Buffer, offset: number, reply: Buffer): Negotiation {
  const major = message.readUInt32LE(offset)
  const minor = message.readUInt32LE(offset + 4)
  if (major < MAJOR || (major === MAJOR && minor < OLDEST_MINOR))
    return { kind: 'too-old', version: `${major}.${minor}` }
  const at = OUT_HEADER_BYTES
  reply.fill(0, at, at + INIT_OUT_BYTES)
  reply.writeUInt32LE(MAJOR, at)
  reply.writeUInt32LE(NEWEST_MINOR, at + 4)
  if (major > MAJOR) return { kind: 'again', replyBytes: INIT_OUT_BYTES }
  const offered = message.readUInt32LE(offset + 12)
  // The kernel takes the smaller of this and what the device has; a bdi setting after the mount may raise it again.
  reply.writeUInt32LE(message.readUInt32LE(offset + 8), at + 8)
  reply.writeUInt32LE((offered & WANTED) >>> 0, at + 12)
  reply.writeUInt16LE(MAX_BACKGROUND, at + 16)
  reply.writeUInt16LE(CONGESTION_THRESHOLD, at + 18)
  reply.writeUInt32LE(MAX_TRANSFER_BYTES, at + 20)
  // Granularity of times: nanoseconds.
  reply.writeUInt32LE(1, at + 24)
  // max_pages of 4 KiB; with larger pages max_write and the mount option max_read still hold the size down.
  reply.writeUInt16LE(MAX_TRANSFER_BYTES / 4096, at + 28)
  return { kind: 'agreed', minor: Math.min(minor, NEWEST_MINOR), replyBytes: INIT_OUT_BYTES }
}
