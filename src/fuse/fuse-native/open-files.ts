import { FsError } from '../../fs/fs-error.js'
import type { HeldNode } from './path-nodes.js'

/** The package keeps handles in a signed 32-bit number, and takes 0 for none. */
const MAX_NUMBER = 0x7fff_ffff

interface OpenFile {
  readonly handle: number
  readonly held: HeldNode
}

/** The handles of the filesystem under numbers that the package can carry. Each keeps its node. */
export class OpenFiles {
  readonly #files = new Map<number, OpenFile>()
  #last = 0

  add(handle: number, held: HeldNode): number {
    do this.#last = this.#last === MAX_NUMBER ? 1 : this.#last + 1
    while (this.#files.has(this.#last))
    this.#files.set(this.#last, { handle, held })
    return this.#last
  }

  get(number: number): OpenFile {
    const file = this.#files.get(number)
    if (file === undefined) throw new FsError('EBADF', `no open file ${number}`)
    return file
  }

  /** Takes a file out and gives its handle; the node is given back. */
  remove(number: number): number {
    const { handle, held } = this.get(number)
    this.#files.delete(number)
    held.release()
    return handle
  }
}
