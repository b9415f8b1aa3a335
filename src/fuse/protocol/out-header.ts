import { OUT_HEADER_BYTES } from './layout.js'
import { putInt64, wordsOf } from './words.js'

/** fuse_out_header. `lengthBytes` counts the header, `error` is 0 or a negative errno. */
export function putOutHeader(words: Uint32Array, lengthBytes: number, error: number, unique: number): void {
  words[0] = lengthBytes
  words[1] = error
  putInt64(words, 2, unique)
}

/** The header of a good answer that consists of these pieces. */
export function headerOf(pieces: readonly Uint8Array[], unique: number): Buffer {
  const header = Buffer.allocUnsafe(OUT_HEADER_BYTES)
  let lengthBytes = OUT_HEADER_BYTES
  for (const piece of pieces) lengthBytes += piece.length
  putOutHeader(wordsOf(header), lengthBytes, 0, unique)
  return header
}
