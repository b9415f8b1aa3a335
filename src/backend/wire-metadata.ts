import type { Metadata } from './object-store.js'

const ENCODED_WORD = /^=\?UTF-8\?([BQ])\?(.*)\?=$/i
const PLAIN = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/

/**
 * HTTP headers carry ASCII without spaces at the ends. Other values go as S3 itself shows them: as an encoded word
 * (RFC 2047), in one piece.
 */
export function toWireMetadata(metadata: Metadata): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), toWire(value)]))
}

export function fromWireMetadata(metadata: Readonly<Record<string, string>> | undefined): Metadata {
  return Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, fromWire(value)]))
}

function toWire(value: string): string {
  if (value === '' || (PLAIN.test(value) && !ENCODED_WORD.test(value))) return value
  return `=?UTF-8?B?${Buffer.from(value).toString('base64')}?=`
}

function fromWire(value: string): string {
  const [, encoding, text] = ENCODED_WORD.exec(value) ?? []
  if (encoding === undefined || text === undefined) return value
  if (encoding.toUpperCase() === 'B') return Buffer.from(text, 'base64').toString()
  const bytes = text
    .replaceAll('_', ' ')
    .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString()
}
