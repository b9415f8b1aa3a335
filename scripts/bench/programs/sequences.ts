/** Places of pieces within a file, each aligned to the length of a piece: always the same, and not in order. */
export function offsets(sizeBytes: number, count: number, pieceBytes: number): readonly number[] {
  const places = Math.floor(sizeBytes / pieceBytes)
  let state = 1
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * places) * pieceBytes
  })
}

/** A name: the run of `#` in the pattern stands for the number, with as many digits. */
export function numbered(pattern: string, number: number): string {
  return pattern.replace(/#+/, digits => String(number).padStart(digits.length, '0'))
}
