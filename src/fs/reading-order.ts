import type { ObjectVersion } from '../backend/object-store.js'
import type { ListedEntry, Listing } from '../cache/listing.js'

/** An entry of a folder; undefined: before the first one. */
export interface Place {
  readonly prefix: string
  readonly name: string | undefined
}

/** The file that stands behind a place; or the folder whose names have to be known before that can be said. */
export type NextFile =
  | { readonly kind: 'file'; readonly place: Place; readonly version: ObjectVersion }
  | { readonly kind: 'unlisted'; readonly prefix: string }
  | { readonly kind: 'none' }

/** The order in which programs come upon the entries of a folder. */
export interface EntryOrder {
  /** Undefined where it is not known. */
  entriesOf(prefix: string, listing: Listing): OrderedEntries | undefined
}

export interface OrderedEntries {
  /** Undefined behind the last. */
  at(position: number): ListedEntry | undefined
  positionOf(name: string): number | undefined
}

/** As folders list them: cat, tar, grep -r. */
export const LISTING_ORDER: EntryOrder = {
  entriesOf: (_prefix, listing) => ({
    at: position => listing.entries[position],
    positionOf: name => listing.positionOf(name),
  }),
}

/** Larger folders are not sorted: that would take this thread too long. */
const MAX_SORTED = 20_000

/** A folder is sorted anew when it has grown by this share: what was added since is in no order until then. */
const GROWN = 1 / 2

/** By st_ino, as programs sort that were made for disks on which that is the order of the bytes: cp -r, rm -r. */
export class InoOrder implements EntryOrder {
  readonly #inoOf: (path: string) => number
  readonly #sorted = new WeakMap<Listing, OrderedEntries & { readonly count: number }>()

  constructor(inoOf: (path: string) => number) {
    this.#inoOf = inoOf
  }

  entriesOf(prefix: string, listing: Listing): OrderedEntries | undefined {
    const count = listing.entries.length
    if (!listing.isComplete || count > MAX_SORTED) return undefined
    const known = this.#sorted.get(listing)
    if (known !== undefined && count <= known.count * (1 + GROWN)) return known
    // An entry keeps its place in the listing, whatever becomes of it.
    const inos = listing.entries.map(({ name }) => this.#inoOf(prefix + name))
    const places = [...inos.keys()].sort((a, b) => (inos[a] ?? 0) - (inos[b] ?? 0))
    const positions = new Map(places.map((place, position) => [place, position]))
    const sorted = {
      count,
      at: (position: number) => listing.entries[places[position] ?? -1],
      positionOf: (name: string) => positions.get(listing.positionOf(name) ?? -1),
    }
    this.#sorted.set(listing, sorted)
    return sorted
  }
}

/** Entries and folders that are looked at for the sake of one file: the rest of the tree may hold none. */
const MAX_STEPS = 2000

const NONE: NextFile = { kind: 'none' }

/**
 * The files of a tree in the order in which programs come upon them: as `order` has the entries of folders, and into each
 * folder where it stands. `listingOf` tells what is known of a folder's names, while it counts.
 */
export function nextFile(from: Place, order: EntryOrder, listingOf: (prefix: string) => Listing | undefined): NextFile {
  let { prefix } = from
  const orderedOf = (folder: string) => {
    const listing = listingOf(folder)
    return listing && order.entriesOf(folder, listing)
  }
  let ordered = orderedOf(prefix)
  if (ordered === undefined) return NONE
  let position = from.name === undefined ? 0 : positionBehind(ordered, from.name)
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    // A name that is not listed any more leads nowhere.
    if (position === undefined) return NONE
    const entry: ListedEntry | undefined = ordered.at(position)
    if (entry === undefined) {
      // Behind the last of a folder comes what stands behind the folder.
      if (prefix === '' || listingOf(prefix)?.isComplete !== true) return NONE
      const path = prefix.slice(0, -1)
      prefix = path.slice(0, path.lastIndexOf('/') + 1)
      ordered = orderedOf(prefix)
      if (ordered === undefined) return NONE
      position = positionBehind(ordered, path.slice(prefix.length))
    } else if (entry.isDirectory) {
      prefix = `${prefix}${entry.name}/`
      if (listingOf(prefix) === undefined) return { kind: 'unlisted', prefix }
      ordered = orderedOf(prefix)
      if (ordered === undefined) return NONE
      position = 0
    } else if (entry.version !== undefined && entry.version.sizeBytes > 0)
      return { kind: 'file', place: { prefix, name: entry.name }, version: entry.version }
    else position += 1
  }
  return NONE
}

function positionBehind(ordered: OrderedEntries, name: string): number | undefined {
  const position = ordered.positionOf(name)
  return position === undefined ? undefined : position + 1
}
