import type { Block, BlockSource } from './block.js'

/** A part of an object that no block has. */
export interface Gap {
  readonly offset: number
  readonly end: number
}

/** Where the blocks of all versions of objects are. They begin and end between cells, or at the object's end. */
export class BlockIndex {
  readonly #cellBytes: number
  /** By version, in the order of their places, none over another. */
  readonly #versions = new Map<string, Block[]>()

  constructor(cellBytes: number) {
    this.#cellBytes = cellBytes
  }

  /** What there is of a range, in order: blocks, and gaps that begin and end as blocks do. */
  find(source: BlockSource, offset: number, end: number): (Block | Gap)[] {
    const blocks = this.#versions.get(versionOf(source)) ?? []
    const found: (Block | Gap)[] = []
    let at = offset - (offset % this.#cellBytes)
    for (let place = placeOf(blocks, at); at < end; place += 1) {
      const block = blocks[place]
      if (block === undefined || block.offset >= end) {
        const cellEnd = Math.ceil(end / this.#cellBytes) * this.#cellBytes
        found.push({ offset: at, end: Math.min(cellEnd, source.sizeBytes) })
        break
      }
      if (block.offset > at) found.push({ offset: at, end: block.offset })
      found.push(block)
      at = block.end
    }
    return found
  }

  add(block: Block): void {
    const version = versionOf(block.source)
    const blocks = this.#versions.get(version)
    if (blocks === undefined) this.#versions.set(version, [block])
    else blocks.splice(placeOf(blocks, block.offset), 0, block)
  }

  remove(block: Block): void {
    const version = versionOf(block.source)
    const blocks = this.#versions.get(version) ?? []
    const place = placeOf(blocks, block.offset)
    if (blocks[place] !== block) return
    blocks.splice(place, 1)
    if (blocks.length === 0) this.#versions.delete(version)
  }
}

/** Of the first block that ends behind `offset`. */
function placeOf(blocks: readonly Block[], offset: number): number {
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const block = blocks[middle]
    if (block !== undefined && block.end > offset) high = middle
    else low = middle + 1
  }
  return low
}

function versionOf({ key, etag }: BlockSource): string {
  return `${etag}\0${key}`
}
