import type { ProgressCallback } from '../progress.js'

/** One file of a sync on its way. */
export interface FileProgress {
  /** Negative where bytes have to go again. */
  add(bytes: number): void
  /** So many are done of this file by now. */
  at(bytes: number): void
  /** Nothing has to be transferred. */
  leave(): void
}

/** Adds up how far the files of a sync are, and tells it. */
export class ProgressCount {
  readonly #tellAll: ProgressCallback | undefined
  readonly #tellFile: ProgressCallback | undefined
  #doneBytes = 0
  #totalBytes = 0
  #isComplete = false

  constructor(tellAll: ProgressCallback | undefined, tellFile: ProgressCallback | undefined) {
    this.#tellAll = tellAll
    this.#tellFile = tellFile
  }

  found(sizeBytes: number): void {
    this.#totalBytes += sizeBytes
  }

  allFound(): void {
    this.#isComplete = true
  }

  /** A file that was found is begun. */
  begin(name: string, sizeBytes: number): FileProgress {
    let fileBytes = 0
    const tell = () => this.#tellAll?.(this.#doneBytes, this.#isComplete ? this.#totalBytes : undefined, name)
    const add = (bytes: number) => {
      fileBytes += bytes
      this.#doneBytes += bytes
      if (bytes <= 0) return
      this.#tellFile?.(fileBytes, sizeBytes, name)
      tell()
    }
    return {
      add,
      at: bytes => add(bytes - fileBytes),
      leave: () => {
        this.#totalBytes -= sizeBytes
        tell()
      },
    }
  }
}
