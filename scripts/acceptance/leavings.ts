/**
 * What has to be undone in the end, whatever happened: mounts, servers, folders. Undoing is synchronous, so that it also
 * works while the process exits.
 */
export class Leavings {
  readonly #undoings: (() => void)[] = []

  add(undo: () => void): void {
    this.#undoings.push(undo)
  }

  /** Undoes all, the latest first. One that fails does not keep the others from being tried; the first error is thrown. */
  clear(): void {
    const errors: unknown[] = []
    for (const undo of this.#undoings.splice(0).reverse()) {
      try {
        undo()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }
}
