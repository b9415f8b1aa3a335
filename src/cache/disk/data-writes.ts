import { closeSync, constants, openSync, renameSync, writeSync } from 'node:fs'
import { type FileHandle, rename } from 'node:fs/promises'
import { ALIGNMENT_BYTES, isAligned } from '../../system/aligned-memory.js'

/** Less goes through the page cache: the disk would be asked too often. */
const LEAST_DIRECT_BYTES = 512 * 1024

/** The way that was slower last is tried again after so many writes. */
const RETRY_AFTER = 64

/** The share of the newest in the running means. */
const NEWEST = 0.25

/** What disks, file systems and systems without /proc answer that can't be passed the page cache by. */
const CANT = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOENT', 'EACCES', 'EPERM'])

type Way = 'direct' | 'buffered'

/**
 * Writes cells to files by the faster of two ways. Past the page cache nothing is copied, and the pages that programs
 * have just read are not held twice; through it a slow disk takes what the kernel has memory for.
 */
export class DataWrites {
  readonly #nowMs: () => number
  /** Of the newest writes; 0 before the first. */
  readonly #msPerByte: Record<Way, number> = { direct: 0, buffered: 0 }
  #sinceRetry = 0
  /** All steps may hold this thread up: it waits for each only once, and for no other thread, where the processor is busy. */
  readonly mayWait: boolean
  #canDirect: boolean

  /** `mayWait`: this thread has nothing else to do. */
  constructor(nowMs: () => number, mayWait: boolean) {
    this.#nowMs = nowMs
    this.mayWait = mayWait
    this.#canDirect = mayWait && constants.O_DIRECT !== undefined
  }

  /** Cells. Rejects with what the disk says. */
  async write(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
    const way = this.#wayFor(bytes, position)
    const beganMs = this.#nowMs()
    if (way === 'direct' && !this.#writeDirect(handle, bytes, position)) return this.write(handle, bytes, position)
    if (way === 'buffered') await this.writeSmall(handle, bytes, position)
    if (bytes.length >= LEAST_DIRECT_BYTES) this.#took(way, (this.#nowMs() - beganMs) / bytes.length)
  }

  /** What is not cells. Rejects with what the disk says. */
  async writeSmall(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
    if (this.mayWait) writeAllSync(handle.fd, bytes, position)
    else await writeAll(handle, bytes, position)
  }

  /** Rejects with what the disk says. */
  async rename(from: string, to: string): Promise<void> {
    if (this.mayWait) renameSync(from, to)
    else await rename(from, to)
  }

  #wayFor(bytes: Uint8Array, position: number): Way {
    const fits = bytes.length % ALIGNMENT_BYTES === 0 && position % ALIGNMENT_BYTES === 0
    if (!this.#canDirect || bytes.length < LEAST_DIRECT_BYTES || !fits || !isAligned(bytes)) return 'buffered'
    const { direct, buffered } = this.#msPerByte
    const best = direct <= buffered || buffered === 0 ? 'direct' : 'buffered'
    this.#sinceRetry += 1
    if (this.#sinceRetry < RETRY_AFTER) return best
    this.#sinceRetry = 0
    return best === 'direct' ? 'buffered' : 'direct'
  }

  #took(way: Way, msPerByte: number): void {
    const mean = this.#msPerByte[way]
    this.#msPerByte[way] = mean === 0 ? msPerByte : mean + (msPerByte - mean) * NEWEST
  }

  /** False: it can't be done here. */
  #writeDirect(handle: FileHandle, bytes: Uint8Array, position: number): boolean {
    try {
      // The same file, also when it has been renamed or removed meanwhile.
      const direct = openSync(`/proc/self/fd/${handle.fd}`, constants.O_WRONLY | constants.O_DIRECT)
      try {
        writeAllSync(direct, bytes, position)
      } finally {
        closeSync(direct)
      }
      return true
    } catch (error) {
      if (!CANT.has((error as NodeJS.ErrnoException).code ?? '')) throw error
      this.#canDirect = false
      return false
    }
  }
}

function writeAllSync(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(descriptor, bytes, done, bytes.length - done, position + done)
}

/** Rejects with what the disk says. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}
