import mime from 'mime'

/** Types beside `text/*` whose contents are words (and every `+json`, `+xml`, `+yaml`). */
const TEXT_TYPES: ReadonlySet<string> = new Set([
  'application/json',
  'application/x-ndjson',
  'application/jsonl',
  'application/json5',
  'application/xml',
  'application/yaml',
  'application/x-yaml',
  'application/toml',
  'application/javascript',
  'application/ecmascript',
  'application/typescript',
  'application/x-sh',
  'application/x-httpd-php',
  'application/sql',
  'application/x-sql',
  'application/x-tex',
  'application/x-subrip',
  'application/graphql',
  'application/rtf',
  'application/x-www-form-urlencoded',
  'message/rfc822',
])

/** What stores say of objects that were put without a type. */
const NO_TYPE: ReadonlySet<string> = new Set(['', 'application/octet-stream', 'binary/octet-stream'])

/** Whether contents are text, by the content type, and by the key where that says nothing. */
export function isTextLike(key: string, contentType: string | undefined, contentEncoding?: string): boolean {
  if (contentEncoding !== undefined && !['', 'identity'].includes(contentEncoding.trim())) return false
  const type = contentType?.replace(/;.*/s, '').trim().toLowerCase() ?? ''
  return isTextType(NO_TYPE.has(type) ? (mime.getType(key) ?? '') : type)
}

function isTextType(type: string): boolean {
  if (type === 'text/rtf') return false
  return type.startsWith('text/') || /\+(json|xml|yaml)$/.test(type) || TEXT_TYPES.has(type)
}

/**
 * The text that bytes hold: UTF-8, or UTF-16 with a byte order mark. `isCut` says that they are the beginning of more. Empty for bytes
 * with zeros among them, which are no text whatever their type says.
 */
export function textOf(bytes: Uint8Array, isCut: boolean): string {
  const isUtf16 =
    bytes.length >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
  const encoding = !isUtf16 ? 'utf-8' : bytes[0] === 0xff ? 'utf-16le' : 'utf-16be'
  if (!isUtf16 && bytes.includes(0)) return ''
  // A character that the bound has cut in two is left out.
  return new TextDecoder(encoding).decode(bytes, { stream: isCut })
}
