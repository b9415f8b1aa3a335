/** One block of zeros that stands for all zeros of all objects. */
const ZEROS = Buffer.alloc(4 * 1024 ** 2)

/** The bytes of an object or part: pieces of memory that are never changed, so that copies share them. */
export class Content {
  readonly pieces: readonly Buffer[]
  readonly sizeBytes: number

  constructor(pieces: readonly Buffer[]) {
    this.pieces = pieces
    this.sizeBytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
  }

  static zeros(sizeBytes: number): Content {
    const pieces: Buffer[] = []
    for (let left = sizeBytes; left > 0; left -= ZEROS.byteLength) pieces.push(ZEROS.subarray(0, left))
    return new Content(pieces)
  }

  static joined(contents: readonly Content[]): Content {
    return new Content(contents.flatMap(content => content.pieces))
  }

  /** From `start` up to, not with, `end`; shares the memory. */
  slice(start: number, end: number): Content {
    if (start === 0 && end >= this.sizeBytes) return this
    const pieces: Buffer[] = []
    let at = 0
    for (const piece of this.pieces) {
      const from = Math.max(start - at, 0)
      const to = Math.min(end - at, piece.byteLength)
      if (from < to) pieces.push(piece.subarray(from, to))
      at += piece.byteLength
      if (at >= end) break
    }
    return new Content(pieces)
  }
}

/** Zeros are kept once; anything else is kept as it came. */
export function shared(chunk: Buffer): Buffer {
  if (chunk[0] !== 0 || chunk.byteLength > ZEROS.byteLength) return chunk
  const zeros = ZEROS.subarray(0, chunk.byteLength)
  return chunk.equals(zeros) ? zeros : chunk
}
