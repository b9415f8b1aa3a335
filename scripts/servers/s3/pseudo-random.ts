/** Of what `pseudoRandomPool` gives. */
export const POOL_BYTES = 16 * 1024 ** 2

/** Bytes that nothing compresses, others for each seed: xorshift32 (G. Marsaglia, "Xorshift RNGs", 2003). */
export function pseudoRandomPool(seed: number): Buffer {
  const words = new Uint32Array(POOL_BYTES / 4)
  let state = seed
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  return Buffer.from(words.buffer)
}
