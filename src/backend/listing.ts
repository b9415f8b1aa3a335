import { compareKeys } from './keys.js'
import type { ListOptions, ListPage, ObjectVersion } from './object-store.js'

/** A page holds at the most so many objects and prefixes together, as with S3. */
export const MAX_PAGE = 1000

/** What a listing asks for, with all defaults filled in. */
export interface ListQuery {
  readonly prefix: string
  readonly delimiter: '/' | undefined
  /** Only what is behind this in key order; the cursor of a page is the last thing that it holds. */
  readonly after: string
  readonly limit: number
}

export function listQuery(options: ListOptions): ListQuery {
  return {
    prefix: options.prefix ?? '',
    delimiter: options.delimiter,
    after: options.cursor ?? options.startAfter ?? '',
    limit: Math.max(1, Math.min(options.limit ?? MAX_PAGE, MAX_PAGE)),
  }
}

/** The common prefix into which a key is rolled up, if any. */
export function commonPrefixOf(key: string, query: ListQuery): string | undefined {
  if (query.delimiter === undefined) return undefined
  const at = key.indexOf(query.delimiter, query.prefix.length)
  return at < 0 ? undefined : key.slice(0, at + query.delimiter.length)
}

/** One thing of a page: an object, or a common prefix. */
export type ListItem = ObjectVersion | { readonly commonPrefix: string }

/** Collects a page; the caller offers items in key order until `add` says that the page is full. */
export class PageBuilder {
  readonly #query: ListQuery
  readonly #objects: ObjectVersion[] = []
  readonly #prefixes: string[] = []
  #last: string | undefined
  #more = false

  constructor(query: ListQuery) {
    this.#query = query
  }

  /** False: the item was not taken, the page is full. What is not behind `after` is passed over. */
  add(item: ListItem): boolean {
    const name = 'commonPrefix' in item ? item.commonPrefix : item.key
    if (compareKeys(name, this.#query.after) <= 0 || name === this.#last) return true
    if (this.#objects.length + this.#prefixes.length >= this.#query.limit) {
      this.#more = true
      return false
    }
    if ('commonPrefix' in item) this.#prefixes.push(name)
    else this.#objects.push(item)
    this.#last = name
    return true
  }

  page(): ListPage {
    const page = { objects: this.#objects, prefixes: this.#prefixes }
    return this.#more && this.#last !== undefined ? { ...page, next: this.#last } : page
  }
}
