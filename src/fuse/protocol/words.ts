/**
 * Messages as 32-bit words, for those that carry thousands of entries: a store into a typed array is cheap from the first
 * one on, while the methods of Buffer are many steps each until they are compiled. Structures begin at multiples of eight
 * bytes, and the machines that Node runs on are little-endian as the protocol is (layout.ts).
 */
const HALF = 0x1_0000_0000

/** The words of a buffer that begins and ends at multiples of four bytes. */
export function wordsOf(buffer: Buffer): Uint32Array {
  return new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.byteLength / 4)
}

/** A 64-bit field, as in uint64.ts; each store keeps the low 32 bits of what it is given. */
export function putInt64(words: Uint32Array, at: number, value: number): void {
  words[at] = value
  words[at + 1] = Math.floor(value / HALF)
}
