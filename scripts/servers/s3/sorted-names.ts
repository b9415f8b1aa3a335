const BLOCK_NAMES = 512

/**
 * Names in order, in blocks, so that hundreds of thousands can be put in one by one. Names are strings of bytes (UTF-8 as
 * latin1), for which `<` is the order of bytes.
 */
export class SortedNames {
  readonly #blocks: string[][] = []

  add(name: string): void {
    const index = this.#blockOf(name)
    const block = this.#blocks[index]
    if (block === undefined) {
      this.#blocks.push([name])
      return
    }
    const at = lowerBound(block, name)
    if (block[at] === name) return
    block.splice(at, 0, name)
    if (block.length > BLOCK_NAMES) this.#blocks.splice(index + 1, 0, block.splice(BLOCK_NAMES / 2))
  }

  delete(name: string): void {
    const index = this.#blockOf(name)
    const block = this.#blocks[index]
    if (block === undefined) return
    const at = lowerBound(block, name)
    if (block[at] !== name) return
    block.splice(at, 1)
    if (block.length === 0) this.#blocks.splice(index, 1)
  }

  /** All names from `start` on, with it. */
  *from(start: string): Generator<string> {
    let index = this.#blockOf(start)
    let at = lowerBound(this.#blocks[index] ?? [], start)
    for (let block = this.#blocks[index]; block !== undefined; block = this.#blocks[++index], at = 0)
      for (; at < block.length; at++) yield block[at] ?? ''
  }

  /** The last block that begins at or before the name; else the first. */
  #blockOf(name: string): number {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#blocks[middle]?.[0] ?? '') <= name) low = middle + 1
      else high = middle
    }
    return Math.max(low - 1, 0)
  }
}

/** Where the name stands or would have to. */
function lowerBound(block: readonly string[], name: string): number {
  let low = 0
  let high = block.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((block[middle] ?? '') < name) low = middle + 1
    else high = middle
  }
  return low
}
