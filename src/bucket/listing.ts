import { compareKeys } from '../backend/keys.js'
import { MAX_PAGE } from '../backend/listing.js'
import type { ObjectStore, ObjectVersion } from '../backend/object-store.js'
import type { BucketCallOptions } from './bucket-services.js'

export interface IterateOptions extends BucketCallOptions {
  /** Only keys that begin with this, with a slash at its end or without. Default: all. */
  readonly prefix?: string | undefined
  /** Only what stands behind this in key order. */
  readonly marker?: string | undefined
}

export interface BucketListOptions extends IterateOptions {
  /** `/` shows keys that hold it behind the prefix as one folder each. */
  readonly delimiter?: '/' | undefined
  /** Objects and folders together at the most. Default 1,000. */
  readonly maxKeys?: number | undefined
}

export interface Listing {
  /** In key order (by UTF-8 bytes). */
  readonly objects: readonly ObjectVersion[]
  /** Common prefixes up to the delimiter and with it, in key order. */
  readonly folders: readonly string[]
  /** There is more than this. */
  readonly truncated: boolean
  /** The `marker` of the listing that goes on behind this one; undefined where nothing is left. */
  readonly next: string | undefined
}

/** An object, or a folder of a listing with a delimiter. */
export type ListedEntry = ObjectVersion | { readonly folder: string }

/** One listing of up to `maxKeys` entries, however many pages the store makes of it. */
export async function listObjects(store: ObjectStore, options: BucketListOptions = {}): Promise<Listing> {
  const { maxKeys = MAX_PAGE } = options
  const objects: ObjectVersion[] = []
  const folders: string[] = []
  let last: string | undefined
  for await (const entry of iterateEntries(store, { ...options, maxKeys: maxKeys + 1 })) {
    if (objects.length + folders.length === maxKeys) return { objects, folders, truncated: true, next: last }
    last = 'folder' in entry ? entry.folder : entry.key
    if ('folder' in entry) folders.push(entry.folder)
    else objects.push(entry)
  }
  return { objects, folders, truncated: false, next: undefined }
}

/** Objects and folders in key order, fetched page by page as they are asked for. */
export async function* iterateEntries(
  store: ObjectStore,
  options: BucketListOptions = {},
): AsyncGenerator<ListedEntry, void, undefined> {
  const { prefix, delimiter, marker, maxKeys = Number.POSITIVE_INFINITY, signal } = options
  let cursor: string | undefined
  let left = maxKeys
  do {
    const limit = Math.min(left, MAX_PAGE)
    const page = await store.list({ prefix, delimiter, startAfter: marker, cursor, limit, signal })
    for (const entry of entriesOf(page.objects, page.prefixes)) {
      yield entry
      left -= 1
    }
    cursor = page.next
  } while (cursor !== undefined && left > 0)
}

/** All objects in key order. */
export async function* iterateObjects(
  store: ObjectStore,
  options: IterateOptions = {},
): AsyncGenerator<ObjectVersion, void, undefined> {
  for await (const entry of iterateEntries(store, { ...options, delimiter: undefined }))
    if (!('folder' in entry)) yield entry
}

/** Objects and folders in one sequence in key order. */
export function entriesOf(objects: readonly ObjectVersion[], folders: readonly string[]): readonly ListedEntry[] {
  if (folders.length === 0) return objects
  const entries = [...objects, ...folders.map(folder => ({ folder }))]
  return entries.sort((a, b) => compareKeys(nameOf(a), nameOf(b)))
}

function nameOf(entry: ListedEntry): string {
  return 'folder' in entry ? entry.folder : entry.key
}
