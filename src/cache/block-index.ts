import type { Block } from './block.js'
import type { BlockSource } from './lanes/main-lane.js'

/** A part of an object that no block has. */
export interface Gap {
  readonly offset: number
  readonly end: number
}

/** Where the blocks of all versions of objects are. No cell belongs to two blocks. */
export class BlockIndex {
  readonly #cellBytes: number
  /** By version, then by the number of the cell. */
  readonly #versions = new Map<string, Map<number, Block>>()

  constructor(cellBytes: number) {
    this.#cellBytes = cellBytes
  }

  /** What there is of a range, in order: blocks, and gaps that begin and end between cells, or at the object's end. */
  find(source: BlockSource, offset: number, end: number): (Block | Gap)[] {
    const cells = this.#versions.get(versionOf(source))
    const found: (Block | Gap)[] = []
    let at = offset - (offset % this.#cellBytes)
    let gapFrom: number | undefined
    while (at < end) {
      const block = cells?.get(at / this.#cellBytes)
      if (block === undefined) {
        gapFrom ??= at
        at += this.#cellBytes
        continue
      }
      if (gapFrom !== undefined) found.push({ offset: gapFrom, end: at })
      gapFrom = undefined
      found.push(block)
      at = block.end
    }
    if (gapFrom !== undefined) found.push({ offset: gapFrom, end: Math.min(at, source.sizeBytes) })
    return found
  }

  add(block: Block): void {
    const version = versionOf(block.source)
    let cells = this.#versions.get(version)
    if (cells === undefined) {
      cells = new Map()
      this.#versions.set(version, cells)
    }
    for (let at = block.offset; at < block.end; at += this.#cellBytes) cells.set(at / this.#cellBytes, block)
  }

  remove(block: Block): void {
    const version = versionOf(block.source)
    const cells = this.#versions.get(version)
    if (cells === undefined) return
    for (let at = block.offset; at < block.end; at += this.#cellBytes) cells.delete(at / this.#cellBytes)
    if (cells.size === 0) this.#versions.delete(version)
  }
}

function versionOf({ key, etag }: BlockSource): string {
  return `${etag}\0${key}`
}
