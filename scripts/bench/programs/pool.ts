const POOL_BYTES = 16 * 1024 ** 2

/** Bytes that nothing compresses and no driver has seen before: xorshift32 (G. Marsaglia, "Xorshift RNGs", 2003). */
export function pseudoRandomPool(): Buffer {
  const words = new Uint32Array(POOL_BYTES / 4)
  let state = 0x2545f491
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  return Buffer.from(words.buffer)
}
