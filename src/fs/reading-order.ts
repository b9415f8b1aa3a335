import type { ObjectVersion } from '../backend/object-store.js'
import type { Listing } from '../cache/listing.js'

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

/** Entries and folders that are looked at for the sake of one file: the rest of the tree may hold none. */
const MAX_STEPS = 2000

const NONE: NextFile = { kind: 'none' }

/**
 * The files of a tree in the order in which programs come upon them: as folders list their entries, and into each folder
 * where it stands. `listingOf` tells what is known of a folder's names, while it counts.
 */
export function nextFile(from: Place, listingOf: (prefix: string) => Listing | undefined): NextFile {
  let { prefix } = from
  let listing = listingOf(prefix)
  if (listing === undefined) return NONE
  let position = from.name === undefined ? 0 : positionBehind(listing, from.name)
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    // A name that is not listed any more leads nowhere.
    if (position === undefined) return NONE
    const entry = listing.entries[position]
    if (entry === undefined) {
      // Behind the last of a folder comes what stands behind the folder.
      if (prefix === '' || !listing.isComplete) return NONE
      const path = prefix.slice(0, -1)
      prefix = path.slice(0, path.lastIndexOf('/') + 1)
      listing = listingOf(prefix)
      if (listing === undefined) return NONE
      position = positionBehind(listing, path.slice(prefix.length))
    } else if (entry.isDirectory) {
      prefix = `${prefix}${entry.name}/`
      listing = listingOf(prefix)
      if (listing === undefined) return { kind: 'unlisted', prefix }
      position = 0
    } else if (entry.version !== undefined && entry.version.sizeBytes > 0)
      return { kind: 'file', place: { prefix, name: entry.name }, version: entry.version }
    else position += 1
  }
  return NONE
}

function positionBehind(listing: Listing, name: string): number | undefined {
  const position = listing.positionOf(name)
  return position === undefined ? undefined : position + 1
}
