import type { FilesystemStatistics, OpenReply } from '../../fs/operations.js'
import { writeInt64 } from './uint64.js'
import { putInt64 } from './words.js'

/** fuse_open_out: fh, open_flags, backing_id. */
export const OPEN_OUT_BYTES = 16
/** fuse_statfs_out: one fuse_kstatfs. */
export const STATFS_OUT_BYTES = 80

const FOPEN_KEEP_CACHE = 1 << 1
const FOPEN_NOFLUSH = 1 << 5

export interface OpenTraits {
  /** Nothing can be owed through this handle: closing a descriptor need not be told (from 7.35 on). */
  readonly noFlush: boolean
}

/** `at` counts words. */
export function putOpenOut(words: Uint32Array, at: number, open: OpenReply, traits: OpenTraits): void {
  putInt64(words, at, open.handle)
  words[at + 2] = (open.keepCache ? FOPEN_KEEP_CACHE : 0) | (traits.noFlush ? FOPEN_NOFLUSH : 0)
  words[at + 3] = 0
}

export function writeStatfsOut(buffer: Buffer, at: number, statistics: FilesystemStatistics): void {
  buffer.fill(0, at, at + STATFS_OUT_BYTES)
  writeInt64(buffer, statistics.totalBlocks, at)
  writeInt64(buffer, statistics.freeBlocks, at + 8)
  writeInt64(buffer, statistics.freeBlocks, at + 16)
  writeInt64(buffer, statistics.totalFiles, at + 24)
  writeInt64(buffer, statistics.freeFiles, at + 32)
  buffer.writeUInt32LE(statistics.blockSizeBytes, at + 40)
  buffer.writeUInt32LE(statistics.maxNameBytes, at + 44)
  buffer.writeUInt32LE(statistics.blockSizeBytes, at + 48)
}
