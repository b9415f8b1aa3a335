/** Parts of one size before it doubles: 9,900 parts that begin with S3's least, 5 MiB, hold 8.8 TiB. */
const PARTS_PER_SIZE = 900

/** Where the parts of an object begin: part sizes grow, so that 5 TiB fit in 10,000 parts. */
export class PartSizes {
  readonly #firstBytes: number

  /** `firstBytes` is the size of the first parts: at least 5 MiB, as S3 demands. */
  constructor(firstBytes: number) {
    this.#firstBytes = firstBytes
  }

  get firstBytes(): number {
    return this.#firstBytes
  }

  /** `number` counts from 1. */
  sizeOf(number: number): number {
    return this.#firstBytes * 2 ** Math.floor((number - 1) / PARTS_PER_SIZE)
  }

  startOf(number: number): number {
    const doublings = Math.floor((number - 1) / PARTS_PER_SIZE)
    const before = this.#firstBytes * PARTS_PER_SIZE * (2 ** doublings - 1)
    return before + (number - 1 - doublings * PARTS_PER_SIZE) * this.sizeOf(number)
  }

  /** The part that holds the byte at `offset`. */
  at(offset: number): number {
    const doublings = Math.floor(Math.log2(offset / (this.#firstBytes * PARTS_PER_SIZE) + 1))
    const firstOfSize = doublings * PARTS_PER_SIZE + 1
    return firstOfSize + Math.floor((offset - this.startOf(firstOfSize)) / this.sizeOf(firstOfSize))
  }
}
