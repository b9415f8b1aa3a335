/** Told as bytes move: how many of how many (undefined while that is not known), and of what. */
export type ProgressCallback = (doneBytes: number, totalBytes: number | undefined, name: string) => void

/** Counts what has moved of one thing that moves in pieces, several at once, each perhaps tried more than once. */
export class Tally {
  readonly #report: () => void
  readonly #pieces = new Set<{ bytes: number }>()
  #settledBytes = 0
  #toldBytes = 0

  constructor(report: ProgressCallback | undefined, totalBytes: number | undefined, name: string) {
    this.#report = report === undefined ? () => {} : () => report(this.doneBytes, totalBytes, name)
  }

  get doneBytes(): number {
    let sum = this.#settledBytes
    for (const { bytes } of this.#pieces) sum += bytes
    return sum
  }

  /** Bytes that have moved for good. */
  add(bytes: number): void {
    this.#settledBytes += bytes
    this.#report()
  }

  /** Bytes that have moved, or with a negative number have to again: less than was told is not told. */
  shift(bytes: number): void {
    this.#settledBytes += bytes
    if (this.#settledBytes <= this.#toldBytes) return
    this.#toldBytes = this.#settledBytes
    this.#report()
  }

  /** A piece that begins to move: what to tell how far it is in its present try, and that it has ended. */
  piece(): Piece {
    const piece = { bytes: 0 }
    this.#pieces.add(piece)
    return {
      at: bytes => {
        if (bytes <= piece.bytes) return
        piece.bytes = bytes
        this.#report()
      },
      settle: bytes => {
        this.#pieces.delete(piece)
        this.add(bytes)
      },
    }
  }
}

export interface Piece {
  /** So many bytes have moved in this try; fewer than in an earlier one are not told. */
  at(bytes: number): void
  settle(bytes: number): void
}
