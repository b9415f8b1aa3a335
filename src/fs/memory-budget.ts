/** Memory that all writers of a mount share. Who gets none goes on through the staging folder. */
export class MemoryBudget {
  readonly #maxBytes: number
  #takenBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get takenBytes(): number {
    return this.#takenBytes
  }

  has(sizeBytes: number): boolean {
    return this.#takenBytes + sizeBytes <= this.#maxBytes
  }

  /** False: nothing was taken. */
  take(sizeBytes: number): boolean {
    if (!this.has(sizeBytes)) return false
    this.#takenBytes += sizeBytes
    return true
  }

  giveBack(sizeBytes: number): void {
    this.#takenBytes -= sizeBytes
  }
}
