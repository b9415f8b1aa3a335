import type { BigIntStats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { checkKey, compareKeys } from '../keys.js'
import { commonPrefixOf, type ListItem, type ListQuery } from '../listing.js'
import { isStoreError } from '../store-error.js'
import { type Attributes, identityOf } from './attributes.js'
import type { FolderEntry, FolderReader } from './folder-reader.js'
import { unlessMissing } from './local-errors.js'
import { infoOf } from './object-files.js'

/** Entries looked at together. */
const AT_ONCE = 64

/** The objects and common prefixes that a listing asks for, in key order; reads only the folders that it needs. */
export class KeyLister {
  readonly #reader: FolderReader
  readonly #attributes: Attributes

  constructor(reader: FolderReader, attributes: Attributes) {
    this.#reader = reader
    this.#attributes = attributes
  }

  items(query: ListQuery): AsyncGenerator<ListItem> {
    return this.#below(query.prefix.slice(0, query.prefix.lastIndexOf('/') + 1), query)
  }

  /** `folder` is empty or ends in `/`, and begins with the prefix or is a beginning of it. */
  async *#below(folder: string, query: ListQuery): AsyncGenerator<ListItem> {
    const entries = await this.#reader.read(folder)
    let from = firstWanted(entries, folder, query)
    while (from < entries.length) {
      const batch = entries.slice(from, from + AT_ONCE)
      from += AT_ONCE
      const hasSideFiles = await this.#attributes.hasSideFiles()
      const looked = await Promise.all(batch.map(entry => this.#look(folder, entry, query, hasSideFiles)))
      for (const found of looked) {
        if (found === 'end') return
        if (found === undefined) continue
        if (typeof found === 'string') yield* this.#below(found, query)
        else yield found
      }
    }
  }

  /** An item; a folder to go into; nothing, where there is no object after all; or the end of the prefix. */
  async #look(
    folder: string,
    entry: FolderEntry,
    query: ListQuery,
    hasSideFiles: boolean,
  ): Promise<ListItem | string | undefined | 'end'> {
    const name = folder + entry.name
    if (!name.startsWith(query.prefix)) return 'end'
    if (!entry.isFolder) return this.#object(name, entry.path, hasSideFiles)
    const commonPrefix = commonPrefixOf(name, query)
    if (commonPrefix === undefined) return name
    if (compareKeys(commonPrefix, query.after) <= 0) return undefined
    return (await this.#reader.hasObjects(name)) ? { commonPrefix } : undefined
  }

  async #object(key: string, path: string, hasSideFiles: boolean): Promise<ListItem | undefined> {
    if (!isKey(key)) return undefined
    for (;;) {
      const stats = await unlessMissing(lstat(path, { bigint: true }))
      if (stats?.isFile() !== true) return undefined
      const facts = await unlessMissing(this.#attributes.read(path, stats, hasSideFiles))
      if (facts === undefined) return undefined
      if (facts.record === 'stale' && (await isReplaced(path, stats))) continue
      const { sizeBytes, etag, lastModifiedMs } = infoOf(key, stats, facts)
      return { key, sizeBytes, etag, lastModifiedMs }
    }
  }
}

/** Facts that were read by a path may be of another file than its stats. */
async function isReplaced(path: string, stats: BigIntStats): Promise<boolean> {
  const now = await unlessMissing(lstat(path, { bigint: true }))
  return now === undefined || identityOf(now) !== identityOf(stats)
}

/** Files of other programs may have paths that are too long for a key. */
function isKey(key: string): boolean {
  try {
    checkKey(key, 'list')
    return true
  } catch (error) {
    if (isStoreError(error, 'invalid')) return false
    throw error
  }
}

/**
 * The first entry that holds something behind `after` and begins with the prefix, found by halving: entries are in
 * order, and of those not behind `after` only the folder that `after` lies in is wanted.
 */
function firstWanted(entries: readonly FolderEntry[], folder: string, { prefix, after }: ListQuery): number {
  const namePrefix = prefix.slice(folder.length)
  const isWithin = after.startsWith(folder)
  if (!isWithin && compareKeys(after, folder) > 0) return entries.length
  const nameAfter = isWithin ? after.slice(folder.length) : undefined
  const isWanted = ({ name, isFolder }: FolderEntry) =>
    compareKeys(name, namePrefix) >= 0 &&
    (nameAfter === undefined || compareKeys(name, nameAfter) > 0 || (isFolder && nameAfter.startsWith(name)))
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const entry = entries[middle]
    if (entry !== undefined && isWanted(entry)) high = middle
    else low = middle + 1
  }
  return low
}
