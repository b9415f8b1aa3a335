/** Memory of a bounded size that several rooms draw buffers from. */
export class BufferBudget {
  readonly maxBytes: number
  #takenBytes = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  get takenBytes(): number {
    return this.#takenBytes
  }

  /** False: there is not so much left, and nothing was taken. */
  take(sizeBytes: number): boolean {
    if (this.#takenBytes + sizeBytes > this.maxBytes) return false
    this.#takenBytes += sizeBytes
    return true
  }

  /** For who holds nothing, can't do with less and would otherwise never go on. */
  takeBeyond(sizeBytes: number): void {
    this.#takenBytes += sizeBytes
  }

  giveBack(sizeBytes: number): void {
    this.#takenBytes -= sizeBytes
  }
}
