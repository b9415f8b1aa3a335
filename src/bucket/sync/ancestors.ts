/** Finds, of names that come in key order, those that stand below an earlier one as if it were a folder. */
export class Ancestors {
  /** Each begins with the one before it. */
  readonly #names: string[] = []

  add(name: string): void {
    this.#dropUnlike(name)
    this.#names.push(name)
  }

  /** The earlier name that this one stands below. */
  above(name: string): string | undefined {
    this.#dropUnlike(name)
    return this.#names.find(each => name.startsWith(`${each}/`))
  }

  /** What `name` does not begin with, no later name begins with. */
  #dropUnlike(name: string): void {
    while (this.#names.length > 0 && !name.startsWith(this.#names.at(-1) ?? '')) this.#names.pop()
  }
}
