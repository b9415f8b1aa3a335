import { type BodyFraming, ChunkedFraming, LengthFraming } from './body-framing.js'

/** By names in lower case; what comes more than once is joined by commas. Bytes are characters (latin1). */
export type Headers = Record<string, string>

export interface RequestHead {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  /** The connection serves further requests. */
  readonly keepsAlive: boolean
}

/** RFC 9112, sections 3 and 5. `text`: up to the empty line. Undefined for what is no request. */
export function parseHead(text: string): RequestHead | undefined {
  const lines = text.split('\r\n')
  const [, method, url, minor] = /^([A-Z]+) (\S+) HTTP\/1\.([01])$/.exec(lines[0] ?? '') ?? []
  if (method === undefined || url === undefined) return undefined
  const headers: Headers = Object.create(null)
  for (let index = 1; index < lines.length; index++) {
    const line = lines[index] ?? ''
    const colon = line.indexOf(':')
    if (colon <= 0) return undefined
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const present = headers[name]
    headers[name] = present === undefined ? value : `${present}, ${value}`
  }
  const connection = headers.connection?.toLowerCase()
  return { method, url, headers, keepsAlive: minor === '1' ? connection !== 'close' : connection === 'keep-alive' }
}

/** How the body of a request ends; undefined when it has none. Throws when that can't be told. */
export function framingOf(headers: Headers): BodyFraming | undefined {
  const coding = headers['transfer-encoding']
  if (coding !== undefined) {
    if (coding.toLowerCase() !== 'chunked') throw new Error(`the transfer coding ${coding} is not known`)
    return new ChunkedFraming()
  }
  const length = headers['content-length']
  if (length === undefined || length === '0') return undefined
  if (!/^\d{1,15}$/.test(length)) throw new Error(`${length} is no content length`)
  return new LengthFraming(Number(length))
}
