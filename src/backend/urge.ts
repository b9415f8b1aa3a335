/** That a program has come to wait for what was asked for ahead of it. An AbortSignal would do, at several times the cost. */
export interface Urge {
  readonly isUrged: boolean
  /** Has `run` called once when it comes to that, at once if it has; the answered function calls it off. */
  onUrge(run: () => void): () => void
}

/** Who can say so. */
export class Urging implements Urge {
  readonly #listeners = new Set<() => void>()
  #isUrged = false

  get isUrged(): boolean {
    return this.#isUrged
  }

  urge(): void {
    this.#isUrged = true
    for (const run of this.#listeners) {
      this.#listeners.delete(run)
      run()
    }
  }

  onUrge(run: () => void): () => void {
    if (this.#isUrged) run()
    else this.#listeners.add(run)
    return () => void this.#listeners.delete(run)
  }
}
