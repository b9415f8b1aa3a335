import { compareKeys } from '../keys.js'

const CHUNK_LIMIT = 1024

/** A place in a SortedKeys; it holds until the next change. */
interface Place {
  readonly chunk: number
  readonly index: number
}

/** A set of keys in key order. Kept in chunks, so that a change moves few of 100,000 keys. */
export class SortedKeys {
  /** Each non-empty and in order, as is the sequence of them. */
  readonly #chunks: string[][] = []

  add(key: string): void {
    const place = this.#find(other => compareKeys(other, key) >= 0)
    const chunkIndex = place?.chunk ?? this.#chunks.length - 1
    const chunk = this.#chunks[chunkIndex]
    if (chunk === undefined) {
      this.#chunks.push([key])
      return
    }
    const index = place?.index ?? chunk.length
    if (chunk[index] === key) return
    chunk.splice(index, 0, key)
    if (chunk.length > CHUNK_LIMIT) this.#chunks.splice(chunkIndex + 1, 0, chunk.splice(CHUNK_LIMIT / 2))
  }

  delete(key: string): void {
    const place = this.#find(other => compareKeys(other, key) >= 0)
    if (place === undefined) return
    const chunk = this.#chunks[place.chunk]
    if (chunk === undefined || chunk[place.index] !== key) return
    chunk.splice(place.index, 1)
    if (chunk.length === 0) this.#chunks.splice(place.chunk, 1)
  }

  /** The keys from the first one on for which `reached` holds; it must hold for all that follow it. */
  *from(reached: (key: string) => boolean): Generator<string, void> {
    const place = this.#find(reached)
    if (place === undefined) return
    for (let c = place.chunk; c < this.#chunks.length; c++) {
      const chunk = this.#chunks[c] ?? []
      for (let i = c === place.chunk ? place.index : 0; i < chunk.length; i++) yield chunk[i] ?? ''
    }
  }

  #find(reached: (key: string) => boolean): Place | undefined {
    const chunk = firstIndex(this.#chunks.length, c => reached(this.#chunks[c]?.at(-1) ?? ''))
    const keys = this.#chunks[chunk]
    if (keys === undefined) return undefined
    return { chunk, index: firstIndex(keys.length, i => reached(keys[i] ?? '')) }
  }
}

/** The first index below `length` for which `holds` is true, or `length`: binary search. */
function firstIndex(length: number, holds: (index: number) => boolean): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
