/** How far a file that is written is ahead of what is stored of it. */
export class UnstoredChanges {
  /** Something has changed since the last commit. */
  isDirty = false
  /** Not only attributes have. */
  isContentDirty = false
  /** There is something to keep since the last commit: what programs that have the file open have made of it. */
  isWritten = false
  /** Where what was appended begins; undefined when something else was changed since the last commit. */
  appendedFrom: number | undefined
  #count = 0
  #failure: { readonly error: unknown; readonly count: number } | undefined

  constructor(sizeBytes: number) {
    this.appendedFrom = sizeBytes
  }

  /** How many changes there have been in all: two states with the same number are one. */
  get count(): number {
    return this.#count
  }

  /** Why the present changes are not stored, where that has been tried. */
  get failure(): unknown {
    return this.#failure?.count === this.#count ? this.#failure.error : undefined
  }

  add(): void {
    this.isDirty = true
    this.#count += 1
  }

  failed(error: unknown): void {
    this.#failure = { error, count: this.#count }
  }

  /** The bytes are stored, `sizeBytes` in all. */
  storedContent(sizeBytes: number): void {
    this.isContentDirty = false
    this.isWritten = false
    this.appendedFrom = sizeBytes
  }

  /** So is all else that had been changed when there were `count` changes. */
  stored(count: number): void {
    this.isDirty = this.#count !== count
    this.#failure = undefined
  }
}
