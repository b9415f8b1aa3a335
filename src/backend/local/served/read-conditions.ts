import type { IncomingHttpHeaders } from 'node:http'
import type { ByteRange, ObjectVersion } from '../../object-store.js'
import { Refusal } from './refusal.js'

/** What a GET or HEAD is answered with: the whole, a part, or that it is as it was. */
export type Answer =
  | { readonly status: 200 }
  | { readonly status: 206; readonly range: ByteRange }
  | { readonly status: 304 }

/** By RFC 9110, 13 and 14. Throws 412 and 416. */
export function answerFor(headers: IncomingHttpHeaders, version: ObjectVersion): Answer {
  const modifiedS = Math.floor(version.lastModifiedMs / 1000)
  const isOlderThan = (date: string | undefined) => modifiedS <= Math.floor(Date.parse(date ?? '') / 1000)
  if (headers['if-match'] !== undefined) {
    if (!names(headers['if-match'], version.etag)) throw preconditionFailed()
  } else if (isDate(headers['if-unmodified-since']) && !isOlderThan(headers['if-unmodified-since']))
    throw preconditionFailed()
  if (headers['if-none-match'] !== undefined) {
    if (names(headers['if-none-match'], version.etag)) return { status: 304 }
  } else if (isDate(headers['if-modified-since']) && isOlderThan(headers['if-modified-since'])) return { status: 304 }
  const range = rangeOf(headers.range, version.sizeBytes)
  return range === undefined || !isWanted(headers['if-range'], version, modifiedS)
    ? { status: 200 }
    : { status: 206, range }
}

function preconditionFailed(): Refusal {
  return new Refusal(412, 'PreconditionFailed', 'the object is another version')
}

function isDate(text: string | undefined): boolean {
  return text !== undefined && !Number.isNaN(Date.parse(text))
}

function names(list: string, etag: string): boolean {
  return list.trim() === '*' || list.split(',').some(one => one.trim().replace(/^W\//, '') === `"${etag}"`)
}

function isWanted(ifRange: string | string[] | undefined, version: ObjectVersion, modifiedS: number): boolean {
  if (typeof ifRange !== 'string') return true
  return ifRange.startsWith('"')
    ? ifRange === `"${version.etag}"`
    : Math.floor(Date.parse(ifRange) / 1000) === modifiedS
}

/** One range of bytes; several, and what is no range, are answered with the whole. */
function rangeOf(text: string | undefined, sizeBytes: number): ByteRange | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(text?.trim() ?? '') ?? []
  if (first === '' && last === '') return undefined
  const end = first === '' || last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes)
  const offset = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first)
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined
  if (offset >= end) throw new RangeRefusal(sizeBytes)
  return { offset, lengthBytes: end - offset }
}

class RangeRefusal extends Refusal {
  override readonly headers: Readonly<Record<string, string>>

  constructor(sizeBytes: number) {
    super(416, 'InvalidRange', `the object has ${sizeBytes} bytes`)
    this.headers = { 'content-range': `bytes */${sizeBytes}` }
  }
}
