import type { Attributes, FilesystemStatistics, Timestamp } from '../../fs/operations.js'

const MAX_UINT32 = 0xffff_ffff

/** st_blksize: the unit in which stdio, Python and others write. Each of their writes is one request. */
const PREFERRED_TRANSFER_BYTES = 128 << 10

/** What the package's `getattr` answers with: times in milliseconds, everything but sizes in 32 bits. */
export function statFields(attributes: Attributes): Readonly<Record<string, number>> {
  const { mode, uid, gid, nlink, rdev, sizeBytes } = attributes
  return {
    mode,
    uid,
    gid,
    nlink,
    rdev,
    size: sizeBytes,
    blocks: Math.ceil(sizeBytes / 512),
    blksize: PREFERRED_TRANSFER_BYTES,
    atime: milliseconds(attributes.atime),
    mtime: milliseconds(attributes.mtime),
    ctime: milliseconds(attributes.ctime),
  }
}

/** The counts have 32 bits, so the block grows until they fit. */
export function statfsFields(statistics: FilesystemStatistics): Readonly<Record<string, number>> {
  let scale = 1
  while (statistics.totalBlocks / scale > MAX_UINT32) scale *= 2
  const blockSizeBytes = statistics.blockSizeBytes * scale
  const freeBlocks = Math.floor(statistics.freeBlocks / scale)
  const freeFiles = Math.min(statistics.freeFiles, MAX_UINT32)
  return {
    bsize: blockSizeBytes,
    frsize: blockSizeBytes,
    blocks: Math.floor(statistics.totalBlocks / scale),
    bfree: freeBlocks,
    bavail: freeBlocks,
    files: Math.min(statistics.totalFiles, MAX_UINT32),
    ffree: freeFiles,
    favail: freeFiles,
    namemax: statistics.maxNameBytes,
  }
}

/** The package has no times before 1970. */
function milliseconds({ seconds, nanoseconds }: Timestamp): number {
  return Math.max(0, seconds * 1000 + Math.floor(nanoseconds / 1e6))
}
