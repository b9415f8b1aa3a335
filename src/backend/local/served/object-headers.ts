import type { IncomingHttpHeaders } from 'node:http'
import type { Attachments, ObjectHeaders, ObjectInfo } from '../../object-store.js'
import { fromWireMetadata, toWireMetadata } from '../../wire-metadata.js'

const HEADERS: Readonly<Record<keyof ObjectHeaders, string>> = {
  contentType: 'content-type',
  contentEncoding: 'content-encoding',
  contentDisposition: 'content-disposition',
  contentLanguage: 'content-language',
  cacheControl: 'cache-control',
  expires: 'expires',
}

const METADATA_START = 'x-amz-meta-'
const CARRIED = /^[\t\x20-\x7e]*$/

/** What a reply tells of an object, beside the length of its body. */
export function replyHeaders(info: ObjectInfo, overrides: ReadonlyMap<string, string>): Record<string, string> {
  const all: Record<string, string> = {
    'content-type': 'application/octet-stream',
    etag: `"${info.etag}"`,
    'last-modified': new Date(info.lastModifiedMs).toUTCString(),
    'accept-ranges': 'bytes',
    'x-content-type-options': 'nosniff',
  }
  for (const [name, header] of Object.entries(HEADERS)) {
    const value = overrides.get(`response-${header}`) ?? info.headers[name as keyof ObjectHeaders]
    if (value !== undefined && CARRIED.test(value)) all[header] = value
  }
  for (const [name, value] of Object.entries(toWireMetadata(info.metadata)))
    if (/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) all[METADATA_START + name] = value
  return all
}

/** What an upload wants kept with its bytes. Names in lower case. */
export function attachmentsOf(header: (name: string) => string | undefined, names: Iterable<string>): Attachments {
  const headers = Object.fromEntries(
    Object.entries(HEADERS).flatMap(([name, wire]) => {
      const value = header(wire)
      return value === undefined ? [] : [[name, value]]
    }),
  )
  const metadata: Record<string, string> = {}
  for (const name of names)
    if (name.startsWith(METADATA_START)) metadata[name.slice(METADATA_START.length)] = header(name) ?? ''
  return { headers, metadata: fromWireMetadata(metadata) }
}

export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
