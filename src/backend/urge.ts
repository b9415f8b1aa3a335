import type { Urge } from './object-store.js'

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
