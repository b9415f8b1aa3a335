/** Bytes that differ from place to place, so that a shift shows. */
export function pattern(sizeBytes: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(sizeBytes)
  for (let i = 0; i + 4 <= sizeBytes; i += 4) bytes.writeUInt32LE(((i + seed) * 2654435761) >>> 0, i)
  return bytes
}
