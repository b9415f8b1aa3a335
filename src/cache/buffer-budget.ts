/** Who draws from a budget and can do something for the others. */
export interface Drawer {
  /** Gives back what nobody needs, until so many bytes more are free or there is no more of that. */
  yield(missingBytes: number): void
  /** Memory has been given back. */
  onRoom(): void
}

/** Memory of a bounded size that several rooms draw buffers from. */
export class BufferBudget {
  readonly maxBytes: number
  readonly #drawers: Drawer[] = []
  #takenBytes = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  get takenBytes(): number {
    return this.#takenBytes
  }

  /** Below zero where somebody had to go beyond. */
  get freeBytes(): number {
    return this.maxBytes - this.#takenBytes
  }

  join(drawer: Drawer): void {
    this.#drawers.push(drawer)
  }

  /** Whether so much can be taken, when all have given back what they don't need. */
  makeRoom(sizeBytes: number): boolean {
    for (const drawer of this.#drawers) {
      if (sizeBytes <= this.freeBytes) return true
      drawer.yield(sizeBytes - this.freeBytes)
    }
    return sizeBytes <= this.freeBytes
  }

  /** Nobody is asked to give anything back: who takes has made room, or holds nothing and would else never go on. */
  take(sizeBytes: number): void {
    this.#takenBytes += sizeBytes
  }

  giveBack(sizeBytes: number): void {
    this.#takenBytes -= sizeBytes
    for (const drawer of this.#drawers) drawer.onRoom()
  }
}
