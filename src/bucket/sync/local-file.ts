import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import type { BodySource } from '../../backend/object-store.js'
import { StoreError } from '../../backend/store-error.js'

export const READ_BYTES = 256 * 1024

/** What a file is as long as nobody changes it. */
export function identityOf(stats: BigIntStats): string {
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join('-')
}

/** A file, never what a symbolic link leads to. */
export function openFile(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
}

/**
 * The bytes of a range of a file, into the one buffer given: what was yielded is overwritten by the next. Ends early
 * where the file does.
 */
export async function* readInto(
  buffer: Uint8Array,
  handle: FileHandle,
  offset: number,
  lengthBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = offset; at < offset + lengthBytes; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.byteLength, offset + lengthBytes - at), at)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
    at += bytesRead
  }
}

/** A range of a file with the checksum that it had when it was looked at first. */
export interface CheckedRange {
  readonly path: string
  readonly offset: number
  readonly sizeBytes: number
  readonly crc32: number
}

/**
 * The bytes of a range to send. The last of them are only given when all are those that the checksum is of: a store never
 * receives the whole of a range that was changed meanwhile. `onBytes` is told of bytes as they go, with a negative number
 * where a try is given up.
 */
export function checkedSource(range: CheckedRange, key: string, onBytes: (bytes: number) => void): BodySource {
  let countedBytes = 0
  return {
    sizeBytes: range.sizeBytes,
    open: () => {
      onBytes(-countedBytes)
      countedBytes = 0
      return checkedBytes(range, key, bytes => {
        countedBytes += bytes
        onBytes(bytes)
      })
    },
  }
}

async function* checkedBytes(
  { path, offset, sizeBytes, crc32: expected }: CheckedRange,
  key: string,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const handle = await openFile(path)
  try {
    let sum = 0
    let seenBytes = 0
    while (seenBytes < sizeBytes) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, sizeBytes - seenBytes))
      const { bytesRead } = await handle.read(buffer, 0, buffer.byteLength, offset + seenBytes)
      if (bytesRead === 0) throw changedError(path, key)
      const chunk = buffer.subarray(0, bytesRead)
      sum = crc32(chunk, sum)
      seenBytes += bytesRead
      if (seenBytes === sizeBytes && sum !== expected) throw changedError(path, key)
      yield chunk
      onBytes(bytesRead)
    }
  } finally {
    await handle.close()
  }
}

/** What a transfer of a file fails with that is written meanwhile. */
export function changedError(path: string, key: string): StoreError {
  return new StoreError('precondition-failed', `${path} was changed while it was read`, { key, code: CHANGED })
}

const CHANGED = 'FileChanged'
