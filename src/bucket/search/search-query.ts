import type { Metadata } from '../../backend/object-store.js'
import { StoreError } from '../../backend/store-error.js'
import { type Condition, conditionTest, parseCondition, type SqlTest } from './condition.js'
import { type IndexFile, MARK_BEGIN, MARK_END } from './index-file.js'
import { SEARCH_FIELDS, type SearchField, wordsExpression } from './words.js'

export interface SearchQuery {
  /** All must be there; `"a phrase"`, `begin*`, `-without`, `this OR that`. Empty: by `where` and `prefix` alone. */
  readonly words?: string | undefined
  /** Where words are looked for. Default: everywhere. */
  readonly fields?: readonly SearchField[] | undefined
  /** All must hold: `name=thor`, `runtime>=3`, `size>10M`, `mtime>-7d`, or in parts. */
  readonly where?: readonly (string | Condition)[] | undefined
  /** Only keys that begin with this. */
  readonly prefix?: string | undefined
  /** Default 20, at the most 1,000. */
  readonly limit?: number | undefined
  /** So many of the best are left out: for the next page. */
  readonly offset?: number | undefined
}

/** A piece of text in which words were found: from each `start` up to, and without, `end`. */
export interface Highlight {
  readonly text: string
  readonly ranges: readonly { readonly start: number; readonly end: number }[]
}

export interface SearchHit {
  readonly key: string
  readonly sizeBytes: number
  readonly etag: string
  readonly lastModifiedMs: number
  readonly contentType: string | undefined
  readonly metadata: Metadata
  /** The larger, the better: comparable within one search. 0 without words. */
  readonly score: number
  /** Where the words were found; the whole key, and a piece of the metadata and of the text. */
  readonly highlights: Readonly<Partial<Record<SearchField, Highlight>>>
}

export interface SearchResult {
  /** The best first; without words in key order. */
  readonly hits: readonly SearchHit[]
  /** How many there are beside and before these. */
  readonly total: number
  /** There are more behind these. */
  readonly truncated: boolean
  /** When the update was begun that the index shows; undefined: none has gone through yet, hits are missing. */
  readonly updatedMs: number | undefined
}

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 1000
const SNIPPET_WORDS = 24
/** A word in the key says more than one in the metadata, and that more than one in a text. */
const WEIGHTS = '8.0, 4.0, 1.0'

/** Throws `invalid` for what can't be understood. `nowMs` is what `mtime>-7d` is counted from. */
export function findIn(file: IndexFile, query: SearchQuery, nowMs: number): SearchResult {
  const { words = '', fields, where = [], prefix = '', offset = 0 } = query
  const limit = Math.max(1, Math.min(query.limit ?? DEFAULT_LIMIT, MAX_LIMIT))
  const expression = words.trim() === '' ? undefined : wordsExpression(words, fields)
  if (words.trim() !== '' && expression === undefined)
    throw new StoreError('invalid', `there is no word to look for in ${JSON.stringify(words)}`, { operation: 'search' })
  const tests = where.map(one => conditionTest(typeof one === 'string' ? parseCondition(one) : one, nowMs))
  if (prefix !== '') tests.push(prefixTest(prefix))
  if (expression !== undefined) tests.push({ sql: 'words MATCH ?', values: [expression] })
  const from = `FROM objects ${expression === undefined ? '' : 'JOIN words ON words.rowid = objects.id'} ${whereOf(tests)}`
  const values = tests.flatMap(test => test.values)
  const total = Number(file.rows(`SELECT count(*) AS total ${from}`, values)[0]?.total ?? 0)
  const columns = `objects.* ${expression === undefined ? '' : `, ${FOUND}`}`
  const order = expression === undefined ? 'objects.key' : 'score DESC, objects.key'
  const rows = file.rows(`SELECT ${columns} ${from} ORDER BY ${order} LIMIT ? OFFSET ?`, [...values, limit, offset])
  return { hits: rows.map(hitOf), total, truncated: offset + rows.length < total, updatedMs: file.updatedMs }
}

const snippet = (column: number) => `snippet(words, ${column}, '${MARK_BEGIN}', '${MARK_END}', '…', ${SNIPPET_WORDS})`
const FOUND = [
  `-bm25(words, ${WEIGHTS}) AS score`,
  `highlight(words, 0, '${MARK_BEGIN}', '${MARK_END}') AS inKey`,
  `${snippet(1)} AS inMetadata`,
  `${snippet(2)} AS inText`,
].join(', ')

function prefixTest(prefix: string): SqlTest {
  return { sql: '(objects.key >= ? AND substr(objects.key, 1, ?) = ?)', values: [prefix, [...prefix].length, prefix] }
}

function whereOf(tests: readonly SqlTest[]): string {
  return tests.length === 0 ? '' : `WHERE ${tests.map(test => test.sql).join(' AND ')}`
}

function hitOf(row: Readonly<Record<string, unknown>>): SearchHit {
  const found: Readonly<Record<SearchField, unknown>> = { key: row.inKey, metadata: row.inMetadata, text: row.inText }
  const highlights: Partial<Record<SearchField, Highlight>> = {}
  for (const field of SEARCH_FIELDS) {
    const highlight = typeof found[field] === 'string' ? highlightOf(found[field]) : undefined
    if (highlight !== undefined && highlight.ranges.length > 0) highlights[field] = highlight
  }
  return {
    key: String(row.key),
    sizeBytes: Number(row.size),
    etag: String(row.etag),
    lastModifiedMs: Number(row.modified),
    contentType: row.type === null ? undefined : String(row.type),
    metadata: JSON.parse(String(row.metadata)) as Metadata,
    score: Number(row.score ?? 0),
    highlights,
  }
}

function highlightOf(marked: string): Highlight {
  const ranges: { start: number; end: number }[] = []
  let text = ''
  for (const [at, piece] of marked.split(MARK_BEGIN).entries()) {
    const [found = '', rest = ''] = at === 0 ? ['', piece] : piece.split(MARK_END)
    if (found !== '') ranges.push({ start: text.length, end: text.length + found.length })
    text += found + rest
  }
  return { text, ranges }
}
