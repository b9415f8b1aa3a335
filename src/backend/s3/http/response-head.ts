import { HttpError } from './http-error.js'

/** The names of fields in lower case; a field that comes more than once has its values joined by `, `. */
export type ResponseFields = Readonly<Partial<Record<string, string>>>

/** Status line and fields of a reply (RFC 9112). */
export interface ResponseHead {
  readonly status: number
  readonly fields: ResponseFields
  /** Undefined: not told beforehand. */
  readonly bodyBytes: number | undefined
}

/** How the end of a body is found; `close` is none that can be told from a broken connection. */
export type Framing = 'length' | 'chunked' | 'close'

export interface ParsedHead extends ResponseHead {
  readonly framing: Framing
  /** The connection carries further exchanges. */
  readonly isKeptAlive: boolean
}

/** Larger heads are refused. S3's own limit for the fields of a request is 8 KiB, and replies carry the same. */
export const MAX_HEAD_BYTES = 64 * 1024

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: .*)?$/
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that no field may have
const NOT_IN_FIELD = /[\x00-\x08\x0a-\x1f\x7f]/

/** `text`: all up to the empty line and without it, in Latin-1. `isBodiless`: of a reply to HEAD. */
export function parseHead(text: string, isBodiless: boolean): ParsedHead {
  const lines = text.split('\r\n')
  const statusLine = STATUS_LINE.exec(lines[0] ?? '')
  if (statusLine === null) throw bad(`not a status line: ${JSON.stringify(lines[0]?.slice(0, 80))}`)
  const fields: Partial<Record<string, string>> = Object.create(null)
  for (let at = 1; at < lines.length; at++) addField(fields, lines[at] ?? '')
  const status = Number(statusLine[2])
  const hasNoBody = isBodiless || status < 200 || status === 204 || status === 304
  const connection = fields.connection?.toLowerCase()
  const { framing, bodyBytes } = hasNoBody ? NO_BODY : framingOf(fields)
  return {
    status,
    fields,
    framing,
    bodyBytes,
    isKeptAlive: statusLine[1] === '1' && (connection === undefined || !/(^|[, ])close($|[, ])/.test(connection)),
  }
}

const NO_BODY = { framing: 'length', bodyBytes: 0 } as const

function addField(fields: Partial<Record<string, string>>, line: string): void {
  const colon = line.indexOf(':')
  const name = line.slice(0, Math.max(colon, 0))
  // A line that begins with a space would go on with the field before: obsolete, and a way to smuggle fields.
  if (!FIELD_NAME.test(name) || NOT_IN_FIELD.test(line))
    throw bad(`not a header field: ${JSON.stringify(line.slice(0, 80))}`)
  const lower = name.toLowerCase()
  const value = line.slice(colon + 1).trim()
  const before = fields[lower]
  if (before !== undefined && lower === 'content-length' && before !== value) throw bad('two different lengths')
  fields[lower] = before === undefined || lower === 'content-length' ? value : `${before}, ${value}`
}

/** RFC 9112, 6.3. A reply with both fields is one of which two readers could see two different ends. */
function framingOf(fields: ResponseFields): { readonly framing: Framing; readonly bodyBytes: number | undefined } {
  const { 'transfer-encoding': coding, 'content-length': length } = fields
  if (coding !== undefined) {
    if (coding.toLowerCase() !== 'chunked' || length !== undefined)
      throw bad(`Transfer-Encoding ${coding}, Content-Length ${length}`)
    return { framing: 'chunked', bodyBytes: undefined }
  }
  if (length === undefined) return { framing: 'close', bodyBytes: undefined }
  const bodyBytes = /^\d{1,16}$/.test(length) ? Number(length) : Number.NaN
  if (!Number.isSafeInteger(bodyBytes)) throw bad(`Content-Length ${length}`)
  return { framing: 'length', bodyBytes }
}

function bad(message: string): HttpError {
  return new HttpError('BadHttp', `the server's reply is not good HTTP: ${message}`)
}
