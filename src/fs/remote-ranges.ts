import type { ObjectVersion } from '../backend/object-store.js'
import type { Extent } from './extents.js'

/** A range of a file whose bytes are those of a stored version from `offset` on. */
export interface RemoteRange extends Extent {
  readonly version: ObjectVersion
  readonly offset: number
}

/** Which ranges of a file lie in which stored objects: sorted and disjoint. */
export class RemoteRanges {
  #ranges: RemoteRange[] = []

  get ranges(): readonly RemoteRange[] {
    return this.#ranges
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0
  }

  /** Takes the place of what was there. */
  set(range: RemoteRange): void {
    if (range.end <= range.start) return
    this.remove(range.start, range.end)
    const at = this.#firstEndingBehind(range.start)
    this.#ranges.splice(at, 0, range)
  }

  /** The whole file is this version. */
  reset(version: ObjectVersion | undefined): void {
    this.#ranges = []
    if (version !== undefined) this.set({ start: 0, end: version.sizeBytes, version, offset: 0 })
  }

  remove(start: number, end: number): void {
    if (end <= start) return
    const from = this.#firstEndingBehind(start)
    let to = from
    while ((this.#ranges[to]?.start ?? Number.POSITIVE_INFINITY) < end) to += 1
    const left = this.#ranges.slice(from, to).map(range => cut(range, range.start, Math.min(range.end, start)))
    const right = this.#ranges.slice(from, to).map(range => cut(range, Math.max(range.start, end), range.end))
    this.#ranges.splice(from, to - from, ...[...left, ...right].filter(range => range.end > range.start))
  }

  /** The same bytes are found under another key or ETag. */
  replace(before: ObjectVersion, after: ObjectVersion): void {
    this.#ranges = this.#ranges.map(range =>
      isSameObject(range.version, before) ? { ...range, version: after } : range,
    )
  }

  /** `start..end` cut into ranges of stored objects and what lies between them, in order. */
  split(start: number, end: number): (RemoteRange | Extent)[] {
    const pieces: (RemoteRange | Extent)[] = []
    let at = start
    for (let i = this.#firstEndingBehind(start); at < end; i++) {
      const range = this.#ranges[i]
      if (range === undefined || range.start >= end) break
      if (range.start > at) pieces.push({ start: at, end: range.start })
      const inside = cut(range, Math.max(range.start, at), Math.min(range.end, end))
      pieces.push(inside)
      at = inside.end
    }
    if (at < end) pieces.push({ start: at, end })
    return pieces
  }

  #firstEndingBehind(position: number): number {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ranges[middle]?.end ?? 0) <= position) low = middle + 1
      else high = middle
    }
    return low
  }
}

export function isSameObject(a: ObjectVersion, b: ObjectVersion): boolean {
  return a.key === b.key && a.etag === b.etag
}

function cut(range: RemoteRange, start: number, end: number): RemoteRange {
  return { start, end, version: range.version, offset: range.offset + start - range.start }
}
