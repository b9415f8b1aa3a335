/**
 * 64-bit fields as JavaScript numbers, two 32-bit halves each: no BigInt on the path of every request. Node ids,
 * handles, uniques and offsets stay far below 2^53; what is beyond (`-1` as unsigned) loses its low bits.
 */
const HALF = 0x1_0000_0000

export function readUint64(numbers: DataView, offset: number): number {
  return numbers.getUint32(offset, true) + numbers.getUint32(offset + 4, true) * HALF
}

export function readInt64(numbers: DataView, offset: number): number {
  return numbers.getUint32(offset, true) + numbers.getInt32(offset + 4, true) * HALF
}

/** Writes signed and unsigned values alike, since both are two's complement. */
export function writeInt64(buffer: Buffer, value: number, offset: number): void {
  buffer.writeUInt32LE(value >>> 0, offset)
  buffer.writeUInt32LE(Math.floor(value / HALF) >>> 0, offset + 4)
}
