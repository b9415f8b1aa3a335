/** One block of zeros that stands for all zeros of all objects. */
const ZEROS = Buffer.alloc(4 * 1024 ** 2)

/** The bytes of an object or part: pieces of memory that are never changed, so that copies share them. */
export class Content {
  static readonly EMPTY = new Content([])

  readonly pieces: readonly Buffer[]
  readonly sizeBytes: number
  /** Where each piece begins; made when a part of many pieces is first asked for. */
  #starts: Float64Array | undefined

  constructor(pieces: readonly Buffer[]) {
    this.pieces = pieces
    let sizeBytes = 0
    for (const piece of pieces) sizeBytes += piece.byteLength
    this.sizeBytes = sizeBytes
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
    const starts = this.#pieceStarts()
    for (let index = lastAtOrBefore(starts, start); index < this.pieces.length; index++) {
      const at = starts[index] ?? 0
      if (at >= end) break
      const piece = this.pieces[index]
      if (piece === undefined) break
      const from = Math.max(start - at, 0)
      const to = Math.min(end - at, piece.byteLength)
      if (from < to) pieces.push(piece.subarray(from, to))
    }
    return new Content(pieces)
  }

  #pieceStarts(): Float64Array {
    if (this.#starts !== undefined) return this.#starts
    const starts = new Float64Array(this.pieces.length)
    let at = 0
    for (const [index, piece] of this.pieces.entries()) {
      starts[index] = at
      at += piece.byteLength
    }
    this.#starts = starts
    return starts
  }
}

/** The index of the last of the sorted numbers that is not above the limit; 0 where there is none. */
function lastAtOrBefore(sorted: Float64Array, limit: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? 0) <= limit) low = middle + 1
    else high = middle
  }
  return Math.max(low - 1, 0)
}

/** Zeros are kept once; anything else is kept as it came. */
export function shared(chunk: Buffer): Buffer {
  if (chunk[0] !== 0 || chunk.byteLength > ZEROS.byteLength) return chunk
  const zeros = ZEROS.subarray(0, chunk.byteLength)
  return chunk.equals(zeros) ? zeros : chunk
}
