import type { BodySource, ObjectStore, ObjectVersion } from '../backend/object-store.js'
import type { Extents } from './extents.js'
import { FsError } from './fs-error.js'
import type { LocalContent } from './local-content.js'

/** What a file that is being written consists of; see `FileWriter` for the invariant. */
export interface WrittenFile {
  readonly content: LocalContent
  /** Ranges that only the store's parts hold. */
  readonly dropped: Extents
  readonly base: ObjectVersion | undefined
  /** Bytes of the base that still count. */
  readonly baseLimit: number
  readonly sizeBytes: number
}

/** A range of a file and where its bytes are. */
export type Piece = { readonly start: number; readonly end: number } & (
  | { readonly kind: 'local' | 'zero' | 'dropped' }
  | { readonly kind: 'base'; readonly version: ObjectVersion }
)

/** Cuts `start..end` (up to the end of the file) into pieces, in order. */
export function piecesOf(file: WrittenFile, start: number, end: number): Piece[] {
  const stop = Math.max(start, Math.min(end, file.sizeBytes))
  return file.content.held
    .split(start, stop)
    .flatMap(piece =>
      piece.isInside
        ? [{ kind: 'local' as const, start: piece.start, end: piece.end }]
        : remotePieces(file, piece.start, piece.end),
    )
}

function remotePieces(file: WrittenFile, start: number, end: number): Piece[] {
  return file.dropped.split(start, end).flatMap((piece): Piece[] => {
    if (piece.isInside) return [{ kind: 'dropped', start: piece.start, end: piece.end }]
    const limit = file.base === undefined ? piece.start : Math.min(Math.max(file.baseLimit, piece.start), piece.end)
    const pieces: Piece[] = []
    if (file.base !== undefined && limit > piece.start)
      pieces.push({ kind: 'base', start: piece.start, end: limit, version: file.base })
    if (limit < piece.end) pieces.push({ kind: 'zero', start: limit, end: piece.end })
    return pieces
  })
}

const CHUNK_BYTES = 1024 * 1024

/** A range of a file as a body to store, of local bytes and zeros: `fetchBase` has made the base's bytes local. */
export function bodyOf(file: WrittenFile, start: number, end: number): BodySource {
  return {
    sizeBytes: end - start,
    open: async function* () {
      for (const piece of piecesOf(file, start, end)) {
        if (piece.kind === 'dropped')
          throw new FsError('EIO', 'bytes that staging had no room for are needed again (--staging-size)')
        if (piece.kind === 'base') throw new FsError('EIO', 'bytes of the base were not fetched')
        for (let at = piece.start; at < piece.end; at += CHUNK_BYTES) {
          const chunkEnd = Math.min(at + CHUNK_BYTES, piece.end)
          yield piece.kind === 'local' ? await file.content.read(at, chunkEnd) : Buffer.alloc(chunkEnd - at)
        }
      }
    },
  }
}

/**
 * Makes the base's bytes of a range local. A body must not read them from the store while it is being sent: it holds a
 * request's slot then, and bodies that wait for each other's slots would wait for ever.
 */
export async function fetchBase(store: ObjectStore, file: WrittenFile, start: number, end: number): Promise<void> {
  for (const piece of piecesOf(file, start, end)) {
    if (piece.kind !== 'base') continue
    const range = { offset: piece.start, lengthBytes: piece.end - piece.start }
    const { body } = await store.get(piece.version.key, { range, ifMatch: piece.version.etag })
    let at = piece.start
    for await (const chunk of body) {
      await file.content.write(at, chunk)
      at += chunk.length
    }
  }
}
