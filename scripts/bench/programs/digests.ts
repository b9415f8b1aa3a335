import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

export interface FileDigest {
  /** Below the folder; '' for the file itself. */
  readonly path: string
  readonly sizeBytes: number
  readonly crc32: number
}

/** Size and CRC32 of a file, or of all files below a folder, in the order of their paths. */
export function digestsBelow(path: string): readonly FileDigest[] {
  if (!statSync(path).isDirectory()) return [{ path: '', ...digestOf(path) }]
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .toSorted()
    .map(file => ({ path: file.slice(path.length + 1), ...digestOf(file) }))
}

const buffer = Buffer.allocUnsafeSlow(1024 ** 2)

function digestOf(file: string): Omit<FileDigest, 'path'> {
  const descriptor = openSync(file, 'r')
  try {
    let sum = 0
    let sizeBytes = 0
    for (let bytes = readSync(descriptor, buffer); bytes > 0; bytes = readSync(descriptor, buffer)) {
      sum = crc32(buffer.subarray(0, bytes), sum)
      sizeBytes += bytes
    }
    return { sizeBytes, crc32: sum }
  } finally {
    closeSync(descriptor)
  }
}
