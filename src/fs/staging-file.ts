import { type FileHandle, open } from 'node:fs/promises'
import { punchHole } from '../system/fallocate.js'
import { tryLockExclusive } from '../system/flock.js'
import { type Extent, Extents } from './extents.js'
import { FsError } from './fs-error.js'
import type { Lent } from './lent.js'
import { StagedWrites } from './staged-writes.js'
import { type Placed, WriteBehind } from './write-behind.js'
import type { WritePace } from './write-pace.js'

/** What bounds all staging files together. */
export interface StagingSpace {
  /** False: the bound is reached. */
  reserve(sizeBytes: number): boolean
  giveBack(sizeBytes: number): void
  /** Of the disk that they are on. */
  readonly pace: WritePace
}

/** A sparse file of one writer. Only `held` ranges mean anything. */
export class StagingFile {
  readonly id: string
  readonly path: string
  readonly held = new Extents()
  readonly #space: StagingSpace
  readonly #handle: FileHandle
  readonly #writes: StagedWrites
  /** Forgotten, but their bytes are there still, for who was reading them: their room is given back after that. */
  readonly #forgotten = new Extents()
  /** Held, and perhaps not in the file yet. */
  readonly #behind = new WriteBehind(
    (pieces, offset) => this.#writePieces(pieces, offset),
    () => this.#tryPunch(),
  )
  #reads = 0
  #heldBytes = 0
  #isClosed = false

  constructor(space: StagingSpace, id: string, path: string, handle: FileHandle) {
    this.#space = space
    this.id = id
    this.path = path
    this.#handle = handle
    this.#writes = new StagedWrites(path, handle, space.pace)
    // Tells drivers that start with the same state folder that the file's writer lives.
    tryLockExclusive(handle.fd)
  }

  /** ENOSPC where the bound of the area or the disk is reached; then nothing of it counts as held. */
  async write(offset: number, data: Uint8Array): Promise<void> {
    await this.flush()
    const end = offset + data.length
    const missing = this.held.split(offset, end).filter(piece => !piece.isInside)
    const newBytes = this.#reserve(missing)
    try {
      await this.#writePieces([data], offset)
    } catch (error) {
      this.#space.giveBack(newBytes)
      // Some of it may have been written.
      for (const piece of missing) this.#forgotten.add(piece.start, piece.end)
      throw error
    }
    this.#heldBytes += newBytes
    this.held.add(offset, end)
  }

  /**
   * The same without waiting for the disk: the bytes, which follow each other, are held where they are until they are
   * in the file. ENOSPC where there is no room for them, or for earlier ones; then these do not count as held.
   */
  async writeBehind(offset: number, pieces: readonly Lent[]): Promise<void> {
    if (this.#behind.hasFailed) await this.flush()
    const end = pieces.reduce((at, { bytes }) => at + bytes.length, offset)
    this.#heldBytes += this.#reserve(this.held.split(offset, end).filter(piece => !piece.isInside))
    this.held.add(offset, end)
    let at = offset
    for (const piece of pieces) {
      this.#behind.add(at, piece)
      at += piece.bytes.length
    }
  }

  /** Resolves when everything held is in the file; ENOSPC where that fails. It stays held all the same. */
  flush(): Promise<void> {
    return this.#behind.flush()
  }

  /** Resolves when nothing is being written. */
  settled(): Promise<void> {
    return this.#behind.settled()
  }

  #reserve(missing: readonly Extent[]): number {
    const newBytes = missing.reduce((sum, piece) => sum + piece.end - piece.start, 0)
    if (!this.#space.reserve(newBytes)) throw outOfSpace('the staging folder is full (--staging-size)')
    return newBytes
  }

  async #writePieces(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    const sizeBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    this.#forgotten.remove(offset, offset + sizeBytes)
    try {
      await this.#writes.write(pieces, offset)
    } catch (cause) {
      throw outOfSpace('the disk of the state folder is full or failing (--state-dir)', cause)
    }
  }

  /** Bytes of a range that is held now; what is dropped meanwhile is read all the same. */
  async read(offset: number, sizeBytes: number): Promise<Buffer> {
    this.#reads += 1
    try {
      return await this.#read(offset, sizeBytes)
    } finally {
      this.#reads -= 1
      this.#tryPunch()
    }
  }

  #tryPunch(): void {
    try {
      if (this.#isQuiet) this.#punch()
    } catch {
      // What is held is right all the same; the next `sync` says that the disk fails.
    }
  }

  async #read(offset: number, sizeBytes: number): Promise<Buffer> {
    const end = offset + sizeBytes
    const buffer = Buffer.allocUnsafe(sizeBytes)
    const unwritten = this.#behind.hold(offset, end)
    try {
      const unwrittenRanges = new Extents()
      for (const piece of unwritten.pieces) unwrittenRanges.add(piece.offset, piece.offset + piece.bytes.length)
      if (!unwrittenRanges.covers(offset, end)) {
        const readBytes = await this.#readFile(buffer, offset)
        buffer.fill(0, readBytes)
        // It is short where it was truncated while it was being read, and where the rest is not written yet.
        if (!unwrittenRanges.covers(offset + readBytes, end) && this.held.covers(offset, end))
          throw new FsError('EIO', `the staging file ${this.path} is shorter than it should be`)
      }
      for (const piece of unwritten.pieces) overlay(buffer, offset, piece)
      return buffer
    } finally {
      unwritten.release()
    }
  }

  /** How many bytes there are. */
  async #readFile(buffer: Buffer, offset: number): Promise<number> {
    let done = 0
    while (done < buffer.length) {
      const { bytesRead } = await this.#handle.read(buffer, done, buffer.length - done, offset + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return done
  }

  /** Forgets all from `sizeBytes` on. */
  async truncate(sizeBytes: number): Promise<void> {
    this.held.remove(sizeBytes, Number.MAX_SAFE_INTEGER)
    this.#forgotten.remove(sizeBytes, Number.MAX_SAFE_INTEGER)
    this.#behind.cut(sizeBytes, Number.MAX_SAFE_INTEGER)
    await this.#behind.settled()
    await this.#handle.truncate(sizeBytes)
    this.#settle()
  }

  /** Forgets a range and gives its disk space back. */
  drop(start: number, end: number): void {
    this.#forgotten.add(start, end)
    this.#behind.cut(start, end)
    this.held.remove(start, end)
    this.#settle()
    this.#tryPunch()
  }

  /** What is not held reads as zeros from here on. Where some bytes can't be written the others are on the disk. */
  async sync(): Promise<void> {
    try {
      await this.flush()
    } finally {
      this.#punch()
      await this.#handle.datasync()
    }
  }

  /** Forgets what the disk does not take; says what that is. */
  async forgetUnwritten(): Promise<readonly Extent[]> {
    try {
      await this.flush()
      return []
    } catch {
      const unwritten = this.#behind.hold(0, Number.MAX_SAFE_INTEGER)
      const ranges = unwritten.pieces.map(({ offset, bytes }) => ({ start: offset, end: offset + bytes.length }))
      unwritten.release()
      for (const { start, end } of ranges) this.drop(start, end)
      return ranges
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#space.giveBack(this.#heldBytes)
    await this.#behind.end()
    await this.#writes.close()
  }

  /** Nobody reads or writes at this moment what may have been forgotten. */
  get #isQuiet(): boolean {
    return this.#reads === 0 && !this.#behind.isWriting
  }

  #punch(): void {
    if (this.#isClosed) return
    for (const { start, end } of this.#forgotten.ranges) punchHole(this.#handle.fd, start, end - start)
    this.#forgotten.clear()
  }

  #settle(): void {
    const heldBytes = this.held.totalBytes
    this.#space.giveBack(this.#heldBytes - heldBytes)
    this.#heldBytes = heldBytes
  }
}

/** Puts a piece over the bytes in `buffer`, which begins at `start`. */
function overlay(buffer: Buffer, start: number, { offset, bytes }: Placed): void {
  const from = Math.max(start, offset)
  const to = Math.min(start + buffer.length, offset + bytes.length)
  buffer.set(bytes.subarray(from - offset, to - offset), from - start)
}

export function outOfSpace(message: string, cause?: unknown): FsError {
  return new FsError('ENOSPC', message, cause)
}

/** A driver that was detached from its mount point (`umount -l`) may still be storing the file. */
export async function isLocked(path: string): Promise<boolean> {
  const handle = await open(path, 'r')
  try {
    return !tryLockExclusive(handle.fd)
  } finally {
    await handle.close()
  }
}
