import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { ALIGNMENT_BYTES, isAligned } from '../system/aligned-memory.js'
import type { WritePace } from './write-pace.js'

/** Writes to one file, through the page cache or past it. One at a time. */
export class StagedWrites {
  readonly #path: string
  readonly #handle: FileHandle
  readonly #pace: WritePace
  /** The same file, opened for direct writes; undefined until it is needed. */
  #direct: FileHandle | undefined
  /** Some disks, and all on macOS, take no direct writes. */
  #mayBeDirect = constants.O_DIRECT !== undefined

  constructor(path: string, handle: FileHandle, pace: WritePace) {
    this.#path = path
    this.#handle = handle
    this.#pace = pace
  }

  /** Puts all pieces behind each other at `offset`. Where it rejects, some of them may be there. */
  async write(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    const sizeBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    const isFit = this.#mayBeDirect && offset % ALIGNMENT_BYTES === 0 && pieces.every(isFitPiece)
    if (isFit && this.#pace.choose(sizeBytes) === 'direct' && (await this.#tryDirect(pieces, offset, sizeBytes))) return
    await this.#pace.measure('cached', sizeBytes, () => writeAll(this.#handle, pieces, offset))
  }

  async close(): Promise<void> {
    try {
      await this.#direct?.close()
    } finally {
      await this.#handle.close()
    }
  }

  /** False: the page cache may take it all the same, or say what is wrong. */
  async #tryDirect(pieces: readonly Uint8Array[], offset: number, sizeBytes: number): Promise<boolean> {
    try {
      this.#direct ??= await open(this.#path, constants.O_WRONLY | constants.O_DIRECT)
      const handle = this.#direct
      await this.#pace.measure('direct', sizeBytes, () => writeAll(handle, pieces, offset))
      return true
    } catch {
      // As said above.
      this.#mayBeDirect = false
      return false
    }
  }
}

function isFitPiece(piece: Uint8Array): boolean {
  return piece.length % ALIGNMENT_BYTES === 0 && isAligned(piece)
}

async function writeAll(handle: FileHandle, pieces: readonly Uint8Array[], offset: number): Promise<void> {
  let left = pieces
  for (let at = offset; left.length > 0; ) {
    const { bytesWritten } = await handle.writev(left, at)
    at += bytesWritten
    left = behind(left, bytesWritten)
  }
}

/** What is left of the pieces behind the first `bytes` bytes. */
function behind(pieces: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let passed = bytes
  return pieces.flatMap(piece => {
    const skipped = Math.min(passed, piece.length)
    passed -= skipped
    return skipped < piece.length ? [piece.subarray(skipped)] : []
  })
}
