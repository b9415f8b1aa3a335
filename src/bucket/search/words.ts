/** Where words are looked for. */
export type SearchField = 'key' | 'metadata' | 'text'

export const SEARCH_FIELDS: readonly SearchField[] = ['key', 'metadata', 'text']

/**
 * What a person writes, in the engine's language (sqlite.org/fts5.html, section 3): all words must be there; `"a phrase"`,
 * `begin*`, `-without`, `this OR that`. Everything else is taken as words, never as a command. Undefined: nothing to look for.
 */
export function wordsExpression(written: string, fields: readonly SearchField[] = SEARCH_FIELDS): string | undefined {
  const wanted: string[] = []
  const unwanted: string[] = []
  let joinsLast = false
  for (const [term] of written.matchAll(/-?"[^"]*"?\*?|\S+/g)) {
    if (term === 'OR' && wanted.length > 0) joinsLast = true
    else if (term !== 'AND') {
      const isUnwanted = term.startsWith('-') && term.length > 1
      const phrase = phraseOf(isUnwanted ? term.slice(1) : term)
      if (phrase === undefined) continue
      if (isUnwanted) unwanted.push(phrase)
      else if (joinsLast) wanted.push(`${wanted.pop() ?? ''} OR ${phrase}`)
      else wanted.push(phrase)
      joinsLast = false
    }
  }
  if (wanted.length === 0) return undefined
  const all = wanted.map(term => `(${term})`).join(' AND ')
  const without = unwanted.map(term => ` NOT ${term}`).join('')
  return `{${fields.join(' ')}} : (${all}${without})`
}

function phraseOf(term: string): string | undefined {
  const isBegin = term.endsWith('*')
  const text = term.replaceAll('"', ' ').replace(/\*$/, '').replaceAll('\0', ' ')
  // What holds no letter and no digit is no word, and would match nothing.
  if (!/[\p{L}\p{N}\p{Co}]/u.test(text)) return undefined
  return `"${text.trim()}"${isBegin ? '*' : ''}`
}
