import { styleText } from 'node:util'
import type { UpdateProgress } from '../../bucket/search/index-update.js'
import type { Highlight, SearchHit, SearchResult } from '../../bucket/search/search-query.js'
import { SEARCH_FIELDS, type SearchField } from '../../bucket/search/words.js'
import { parseSize } from '../../config/quantities.js'
import { EXIT, type ExitCode } from '../exit-codes.js'
import type { BucketCommand } from './command.js'
import type { CommandContext } from './context.js'

const EXAMPLES = `
Words must all be there, in any case and with or without accents; "a phrase", begin*, -without, this OR that. They are
looked for in keys, user metadata and the texts that objects hold.

Conditions of --meta: NAME, NAME=VALUE, and !=, <, <=, >, >= (numbers as numbers), ~ (contains). NAME is that of user metadata, or
key, size (10M), mtime (2024, 2024-05-31, 2024-05-31T12:00Z, or an age, -7d), type, etag; meta.size is metadata all the
same.

The index lies below the cache folder of the user and is brought up to date before each search: that costs a listing of the
bucket, and what has changed since. The first time it fetches all metadata and texts.

Examples:
  bucket search thor
  bucket search '"annual report" -draft' --prefix 2024/
  bucket search --meta name=thor --meta 'runtime>=3'
  bucket search report --meta 'size>10M' --meta 'mtime>-7d' --json

Exit codes: as always; 0 also where nothing is found.`

/** `bucket search`. */
export const search: BucketCommand = {
  describe: command =>
    command
      .description(
        'Finds objects by words in keys, metadata and texts, and by metadata, over an index on the local disk.',
      )
      .argument('[WORDS...]', 'what to look for')
      .option('--meta <CONDITION>', 'only objects for which it holds; may be repeated', collect)
      .option('--prefix <PREFIX>', 'only keys that begin with this')
      .option(
        '--in <FIELDS>',
        'where to look for the words: key, metadata, text, or several with commas between',
        collect,
      )
      .option('--limit <NUMBER>', 'so many at the most, up to 1000 (default: 20)')
      .option('--offset <NUMBER>', 'leave out so many of the best')
      .option('--keys-only', 'keys as they are, one a line, without what was found in them')
      .option('--no-update', 'ask the index as it is')
      .option('--text-size <SIZE>', 'how much of each text is looked at; 0: none (default: 256K)')
      .option('--index-dir <FOLDER>', 'where the index of this bucket is kept, and nothing else')
      .addHelpText('after', EXAMPLES),
  run: async context => {
    const { output } = context
    const query = {
      words: context.words.join(' '),
      where: context.texts('meta'),
      prefix: context.text('prefix'),
      fields: fieldsOf(context),
      limit: context.count('limit', 1),
      offset: context.count('offset', 0),
    }
    const maxTextBytes = textBytesOf(context)
    const bucket = await context.openBucket()
    const progress = progressOf(context)
    const options = { update: context.isOn('update'), indexFolder: context.text('indexDir'), maxTextBytes }
    const { signal } = context
    const searching = bucket.search(query, { ...options, signal, onProgress: progress.show })
    const result = await searching.finally(progress.end)
    if (output.isJson) output.printJson(resultJson(result))
    else output.print(...result.hits.flatMap(context.isOn('keysOnly') ? hit => [hit.key] : linesOf))
    return told(context, result, progress.last())
  },
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value]
}

function fieldsOf(context: CommandContext): readonly SearchField[] | undefined {
  const given = context.texts('in').flatMap(list => list.split(','))
  if (given.length === 0) return undefined
  return given.map(name => {
    const field = SEARCH_FIELDS.find(each => each === name.trim())
    if (field === undefined) throw context.usage('--in', SEARCH_FIELDS.join(', '), JSON.stringify(name))
    return field
  })
}

function textBytesOf(context: CommandContext): number | undefined {
  const text = context.text('textSize')
  if (text === undefined) return undefined
  const sizeBytes = parseSize(text)
  if (sizeBytes === undefined) throw context.usage('--text-size', 'a size such as 256K', JSON.stringify(text))
  return sizeBytes
}

/** What is said on standard error once the hits are shown. */
function told(context: CommandContext, result: SearchResult, update: UpdateProgress | undefined): ExitCode {
  const { output } = context
  if (update !== undefined && update.unreadable > 0)
    output.complain(`${update.unreadable} objects could not be read: they are found by their keys alone`)
  if (result.updatedMs === undefined) output.complain('the index is not complete yet: search without --no-update')
  if (result.truncated) output.remark(`...Results are truncated (${result.total} in all)...`)
  return EXIT.done
}

/** A line that is written anew while the index is brought up to date, or lines of JSON, as --progress wants it. */
function progressOf({ output }: CommandContext) {
  const isShown = output.progress === 'auto' && !output.isQuiet && process.stderr.isTTY
  let last: UpdateProgress | undefined
  const show = (progress: UpdateProgress) => {
    last = progress
    if (output.progress === 'json') output.remark(JSON.stringify({ type: 'index', ...progress }))
    else if (isShown && progress.fetched > 0)
      process.stderr.write(`\r${progress.listed} keys listed, ${progress.fetched} objects fetched\x1b[K`)
  }
  return { show, last: () => last, end: () => isShown && process.stderr.write('\r\x1b[K') }
}

function linesOf(hit: SearchHit): readonly string[] {
  const { key, metadata, text } = hit.highlights
  const lines = [key === undefined ? shown(hit.key) : marked(key)]
  for (const found of [metadata, text]) if (found !== undefined) lines.push(`    ${marked(found)}`)
  return lines
}

/** The words that were found stand out on a terminal. */
function marked({ text, ranges }: Highlight): string {
  const isStyled = process.stdout.isTTY && process.stdout.hasColors()
  let line = ''
  let at = 0
  for (const { start, end } of ranges) {
    const found = shown(text.slice(start, end))
    line += shown(text.slice(at, start)) + (isStyled ? styleText('bold', found) : found)
    at = end
  }
  return line + shown(text.slice(at))
}

/** In one line, and without what a terminal would take as a command. */
function shown(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/\p{Cc}/gu, '�')
}

function resultJson({ hits, total, truncated, updatedMs }: SearchResult): unknown {
  return {
    hits: hits.map(({ key, sizeBytes, etag, lastModifiedMs, contentType, metadata, score, highlights }) => ({
      key,
      size: sizeBytes,
      etag,
      'last-modified': new Date(lastModifiedMs).toISOString(),
      'content-type': contentType,
      metadata,
      score,
      highlights,
    })),
    total,
    truncated,
    'updated-at': updatedMs === undefined ? undefined : new Date(updatedMs).toISOString(),
  }
}
