import type { BodySource, ObjectVersion } from '../backend/object-store.js'
import type { Extent, Extents } from './extents.js'
import { FsError } from './fs-error.js'
import type { LocalContent } from './local-content.js'
import type { RemoteRange, RemoteRanges } from './remote-ranges.js'

/** What a file that is being written consists of; see `FileData` for the invariant. */
export interface WrittenFile {
  readonly content: LocalContent
  /** Ranges that only the store's parts hold. */
  readonly dropped: Extents
  readonly remote: RemoteRanges
  /** The version that is edited; undefined for a new file. */
  readonly base: ObjectVersion | undefined
  readonly sizeBytes: number
}

/** A range of a file and where its bytes are. */
export type Piece =
  | (Extent & { readonly kind: 'local' | 'zero' | 'dropped' })
  | (RemoteRange & { readonly kind: 'remote' })

/** Cuts `start..end` (up to the end of the file) into pieces, in order. */
export function piecesOf(file: WrittenFile, start: number, end: number): Piece[] {
  const stop = Math.max(start, Math.min(end, file.sizeBytes))
  return file.content.held
    .split(start, stop)
    .flatMap(piece =>
      piece.isInside
        ? [{ kind: 'local' as const, start: piece.start, end: piece.end }]
        : storedPieces(file, piece.start, piece.end),
    )
}

function storedPieces(file: WrittenFile, start: number, end: number): Piece[] {
  return file.dropped
    .split(start, end)
    .flatMap((piece): Piece[] =>
      piece.isInside
        ? [{ kind: 'dropped', start: piece.start, end: piece.end }]
        : file.remote
            .split(piece.start, piece.end)
            .map(range => ('version' in range ? { kind: 'remote', ...range } : { kind: 'zero', ...range })),
    )
}

/** lseek(2) with SEEK_DATA or SEEK_HOLE: only zeros that nobody wrote are a hole, and what lies behind the end. */
export function seekIn(file: WrittenFile, offset: number, what: 'data' | 'hole'): number {
  if (offset >= file.sizeBytes) throw new FsError('ENXIO', 'behind the end of the file')
  const found = piecesOf(file, offset, file.sizeBytes).find(piece => (piece.kind === 'zero') === (what === 'hole'))
  if (found === undefined && what === 'data') throw new FsError('ENXIO', 'no data follows')
  return found?.start ?? file.sizeBytes
}

/** The same for a stored object: it is all data. */
export function seekStored(sizeBytes: number, offset: number, what: 'data' | 'hole'): number {
  if (offset >= sizeBytes) throw new FsError('ENXIO', 'behind the end of the file')
  return what === 'data' ? offset : sizeBytes
}

const CHUNK_BYTES = 256 * 1024

/** A range of a file as a body to store, of local bytes and zeros: `fetchRemote` has made the others local. */
export function bodyOf(file: WrittenFile, start: number, end: number): BodySource {
  return {
    sizeBytes: end - start,
    open: async function* () {
      for (const piece of piecesOf(file, start, end)) {
        if (piece.kind === 'dropped')
          throw new FsError('EIO', 'bytes that staging had no room for are needed again (--staging-size)')
        if (piece.kind === 'remote') throw new FsError('EIO', 'bytes of a stored object were not fetched')
        for (let at = piece.start; at < piece.end; at += CHUNK_BYTES) {
          const chunkEnd = Math.min(at + CHUNK_BYTES, piece.end)
          yield piece.kind === 'local' ? await file.content.read(at, chunkEnd) : Buffer.alloc(chunkEnd - at)
        }
      }
    },
  }
}
