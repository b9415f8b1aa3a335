import { type FileHandle, open } from 'node:fs/promises'
import { punchHole } from '../system/fallocate.js'
import { tryLockExclusive } from '../system/flock.js'
import { Extents } from './extents.js'
import { FsError } from './fs-error.js'

/** What bounds all staging files together. */
export interface StagingSpace {
  /** False: the bound is reached. */
  reserve(sizeBytes: number): boolean
  giveBack(sizeBytes: number): void
}

/** A sparse file of one writer. Only `held` ranges mean anything. */
export class StagingFile {
  readonly id: string
  readonly path: string
  readonly held = new Extents()
  readonly #space: StagingSpace
  readonly #handle: FileHandle
  /** Forgotten, but their bytes are there still, for who was reading them: their room is given back after that. */
  readonly #forgotten = new Extents()
  #reads = 0
  #heldBytes = 0
  #isClosed = false

  constructor(space: StagingSpace, id: string, path: string, handle: FileHandle) {
    this.#space = space
    this.id = id
    this.path = path
    this.#handle = handle
    // Tells drivers that start with the same state folder that the file's writer lives.
    tryLockExclusive(handle.fd)
  }

  /** ENOSPC where the bound of the area or the disk is reached; then nothing of it counts as held. */
  async write(offset: number, data: Uint8Array): Promise<void> {
    const end = offset + data.length
    const missing = this.held.split(offset, end).filter(piece => !piece.isInside)
    const newBytes = missing.reduce((sum, piece) => sum + piece.end - piece.start, 0)
    if (!this.#space.reserve(newBytes)) throw outOfSpace('the staging folder is full (--staging-size)')
    this.#forgotten.remove(offset, end)
    try {
      for (let done = 0; done < data.length; ) {
        const { bytesWritten } = await this.#handle.write(data, done, data.length - done, offset + done)
        done += bytesWritten
      }
    } catch (cause) {
      this.#space.giveBack(newBytes)
      // Some of it may have been written.
      for (const piece of missing) this.#forgotten.add(piece.start, piece.end)
      throw outOfSpace('the disk of the state folder is full or failing (--state-dir)', cause)
    }
    this.#heldBytes += newBytes
    this.held.add(offset, end)
  }

  /** Bytes of a range that is held now; what is dropped meanwhile is read all the same. */
  async read(offset: number, sizeBytes: number): Promise<Buffer> {
    this.#reads += 1
    try {
      return await this.#read(offset, sizeBytes)
    } finally {
      this.#reads -= 1
      if (this.#reads === 0) this.#tryPunch()
    }
  }

  #tryPunch(): void {
    try {
      this.#punch()
    } catch {
      // What was read is right all the same; the next `drop` or `sync` says that the disk fails.
    }
  }

  async #read(offset: number, sizeBytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(sizeBytes)
    for (let done = 0; done < sizeBytes; ) {
      const { bytesRead } = await this.#handle.read(buffer, done, sizeBytes - done, offset + done)
      if (bytesRead === 0) {
        if (this.held.covers(offset, offset + sizeBytes))
          throw new FsError('EIO', `the staging file ${this.path} is shorter than it should be`)
        // The file was truncated while it was being read.
        buffer.fill(0, done)
        return buffer
      }
      done += bytesRead
    }
    return buffer
  }

  /** Forgets all from `sizeBytes` on. */
  async truncate(sizeBytes: number): Promise<void> {
    this.held.remove(sizeBytes, Number.MAX_SAFE_INTEGER)
    this.#forgotten.remove(sizeBytes, Number.MAX_SAFE_INTEGER)
    await this.#handle.truncate(sizeBytes)
    this.#settle()
  }

  /** Forgets a range and gives its disk space back. */
  drop(start: number, end: number): void {
    this.#forgotten.add(start, end)
    if (this.#reads === 0) this.#punch()
    this.held.remove(start, end)
    this.#settle()
  }

  /** What is not held reads as zeros from here on. */
  async sync(): Promise<void> {
    this.#punch()
    await this.#handle.datasync()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#space.giveBack(this.#heldBytes)
    await this.#handle.close()
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
