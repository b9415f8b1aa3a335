export interface Extent {
  readonly start: number
  readonly end: number
}

/** A set of byte ranges, sorted, disjoint and not touching each other. */
export class Extents {
  readonly #ranges: Extent[] = []

  get ranges(): readonly Extent[] {
    return this.#ranges
  }

  get totalBytes(): number {
    return this.#ranges.reduce((sum, range) => sum + range.end - range.start, 0)
  }

  add(start: number, end: number): void {
    if (end <= start) return
    const from = this.#firstEndingAtOrBehind(start)
    let to = from
    while ((this.#ranges[to]?.start ?? Number.POSITIVE_INFINITY) <= end) to += 1
    const joined = {
      start: Math.min(start, to > from ? (this.#ranges[from]?.start ?? start) : start),
      end: Math.max(end, to > from ? (this.#ranges[to - 1]?.end ?? end) : end),
    }
    this.#ranges.splice(from, to - from, joined)
  }

  remove(start: number, end: number): void {
    if (end <= start) return
    const from = this.#firstEndingAtOrBehind(start)
    let to = from
    while ((this.#ranges[to]?.start ?? Number.POSITIVE_INFINITY) < end) to += 1
    const left = this.#ranges.slice(from, to).map(range => ({ start: range.start, end: Math.min(range.end, start) }))
    const right = this.#ranges.slice(from, to).map(range => ({ start: Math.max(range.start, end), end: range.end }))
    const pieces = [...left, ...right].filter(piece => piece.end > piece.start)
    this.#ranges.splice(from, to - from, ...pieces)
  }

  clear(): void {
    this.#ranges.length = 0
  }

  overlaps(start: number, end: number): boolean {
    return this.split(start, end).some(piece => piece.isInside)
  }

  covers(start: number, end: number): boolean {
    return this.split(start, end).every(piece => piece.isInside)
  }

  /** `start..end` cut into pieces that lie wholly inside or wholly outside of the set, in order. */
  split(start: number, end: number): (Extent & { readonly isInside: boolean })[] {
    const pieces: (Extent & { readonly isInside: boolean })[] = []
    let at = start
    for (let i = this.#firstEndingAtOrBehind(start); at < end; i++) {
      const range = this.#ranges[i]
      if (range === undefined || range.start >= end) break
      if (range.start > at) pieces.push({ start: at, end: range.start, isInside: false })
      const insideStart = Math.max(range.start, at)
      const insideEnd = Math.min(range.end, end)
      if (insideEnd > insideStart) pieces.push({ start: insideStart, end: insideEnd, isInside: true })
      at = insideEnd
    }
    if (at < end) pieces.push({ start: at, end, isInside: false })
    return pieces
  }

  /** Index of the first range with `end >= position`. */
  #firstEndingAtOrBehind(position: number): number {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ranges[middle]?.end ?? 0) < position) low = middle + 1
      else high = middle
    }
    return low
  }
}
