import type { BigIntStats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { throwIfAborted } from '../backend/call.js'
import type { BodySource } from '../backend/object-store.js'
import { isStoreError, StoreError, type StoreErrorKind } from '../backend/store-error.js'
import { identityOf } from './sync/local-file.js'

/** What the errors of the local disk mean to whoever asked for a transfer. */
const MEANINGS: Readonly<Record<string, readonly [StoreErrorKind, string]>> = {
  ENOENT: ['not-found', 'there is no such file or folder'],
  ENOTDIR: ['invalid', 'a part of the path is no folder'],
  EISDIR: ['invalid', 'it is a folder'],
  EEXIST: ['exists', 'it is there already'],
  EACCES: ['denied', 'permission denied'],
  EPERM: ['denied', 'permission denied'],
  EROFS: ['denied', 'the disk may only be read'],
  ENAMETOOLONG: ['invalid', 'the name is too long'],
  ELOOP: ['invalid', 'too many symbolic links'],
  ENOSPC: ['unavailable', 'the disk is full'],
  EDQUOT: ['unavailable', 'the quota of the disk is used up'],
}

/** A failure on the local disk as a StoreError that names the path; `code` is the errno name. */
export function localError(error: unknown, path: string, operation: string): StoreError {
  if (isStoreError(error)) return error
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const message = error instanceof Error ? error.message : String(error)
  const [kind, meaning] = MEANINGS[code ?? ''] ?? (['unavailable', message] as const)
  return new StoreError(kind, `${path}: ${meaning}`, {
    cause: error,
    operation,
    retryable: false,
    ...(code !== undefined && { code }),
  })
}

/** Runs a call on the local disk; all that it throws is a StoreError then. */
export async function onLocalDisk<T>(path: string, operation: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw localError(error, path, operation)
  }
}

const READ_BYTES = 256 * 1024

/** A file that is read to be stored, as it was when it was opened. */
export class SourceFile {
  readonly path: string
  readonly #handle: FileHandle
  readonly #stats: BigIntStats

  private constructor(path: string, handle: FileHandle, stats: BigIntStats) {
    this.path = path
    this.#handle = handle
    this.#stats = stats
  }

  /** Rejects with `invalid` for a folder. */
  static open(path: string): Promise<SourceFile> {
    return onLocalDisk(path, 'put', async () => {
      const handle = await open(path)
      try {
        const stats = await handle.stat({ bigint: true })
        if (stats.isDirectory())
          throw new StoreError('invalid', `${path}: it is a folder (put-dir, putFolder)`, { code: 'EISDIR' })
        return new SourceFile(path, handle, stats)
      } catch (error) {
        await handle.close()
        throw error
      }
    })
  }

  /** False for pipes and devices: how much they hold is known when they end. */
  get isRegular(): boolean {
    return this.#stats.isFile()
  }

  get sizeBytes(): number {
    return Number(this.#stats.size)
  }

  /** What it is as long as nobody changes it. */
  get identity(): string {
    return identityOf(this.#stats)
  }

  /** The first bytes, at most so many. */
  head(maxBytes: number): Promise<Uint8Array> {
    return onLocalDisk(this.path, 'put', async () => {
      const { buffer, bytesRead } = await this.#handle.read(Buffer.alloc(maxBytes), 0, maxBytes, 0)
      return buffer.subarray(0, bytesRead)
    })
  }

  /** A part of the file as a body that can be sent again. */
  range(offset: number, lengthBytes: number): BodySource {
    return { sizeBytes: lengthBytes, open: () => this.#read(offset, lengthBytes) }
  }

  /** All that a pipe or device gives, once. */
  stream(): AsyncIterable<Uint8Array> {
    return this.#handle.createReadStream({ autoClose: false })
  }

  /** Rejects with `invalid` when the file has changed since it was opened: what was read may be of several versions. */
  async checkUnchanged(): Promise<void> {
    const stats = await onLocalDisk(this.path, 'put', () => this.#handle.stat({ bigint: true }))
    if (identityOf(stats) === this.identity) return
    throw new StoreError('invalid', `${this.path}: the file was changed while it was read`, { operation: 'put' })
  }

  /** Calls `use` with all bytes in order. */
  async readAll(use: (bytes: Uint8Array) => void, signal: AbortSignal | undefined): Promise<void> {
    for await (const chunk of this.#read(0, this.sizeBytes)) {
      throwIfAborted(signal, 'put')
      use(chunk)
    }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  async *#read(offset: number, lengthBytes: number): AsyncGenerator<Uint8Array> {
    for (let done = 0; done < lengthBytes; ) {
      const size = Math.min(READ_BYTES, lengthBytes - done)
      const at = offset + done
      const { buffer, bytesRead } = await onLocalDisk(this.path, 'put', () =>
        this.#handle.read(Buffer.allocUnsafe(size), 0, size, at),
      )
      if (bytesRead === 0)
        throw new StoreError('invalid', `${this.path}: the file became shorter while it was read`, { operation: 'put' })
      done += bytesRead
      // Without its last bytes no body is stored.
      if (done === lengthBytes) await this.checkUnchanged()
      yield buffer.subarray(0, bytesRead)
    }
  }
}
