import { compareKeys } from '../backend/keys.js'
import type { ListPage, ObjectVersion } from '../backend/object-store.js'
import type { PageSource } from './page-source.js'

/** One component of the keys below a prefix. Both are there where a key and keys below it share it. */
export interface ListedEntry {
  readonly name: string
  readonly version: ObjectVersion | undefined
  readonly isDirectory: boolean
}

/** Objects and common prefixes as a page has them. */
export type Listed = Pick<ListPage, 'objects' | 'prefixes'>

/**
 * The entries of one directory as pages of a prefix listing bring them, in key order. Several readers share one;
 * each asks for entries by position and waits only for the pages up to there. An entry keeps its position.
 */
export class Listing {
  readonly prefix: string
  readonly entries: ListedEntry[] = []
  /** When it began, in milliseconds since 1970. */
  readonly startedMs: number
  readonly #positions = new Map<string, number>()
  readonly #pages: PageSource
  /** What this mount changed since the listing began: what the pages say of that is no longer true. */
  readonly #changedObjects = new Set<string>()
  readonly #changedDirectories = new Set<string>()
  #marker: ObjectVersion | undefined
  #isMarkerChanged = false
  #directories = 0
  #present = 0
  #lastKey = ''
  #isComplete = false
  #pageCount = 0
  #page: Promise<void> | undefined

  constructor(pages: PageSource, prefix: string, startedMs: number) {
    this.#pages = pages
    this.startedMs = startedMs
    this.prefix = prefix
  }

  /** A listing of which everything is known already. */
  static of(listed: Listed, prefix: string, startedMs: number): Listing {
    const listing = new Listing({ next: async () => undefined }, prefix, startedMs)
    listing.#take(listed)
    listing.#isComplete = true
    return listing
  }

  get isComplete(): boolean {
    return this.#isComplete
  }

  /** How many pages have come. */
  get pageCount(): number {
    return this.#pageCount
  }

  /** How many of the entries are there still. */
  get present(): number {
    return this.#present
  }

  /** How many of the entries are directories. */
  get directories(): number {
    return this.#directories
  }

  /** The directory's own object, `prefix`, where the first page has brought it. */
  get marker(): ObjectVersion | undefined {
    return this.#marker
  }

  /** The entry, or undefined when it isn't among those that have come. */
  find(name: string): ListedEntry | undefined {
    const position = this.#positions.get(name)
    const entry = position === undefined ? undefined : this.entries[position]
    return entry !== undefined && isThere(entry) ? entry : undefined
  }

  /** Where the entry stands or stood among `entries`. */
  positionOf(name: string): number | undefined {
    return this.#positions.get(name)
  }

  /** True once the pages have passed the place where `name` would stand, as a key or as a prefix. */
  hasPassed(name: string): boolean {
    return this.#isComplete || compareKeys(this.#lastKey, `${this.prefix}${name}/`) > 0
  }

  /**
   * Fetches the next page; readers that ask at the same time share the request. Who comes to one that fails asks once
   * more: it may have been under way for long, with no patience left.
   */
  more(): Promise<void> {
    if (this.#isComplete) return Promise.resolve()
    return this.#page?.catch(() => this.#next()) ?? this.#next()
  }

  #next(): Promise<void> {
    this.#page ??= this.#fetch().finally(() => {
      this.#page = undefined
    })
    return this.#page
  }

  /** This mount stored or removed an object: from now on that is what the listing says. */
  changeObject(name: string, version: ObjectVersion | undefined): void {
    if (!this.#isComplete) this.#changedObjects.add(name)
    this.#put({ name, version, isDirectory: this.find(name)?.isDirectory === true })
  }

  /** This mount made or removed a directory. */
  changeDirectory(name: string, isDirectory: boolean): void {
    if (!this.#isComplete) this.#changedDirectories.add(name)
    this.#put({ name, version: this.find(name)?.version, isDirectory })
  }

  /** This mount stored the directory's own object, or does not know which version it has now. */
  changeMarker(marker: ObjectVersion | undefined): void {
    this.#marker = marker
    this.#isMarkerChanged = true
  }

  async #fetch(): Promise<void> {
    // Not bound to one caller's signal: others may wait for the same page.
    const page = await this.#pages.next()
    this.#pageCount += 1
    if (page !== undefined) this.#take(page)
    if (page?.next === undefined) this.#isComplete = true
  }

  #take({ objects, prefixes }: Listed): void {
    for (const version of objects) this.#add(version.key, version, false)
    for (const prefix of prefixes) this.#add(prefix.slice(0, -1), undefined, true)
    for (const last of [objects.at(-1)?.key, prefixes.at(-1)])
      if (last !== undefined && compareKeys(last, this.#lastKey) > 0) this.#lastKey = last
  }

  #add(key: string, version: ObjectVersion | undefined, isDirectory: boolean): void {
    const name = key.slice(this.prefix.length)
    // With bytes of its own it is a file in the directory.
    if (name === '' && version?.sizeBytes === 0) {
      if (!this.#isMarkerChanged) this.#marker = version
      return
    }
    if ((isDirectory ? this.#changedDirectories : this.#changedObjects).has(name)) return
    const known = this.find(name)
    this.#put({ name, version: version ?? known?.version, isDirectory: isDirectory || known?.isDirectory === true })
  }

  #put(entry: ListedEntry): void {
    const position = this.#positions.get(entry.name)
    const before = position === undefined ? undefined : this.entries[position]
    this.#directories += Number(entry.isDirectory) - Number(before?.isDirectory === true)
    this.#present += Number(isThere(entry)) - Number(before !== undefined && isThere(before))
    if (position !== undefined) this.entries[position] = entry
    else if (isThere(entry)) {
      this.#positions.set(entry.name, this.entries.length)
      this.entries.push(entry)
    }
  }
}

function isThere({ version, isDirectory }: ListedEntry): boolean {
  return version !== undefined || isDirectory
}
