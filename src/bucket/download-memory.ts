/** What one request of a download brings. */
export const DOWNLOAD_BYTES = 4 * 1024 * 1024

/** Lends pieces of memory to all downloads of a bucket; there are never more than `maxPieces`. Who needs one waits in line. */
export class DownloadMemory {
  readonly #maxPieces: number
  readonly #spare: Buffer[] = []
  readonly #waiting: ((piece: Buffer) => void)[] = []
  #made = 0

  constructor(maxPieces: number) {
    this.#maxPieces = maxPieces
  }

  /** Undefined where none is to be had at once. */
  tryTake(): Buffer | undefined {
    const piece = this.#spare.pop()
    if (piece !== undefined || this.#made >= this.#maxPieces) return piece
    this.#made += 1
    return Buffer.allocUnsafeSlow(DOWNLOAD_BYTES)
  }

  async take(): Promise<Buffer> {
    return this.tryTake() ?? new Promise(resolve => this.#waiting.push(resolve))
  }

  give(piece: Buffer): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#spare.push(piece)
    else next(piece)
  }
}
