import { compareKeys } from '../backend/keys.js'
import type { ListPage, ObjectStore } from '../backend/object-store.js'
import type { PageQuery, PageSource } from './page-source.js'
import { splitPoints } from './split-points.js'

/** A part of the names, behind one and up to another, that is listed page by page. */
interface Chain {
  /** Where its next page begins: behind a name, or as the page before it said. */
  at: { readonly startAfter?: string | undefined; readonly cursor?: string }
  /** The last name that belongs to it; undefined: it goes on to the end. */
  end: string | undefined
  /** Pages that have come and nobody has taken. */
  readonly pages: ListPage[]
  isOver: boolean
  hasBegun: boolean
  /** Never rejects: the error waits for whoever takes the page. */
  asked: Promise<void> | undefined
  failure: { readonly error: unknown } | undefined
}

/** The next page is asked for before somebody wants it when so many were taken: most folders end before, most lookups too. */
const PAGES_BEFORE_AHEAD = 2
/** From so many on at several places at once: parts that end in a page that is not full cost requests. */
const PAGES_BEFORE_SPLIT = 10
const CHAINS_AT_ONCE = 8
/** Pages that nobody has taken, or that are under way. */
const MAX_PAGES_AHEAD = 32
/** For each further page that was taken so many more: who stops early costs little. */
const AHEAD_PER_PAGE = 2

/**
 * The pages of a large folder, asked for at several places at once. The names that have come tell how the next ones
 * may look, and so where to cut; each part is listed page by page up to where the next one begins. It does not matter
 * for the outcome whether the guess is good: parts that hold nothing cost a request, and a page that reaches over a
 * part that has not begun takes it over.
 *
 * Invariant: the chains stand in key order, each behind the last, and all names that were not handed out belong to one.
 */
export class SplitPages implements PageSource {
  readonly #store: Pick<ObjectStore, 'list'>
  readonly #prefix: string
  #chains: Chain[]
  #taken = 0

  constructor(store: Pick<ObjectStore, 'list'>, { prefix, startAfter }: PageQuery) {
    this.#store = store
    this.#prefix = prefix
    this.#chains = [newChain(startAfter, undefined)]
  }

  async next(): Promise<ListPage | undefined> {
    for (;;) {
      const [first] = this.#chains
      if (first === undefined) return undefined
      const page = first.pages.shift()
      if (page !== undefined) return this.#hand(page)
      if (first.isOver) this.#chains.shift()
      else await this.#wait(first)
    }
  }

  #hand(page: ListPage): ListPage {
    this.#taken += 1
    while (this.#chains[0]?.isOver === true && this.#chains[0].pages.length === 0) this.#chains.shift()
    this.#askAhead()
    const { objects, prefixes } = page
    return { objects, prefixes, next: this.#chains.length > 0 ? 'more' : undefined }
  }

  async #wait(chain: Chain): Promise<void> {
    if (chain.failure === undefined) this.#ask(chain)
    await chain.asked
    const { failure } = chain
    if (failure === undefined) return
    chain.failure = undefined
    throw failure.error
  }

  #askAhead(): void {
    if (this.#taken < PAGES_BEFORE_AHEAD) return
    let ahead = this.#chains.reduce((sum, chain) => sum + chain.pages.length + Number(chain.asked !== undefined), 0)
    const isLarge = this.#taken >= PAGES_BEFORE_SPLIT
    const room = isLarge ? Math.min(MAX_PAGES_AHEAD, AHEAD_PER_PAGE * (this.#taken - PAGES_BEFORE_SPLIT + 1)) : 1
    for (const chain of this.#chains.slice(0, CHAINS_AT_ONCE)) {
      if (ahead >= room) return
      if (chain.isOver || chain.asked !== undefined || chain.failure !== undefined) continue
      this.#ask(chain)
      ahead += 1
    }
  }

  #ask(chain: Chain): void {
    if (chain.asked !== undefined) return
    chain.hasBegun = true
    const query = { prefix: this.#prefix, delimiter: '/' as const, ...chain.at }
    chain.asked = this.#store.list(query).then(
      page => this.#arrived(chain, page),
      (error: unknown) => {
        chain.asked = undefined
        chain.failure = { error }
      },
    )
  }

  #arrived(chain: Chain, page: ListPage): void {
    chain.asked = undefined
    // A last page has come before it in the meantime.
    if (!this.#chains.includes(chain)) return
    const last = lastName(page)
    this.#takeOver(chain, last)
    const { end } = chain
    const isOwn = (name: string) => end === undefined || compareKeys(name, end) <= 0
    const objects = page.objects.filter(({ key }) => isOwn(key))
    const prefixes = page.prefixes.filter(isOwn)
    chain.pages.push({ objects, prefixes })
    if (page.next !== undefined) chain.at = { cursor: page.next }
    const isAllOwn = objects.length === page.objects.length && prefixes.length === page.prefixes.length
    chain.isOver = page.next === undefined || !isAllOwn || (last !== undefined && last === end)
    // Behind a last page there is nothing, whoever was to look there.
    if (page.next === undefined && isAllOwn) this.#chains = this.#chains.slice(0, this.#chains.indexOf(chain) + 1)
    else if (!chain.isOver && this.#taken + 1 >= PAGES_BEFORE_SPLIT) this.#split(chain, page)
    this.#askAhead()
  }

  /** What a page reaches over need not be listed again. */
  #takeOver(chain: Chain, last: string | undefined): void {
    for (let next = this.#behind(chain); next?.hasBegun === false; next = this.#behind(chain)) {
      if (last === undefined || chain.end === undefined || compareKeys(last, chain.end) <= 0) return
      chain.end = next.end
      this.#chains.splice(this.#chains.indexOf(next), 1)
    }
  }

  #behind(chain: Chain): Chain | undefined {
    return this.#chains[this.#chains.indexOf(chain) + 1]
  }

  #split(chain: Chain, page: ListPage): void {
    if (this.#chains.length >= CHAINS_AT_ONCE) return
    const names = [...page.objects.map(({ key }) => key), ...page.prefixes].sort(compareKeys)
    const { end } = chain
    const points = splitPoints(names, this.#prefix.length, CHAINS_AT_ONCE - this.#chains.length).filter(
      point => end === undefined || compareKeys(point, end) < 0,
    )
    if (points.length === 0) return
    const parts = points.map((point, index) => newChain(point, points[index + 1] ?? end))
    chain.end = points[0]
    this.#chains.splice(this.#chains.indexOf(chain) + 1, 0, ...parts)
  }
}

function newChain(startAfter: string | undefined, end: string | undefined): Chain {
  const at = { startAfter }
  return { at, end, pages: [], isOver: false, hasBegun: false, asked: undefined, failure: undefined }
}

function lastName({ objects, prefixes }: ListPage): string | undefined {
  const [object, prefix] = [objects.at(-1)?.key, prefixes.at(-1)]
  if (object === undefined || prefix === undefined) return object ?? prefix
  return compareKeys(object, prefix) > 0 ? object : prefix
}
