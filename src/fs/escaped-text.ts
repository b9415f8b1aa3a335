import { isUtf8 } from 'node:buffer'

/** The longest beginning of escaped text that one piece of a long component shows, in bytes. */
const MAX_PIECE_BYTES = 240

/** What a piece has at least where more follows: the next character or token took up to 4 bytes. */
const MIN_FULL_PIECE_BYTES = MAX_PIECE_BYTES - 3

const PERCENT = 0x25

/** Text as a file name can hold it: `%` and NUL as `%25` and `%00`. */
export function escapeText(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\0', '%00')
}

/** What `escapeText` gave this; undefined for anything else. */
export function unescapeText(escaped: string): string | undefined {
  const text = escaped.replaceAll('%00', '\0').replaceAll('%25', '%')
  return escapeText(text) === escaped ? text : undefined
}

/** Cuts escaped text into pieces: each the longest of whole characters and tokens that has at most 240 bytes. */
export function cutEscaped(escaped: string): readonly string[] {
  const bytes = Buffer.from(escaped)
  const pieces: string[] = []
  for (let start = 0; start < bytes.length; ) {
    const end = cutAt(bytes, start)
    pieces.push(bytes.toString('utf8', start, end))
    start = end
  }
  return pieces
}

/** A piece that may have a next one. */
export function isFullPiece(piece: string): boolean {
  const sizeBytes = Buffer.byteLength(piece)
  return sizeBytes >= MIN_FULL_PIECE_BYTES && sizeBytes <= MAX_PIECE_BYTES
}

function cutAt(bytes: Uint8Array, start: number): number {
  let end = start + MAX_PIECE_BYTES
  if (end >= bytes.length) return bytes.length
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  if (bytes[end - 1] === PERCENT) return end - 1
  return bytes[end - 2] === PERCENT ? end - 2 : end
}

/** Bytes as text: what is UTF-8 stays, but for `%` (`%25`); every other byte is `%HH`. */
export function escapeBytes(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceAt(bytes, at)
    const byte = bytes[at] ?? 0
    if (length === 0 || byte === PERCENT) text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    else text += Buffer.from(bytes.subarray(at, at + length)).toString()
    at += Math.max(1, length)
  }
  return text
}

/** What `escapeBytes` gave this; undefined for anything else. */
export function unescapeBytes(text: string): Buffer | undefined {
  const parts = text.split(/%([0-9A-F]{2})/)
  const bytes = Buffer.concat(parts.map((part, i) => Buffer.from(part, i % 2 === 0 ? 'utf8' : 'hex')))
  return escapeBytes(bytes) === text ? bytes : undefined
}

/** How many bytes the UTF-8 character at this place has; 0 where none begins. */
function sequenceAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0
  if (first < 0x80) return 1
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
  const end = at + length
  return end <= bytes.length && isUtf8(bytes.subarray(at, end)) ? length : 0
}
