import { closeSync, constants, openSync, readSync } from 'node:fs'

/** Of a dozen programs with some descriptors each. */
const MAX_OPEN = 64

/** What is asked for stands in the first few lines. */
const HEAD = Buffer.allocUnsafeSlow(512)

/**
 * The beginnings of files of /proc, which the kernel makes anew for every read at offset 0. The files stay open, since each
 * FLUSH of a writer looks at all descriptors of a program: a read alone is a third of the system calls. An open file stays
 * that of its process, and reading it fails when that is gone: the name may be another's by then, and is opened again.
 */
export class ProcFiles {
  readonly #open = new Map<string, number>()
  #mostOpen = MAX_OPEN

  /** Throws the kernel's error where there is nothing to read. */
  readHead(path: string): string {
    const known = this.#open.get(path)
    if (known !== undefined) {
      try {
        return read(known)
      } catch {
        this.#open.delete(path)
        closeSync(known)
      }
    }
    const descriptor = openSync(path, constants.O_RDONLY)
    this.#open.set(path, descriptor)
    try {
      return read(descriptor)
    } finally {
      this.#bound()
    }
  }

  /** None stays open from then on. */
  close(): void {
    this.#mostOpen = 0
    this.#bound()
  }

  /** The first ones go first. */
  #bound(): void {
    for (const [path, descriptor] of this.#open) {
      if (this.#open.size <= this.#mostOpen) return
      this.#open.delete(path)
      closeSync(descriptor)
    }
  }
}

function read(descriptor: number): string {
  return HEAD.toString('latin1', 0, readSync(descriptor, HEAD, 0, HEAD.length, 0))
}
