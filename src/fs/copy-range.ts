import type { ObjectVersion } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import { sourceChanged } from './fetch-remote.js'
import type { FileWriter } from './file-writer.js'
import { FsError } from './fs-error.js'
import { leaverOf } from './mutex.js'
import { type Piece, piecesOf, type WrittenFile } from './pieces.js'
import type { Reader } from './reader.js'
import { isSameObject } from './remote-ranges.js'

export interface RangeCopy {
  /** What the source is at this moment: a file that is being written, a stored version, or nothing. */
  readonly source: () => WrittenFile | ObjectVersion | undefined
  readonly sourceOffset: number
  readonly target: FileWriter
  readonly targetOffset: number
  readonly sizeBytes: number
  readonly reader: Pick<Reader, 'readBytes'>
  readonly signal: AbortSignal
}

const CHUNK_BYTES = 1024 * 1024

/**
 * copy_file_range(2) between files of the mount, and within one where the ranges are apart: what stored objects hold
 * is copied on the server when the target is stored, where that is worth it; holes stay holes. Resolves with the bytes
 * copied: fewer than asked for at the end of the source, or where something failed behind them.
 */
export async function copyRange(copy: RangeCopy): Promise<number> {
  // Where the file is copied into itself its end moves.
  const sizeBytes = Math.min(copy.sizeBytes, (copy.source()?.sizeBytes ?? 0) - copy.sourceOffset)
  let doneBytes = 0
  while (doneBytes < sizeBytes) {
    const piece = firstPiece(copy, doneBytes, sizeBytes)
    if (piece === undefined) break
    try {
      if (copy.signal.aborted) throw new FsError('EINTR', 'the calling program is being killed')
      const isThere = () => isSamePlace(piece, firstPiece(copy, doneBytes, sizeBytes))
      doneBytes += await copyPiece(copy, piece, copy.targetOffset + doneBytes, isThere)
    } catch (error) {
      if (isOutdated(error, piece, firstPiece(copy, doneBytes, sizeBytes))) continue
      // What follows is asked for again, and fails then.
      if (doneBytes > 0) break
      throw piece.kind === 'remote' ? sourceChanged(error, piece.version, undefined) : error
    }
  }
  return doneBytes
}

/** The source as it is now, from where the copy has come to: the first piece of it. */
function firstPiece({ source, sourceOffset }: RangeCopy, doneBytes: number, sizeBytes: number): Piece | undefined {
  const now = source()
  const start = sourceOffset + doneBytes
  const end = sourceOffset + sizeBytes
  if (now === undefined) return undefined
  if ('content' in now) return piecesOf(now, start, end)[0]
  const stop = Math.min(end, now.sizeBytes)
  return start < stop ? { kind: 'remote', start, end: stop, version: now, offset: start } : undefined
}

/** Returns how many bytes of the piece are copied. */
async function copyPiece(copy: RangeCopy, piece: Piece, to: number, isThere: () => boolean): Promise<number> {
  const { target, signal } = copy
  const pieceBytes = piece.end - piece.start
  if (piece.kind === 'zero') {
    await target.allocate(to, pieceBytes, { kind: 'zero', keepSize: false }, leaverOf(signal))
    return pieceBytes
  }
  if (piece.kind === 'remote') {
    const { version, offset } = piece
    if (await target.borrow(to, pieceBytes, version, offset, { leaver: leaverOf(signal), isThere })) return pieceBytes
  }
  const chunk = await readChunk(copy, piece, Math.min(pieceBytes, CHUNK_BYTES))
  await target.write(to, chunk, leaverOf(signal))
  return chunk.length
}

async function readChunk({ source, reader, signal }: RangeCopy, piece: Piece, sizeBytes: number): Promise<Uint8Array> {
  if (piece.kind === 'remote') return reader.readBytes(piece.version, piece.offset, sizeBytes, signal)
  const now = source()
  if (piece.kind !== 'local' || now === undefined || !('content' in now))
    throw new FsError('EIO', 'these bytes are only in the parts of an upload: staging had no room (--staging-size)')
  const use = now.content.use()
  try {
    // A copy, since the source may be the target.
    return Uint8Array.from(await now.content.read(piece.start, piece.start + sizeBytes))
  } finally {
    await use.done()
  }
}

/** This mount has stored the source anew, or written over the piece: it is found elsewhere now. */
function isOutdated(error: unknown, before: Piece, now: Piece | undefined): boolean {
  if (before.kind !== 'remote' || !isStoreError(error, 'precondition-failed', 'not-found')) return false
  return !isSamePlace(before, now)
}

function isSamePlace(before: Piece, now: Piece | undefined): boolean {
  return before.kind === 'remote' && now?.kind === 'remote' && isSameObject(before.version, now.version)
}
