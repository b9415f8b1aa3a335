import type { ListPage, ObjectStore } from '../backend/object-store.js'

/** Where the entries of one directory come from: in key order, each told once, and undefined behind the last page. */
export interface PageSource {
  next(): Promise<ListPage | undefined>
}

/** Whose entries, and behind which key they begin. */
export interface PageQuery {
  readonly prefix: string
  readonly startAfter?: string | undefined
}

/** One page after the other. Whoever gets an error may ask for the same page again. */
export class PagesInTurn implements PageSource {
  readonly #store: Pick<ObjectStore, 'list'>
  readonly #query: PageQuery
  #cursor: string | undefined
  #isOver = false

  constructor(store: Pick<ObjectStore, 'list'>, query: PageQuery) {
    this.#store = store
    this.#query = query
  }

  async next(): Promise<ListPage | undefined> {
    if (this.#isOver) return undefined
    const { prefix, startAfter } = this.#query
    const place = this.#cursor === undefined ? { startAfter } : { cursor: this.#cursor }
    const page = await this.#store.list({ prefix, delimiter: '/', ...place })
    this.#cursor = page.next
    this.#isOver = page.next === undefined
    return page
  }
}
