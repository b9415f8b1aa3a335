/**
 * A body whose checksum follows it, since it is made while the body is read: chunks and a trailer as in "Signature
 * calculations for trailing headers" (Amazon S3 API Reference), without signatures of the chunks.
 */
import { crc32 } from 'node:zlib'

export const CHUNKED_HASH = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'

/** AWS wants 8 KiB at least. All but the last are as long, so that the length of the whole is known beforehand. */
const CHUNK_BYTES = 128 * 1024
const TRAILER_NAME = 'x-amz-checksum-crc32'
const LINE_END_BYTES = 2
/** Four bytes in base64. */
const SUM_BYTES = 8

export function chunkedSizeBytes(sizeBytes: number): number {
  const framed = (bytes: number) => sizeLine(bytes).length + bytes + LINE_END_BYTES
  const lastBytes = sizeBytes % CHUNK_BYTES
  const full = Math.floor(sizeBytes / CHUNK_BYTES) * framed(CHUNK_BYTES)
  const trailerBytes = `0\r\n${TRAILER_NAME}:`.length + SUM_BYTES + 2 * LINE_END_BYTES
  return full + (lastBytes === 0 ? 0 : framed(lastBytes)) + trailerBytes
}

/** The bytes are passed on as they come, cut where a chunk ends. `source` must give `sizeBytes` bytes or throw. */
export async function* chunksWithChecksum(
  source: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): AsyncGenerator<Uint8Array> {
  let leftBytes = sizeBytes
  let chunkLeftBytes = 0
  let sum = 0
  for await (const piece of source) {
    sum = crc32(piece, sum)
    for (let at = 0; at < piece.byteLength; ) {
      if (chunkLeftBytes === 0) {
        chunkLeftBytes = Math.min(CHUNK_BYTES, leftBytes)
        yield Buffer.from(sizeLine(chunkLeftBytes))
      }
      const part = piece.subarray(at, at + chunkLeftBytes)
      yield part
      at += part.byteLength
      leftBytes -= part.byteLength
      chunkLeftBytes -= part.byteLength
      if (chunkLeftBytes === 0) yield Buffer.from('\r\n')
    }
  }
  yield Buffer.from(`0\r\n${TRAILER_NAME}:${base64Sum(sum)}\r\n\r\n`)
}

function sizeLine(bytes: number): string {
  return `${bytes.toString(16)}\r\n`
}

/** The four bytes of a CRC32 in network order, in base64: the form of x-amz-checksum-crc32. */
export function base64Sum(sum: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(sum)
  return bytes.toString('base64')
}
