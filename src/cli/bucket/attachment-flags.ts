import type { Command } from 'commander'
import type { Metadata, ObjectHeaders } from '../../backend/object-store.js'
import type { CommandContext } from './context.js'

/** The content headers by their names in HTTP. */
const HEADERS = {
  'content-type': 'contentType',
  'content-encoding': 'contentEncoding',
  'content-disposition': 'contentDisposition',
  'content-language': 'contentLanguage',
  'cache-control': 'cacheControl',
  expires: 'expires',
} as const satisfies Record<string, keyof ObjectHeaders>

const META_PREFIX = 'x-amz-meta-'

/** Adds the flags for what is kept beside an object's bytes. */
export function addAttachmentFlags(command: Command): Command {
  return command
    .option('--content-type <TYPE>', 'the content type')
    .option('--content-encoding <NAME>', 'the header Content-Encoding')
    .option('--content-disposition <TEXT>', 'the header Content-Disposition')
    .option('--content-language <NAME>', 'the header Content-Language')
    .option('--cache-control <TEXT>', 'the header Cache-Control')
    .option(
      '-d, --header <NAME=VALUE>',
      'a header by its name; what is none of those above is metadata; may be repeated',
      collected,
    )
    .option('-m, --meta <NAME=VALUE>', 'metadata of your own; may be repeated', collected)
}

export function collected(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value]
}

export interface GivenAttachments {
  readonly headers: ObjectHeaders
  readonly metadata: Metadata
}

/** What the flags say. Throws a ConfigurationError for what is not NAME=VALUE. */
export function readAttachments(context: CommandContext): GivenAttachments {
  const headers: Partial<Record<keyof ObjectHeaders, string>> = {}
  const metadata: Record<string, string> = {}
  for (const [name, value] of pairs(context, 'header', '--header')) {
    const header = headerOf(name)
    if (header === undefined) metadata[bareName(name)] = value
    else headers[header] = value
  }
  for (const [name, value] of pairs(context, 'meta', '--meta')) metadata[bareName(name)] = value
  for (const header of Object.values(HEADERS)) {
    const text = context.text(header)
    if (text !== undefined) headers[header] = text
  }
  return { headers, metadata }
}

function headerOf(name: string): keyof ObjectHeaders | undefined {
  const lower = name.toLowerCase()
  return Object.hasOwn(HEADERS, lower) ? HEADERS[lower as keyof typeof HEADERS] : undefined
}

function bareName(name: string): string {
  const lower = name.toLowerCase()
  return lower.startsWith(META_PREFIX) ? lower.slice(META_PREFIX.length) : lower
}

function pairs(context: CommandContext, flag: string, place: string): readonly (readonly [string, string])[] {
  return context.texts(flag).map(text => {
    const at = text.indexOf('=')
    if (at <= 0) throw context.usage(place, 'NAME=VALUE', JSON.stringify(text))
    return [text.slice(0, at).trim(), text.slice(at + 1)] as const
  })
}
