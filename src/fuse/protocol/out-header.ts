import { OUT_HEADER_BYTES } from './layout.js'
import { writeInt64 } from './uint64.js'

/** fuse_out_header. `lengthBytes` counts the header, `error` is 0 or a negative errno. */
export function writeOutHeader(buffer: Buffer, lengthBytes: number, error: number, unique: number): void {
  buffer.writeUInt32LE(lengthBytes, 0)
  buffer.writeInt32LE(error, 4)
  writeInt64(buffer, unique, 8)
}

/** The header of a good answer that consists of these pieces. */
export function headerOf(pieces: readonly Uint8Array[], unique: number): Buffer {
  const header = Buffer.allocUnsafe(OUT_HEADER_BYTES)
  let lengthBytes = OUT_HEADER_BYTES
  for (const piece of pieces) lengthBytes += piece.length
  writeOutHeader(header, lengthBytes, 0, unique)
  return header
}
