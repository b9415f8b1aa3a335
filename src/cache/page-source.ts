import type { ListPage } from '../backend/object-store.js'

/** Where the entries of one directory come from: in key order, each told once, and undefined behind the last page. */
export interface PageSource {
  next(): Promise<ListPage | undefined>
}

/** Whose entries, and behind which key they begin. */
export interface PageQuery {
  readonly prefix: string
  readonly startAfter?: string | undefined
}
