import { StoreError } from '../../backend/store-error.js'
import { numberOf } from './index-file.js'

export type ConditionOperator = '=' | '!=' | '<' | '<=' | '>' | '>=' | '~'

/**
 * What an object must be: `name` is a name of its user metadata (`meta.size` where it is one of the following), or `key`, `size`
 * (bytes), `mtime`, `etag`, `type`. `~` is "contains", whatever the case. Without operator and value: there is such metadata.
 */
export interface Condition {
  readonly name: string
  readonly operator?: ConditionOperator | undefined
  readonly value?: string | undefined
}

/** A piece of SQL about the row `objects`, with what stands for its question marks. */
export interface SqlTest {
  readonly sql: string
  readonly values: readonly (string | number)[]
}

const COLUMNS: Readonly<Record<string, string>> = { key: 'objects.key', etag: 'objects.etag', type: 'objects.type' }

/** `name=thor`, `runtime>=3`, `size>10M`, `mtime>=2024-05`, `mtime>-7d`, `title~report`, or a name alone. Throws `invalid`. */
export function parseCondition(written: string): Condition {
  const [, name = '', operator, value] = /^([^=!<>~]+?)\s*(?:(=|!=|<=|>=|<|>|~)\s*(.*))?$/s.exec(written.trim()) ?? []
  if (name === '') throw notUnderstood(written, 'NAME=VALUE with =, !=, <, <=, >, >= or ~, or NAME')
  return operator === undefined ? { name } : { name, operator: operator as ConditionOperator, value: value ?? '' }
}

/** Throws `invalid` for values that are not what the name wants. `nowMs` is what times before now are counted from. */
export function conditionTest(condition: Condition, nowMs: number): SqlTest {
  const { name, operator, value = '' } = condition
  if (operator === undefined) return metadataTest(bareName(name), 'TRUE', [])
  if (name === 'size') return sizeTest(operator, value)
  if (name === 'mtime') return timeTest(operator, value, nowMs)
  const column = COLUMNS[name]
  if (column !== undefined) return textTest(column, operator, value)
  if (operator === '!=') {
    const { sql, values } = conditionTest({ name, operator: '=', value }, nowMs)
    return { sql: `NOT ${sql}`, values }
  }
  const number = numberOf(value)
  const text = textTest('value', operator, value)
  if (number === undefined || operator === '~') return metadataTest(bareName(name), text.sql, text.values)
  // Numbers compare as numbers; where one side is none there is no order, but the same text is still the same.
  const numeric = `number ${operator} ?`
  if (operator !== '=') return metadataTest(bareName(name), numeric, [number])
  return metadataTest(bareName(name), `(${numeric} OR ${text.sql})`, [number, ...text.values])
}

function metadataTest(name: string, sql: string, values: readonly (string | number)[]): SqlTest {
  const test = `EXISTS (SELECT 1 FROM metadata WHERE metadata.object = objects.id AND name = ? AND ${sql})`
  return { sql: test, values: [name, ...values] }
}

/** Stores keep names in lower case. */
function bareName(name: string): string {
  return name.replace(/^meta\./, '').toLowerCase()
}

function textTest(column: string, operator: ConditionOperator, value: string): SqlTest {
  if (operator === '!=') return { sql: `(${column} IS NULL OR ${column} != ?)`, values: [value] }
  if (operator !== '~') return { sql: `${column} ${operator} ?`, values: [value] }
  return { sql: `${column} LIKE ? ESCAPE '\\'`, values: [`%${value.replace(/[\\%_]/g, '\\$&')}%`] }
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1, M: 2, G: 3, T: 4, P: 5 }

function sizeTest(operator: ConditionOperator, value: string): SqlTest {
  const [, number, unit = '', kind = ''] = /^\s*(\d+(?:\.\d+)?)\s*([KMGTP]?)(i?B)?\s*$/i.exec(value) ?? []
  if (number === undefined || operator === '~')
    throw notUnderstood(`size${operator}${value}`, 'size>10M (K, M, G, T, P)')
  const base = /^b$/i.test(kind) ? 1000 : 1024
  const power = unit === '' ? 0 : (UNITS[unit.toUpperCase()] ?? 0)
  return { sql: `objects.size ${operator} ?`, values: [Number(number) * base ** power] }
}

/** A year, month, day or second is a span: `=` is within it, `>` behind its end, `<` before its beginning. */
function timeTest(operator: ConditionOperator, value: string, nowMs: number): SqlTest {
  const [beginMs, endMs] = spanOf(value.trim(), nowMs) ?? []
  if (beginMs === undefined || endMs === undefined || operator === '~')
    throw notUnderstood(
      `mtime${operator}${value}`,
      'mtime>=2024-05-31, mtime<2024-05-31T12:00Z or mtime>-7d (s, m, h, d)',
    )
  const column = 'objects.modified'
  switch (operator) {
    case '=':
      return { sql: `(${column} >= ? AND ${column} < ?)`, values: [beginMs, endMs] }
    case '!=':
      return { sql: `(${column} < ? OR ${column} >= ?)`, values: [beginMs, endMs] }
    case '>':
    case '<=':
      return { sql: `${column} ${operator === '>' ? '>=' : '<'} ?`, values: [endMs] }
    case '<':
    case '>=':
      return { sql: `${column} ${operator} ?`, values: [beginMs] }
  }
}

const SECOND_MS = 1000
const AGES_MS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

function spanOf(value: string, nowMs: number): readonly [number, number] | undefined {
  const [, count, unit = ''] = /^-(\d+)([smhd])$/.exec(value) ?? []
  if (count !== undefined) {
    const atMs = nowMs - Number(count) * (AGES_MS[unit] ?? 0) * SECOND_MS
    return [atMs, atMs]
  }
  const [, year, month, day, time] = /^(\d{4})(?:-(\d\d)(?:-(\d\d)([T ].+)?)?)?$/.exec(value) ?? []
  if (year === undefined) return undefined
  const beginMs = Date.parse(value.replace(' ', 'T'))
  if (Number.isNaN(beginMs)) return undefined
  if (time !== undefined)
    return [beginMs, beginMs + (/:\d\d:\d\d\.\d/.test(time) ? 1 : /:\d\d:\d\d/.test(time) ? SECOND_MS : 60 * SECOND_MS)]
  const [y, m] = [Number(year), Number(month ?? 1) - 1]
  if (day !== undefined) return [beginMs, beginMs + 86_400 * SECOND_MS]
  return [beginMs, month === undefined ? Date.UTC(y + 1, 0) : Date.UTC(y, m + 1)]
}

function notUnderstood(written: string, expected: string): StoreError {
  return new StoreError('invalid', `not a condition: ${written} (expected ${expected})`, { operation: 'search' })
}
