/**
 * File names and the components of keys, both ways; statement 8 of doc/SEMANTICS.md shows the scheme with examples.
 *
 * A *component* is what stands between two slashes of a key: well-formed text without `/`, also none at all. A
 * *name* is 1 to 255 bytes without `/` and NUL, neither `.` nor `..`. Ordinary ones are the same. The rest is shown
 * behind the one escape character, and whatever looks like that without being it has one escape character more:
 *
 * - names that stand for something else: `␛k` + a component that no name shows, `␛+` + the beginning of a component
 *   too long for one name (a *partial* directory), `␛o` the object that has the directory's own key;
 * - components that stand for a name that is no UTF-8: `␛b` + its bytes.
 *
 * A *slot* is how a directory calls a child: a component as it is, SELF_SLOT, or a partial directory.
 */
import { isUtf8 } from 'node:buffer'
import { MAX_KEY_BYTES } from '../backend/keys.js'
import { cutEscaped, escapeBytes, escapeText, isFullPiece, unescapeBytes, unescapeText } from './escaped-text.js'
import { FsError } from './fs-error.js'

/** The longest file name, in bytes (NAME_MAX of Linux). */
export const MAX_NAME_BYTES = 255

/** The object whose key is the directory's own without the trailing slash. Components hold no `/`. */
export const SELF_SLOT = '/o'

const ESC = '\u241b'
const PARTIAL_SLOT = '/+'
const COMPONENT_MARK = `${ESC}k`
const PARTIAL_MARK = `${ESC}+`
const BYTES_MARK = `${ESC}b`
const SELF_NAME = `${ESC}o`
/** Text of so many UTF-16 units has at most 255 bytes. */
const SURELY_SHORT = MAX_NAME_BYTES / 3
/** What `escapeText` leaves alone and no name can be. */
const DOTS = new Map([
  ['.', '%2E'],
  ['..', '%2E.'],
])
const ESCAPED_DOTS = new Map([...DOTS].map(([dots, escaped]) => [escaped, dots]))

/**
 * The slot that a name stands for in a directory; `partial` is the beginning that all components in it share, '' in
 * ordinary directories. ENAMETOOLONG over 255 bytes; ENOENT where the name means nothing, which only happens in
 * partial directories.
 */
export function slotOf(name: Uint8Array, partial: string): string {
  if (name.length > MAX_NAME_BYTES) throw new FsError('ENAMETOOLONG', `a name of ${name.length} bytes`)
  if (partial !== '') return slotInPartial(name, partial)
  if (!isUtf8(name)) return BYTES_MARK + escapeBytes(name)
  const text = Buffer.from(name.buffer, name.byteOffset, name.length).toString()
  if (!text.startsWith(ESC)) return text
  const meaning = meaningOf(text)
  if (meaning !== undefined) return meaning
  const root = withOneEscape(text)
  if (root !== text && meaningOf(root) !== undefined) return text.slice(1)
  return bytesOf(root) === undefined ? text : ESC + text
}

/**
 * As what a directory lists a component of its prefix: the component itself, or the partial directory that leads to
 * it. Undefined when it does not belong there; in ordinary directories every component does.
 */
export function entryOf(
  component: string,
  partial: string,
): { readonly slot: string; readonly name: Buffer } | undefined {
  if (partial === '') {
    const name = basicName(component)
    if (name !== undefined) return { slot: component, name }
    const escaped = DOTS.get(component) ?? escapeText(component)
    const only = Buffer.from(COMPONENT_MARK + escaped)
    if (only.length <= MAX_NAME_BYTES) return { slot: component, name: only }
    return piece(component, cutEscaped(escaped), 0)
  }
  if (!component.startsWith(partial) || basicName(component) !== undefined) return undefined
  const escaped = escapeText(component)
  if (Buffer.byteLength(COMPONENT_MARK + escaped) <= MAX_NAME_BYTES) return undefined
  const pieces = cutEscaped(escaped)
  const index = pieceBehind(pieces, escapeText(partial))
  return index === undefined ? undefined : piece(component, pieces, index)
}

/** The name of a child in a directory. */
export function nameOfSlot(slot: string, partial: string): Buffer {
  if (slot === SELF_SLOT) return Buffer.from(SELF_NAME)
  if (isPartial(slot)) return Buffer.from(PARTIAL_MARK + escapeText(partialText(slot).slice(partial.length)))
  const entry = entryOf(slot, partial)
  if (entry?.slot !== slot) throw new FsError('ENOENT', 'a component outside of its directory')
  return entry.name
}

/** The slot is surely a component that an ordinary directory shows as it is. Most are, and `entryOf` has more to look at. */
export function isPlain(slot: string): boolean {
  const first = slot[0]
  if (first === undefined || slot.length > SURELY_SHORT) return false
  return first !== '/' && first !== '.' && first !== ESC && !slot.includes('\0')
}

/** A directory that only leads on to components that begin with `partialText(slot)`. */
export function isPartial(slot: string): boolean {
  return slot.startsWith(PARTIAL_SLOT)
}

/** The `partial` of the directory that a partial slot leads to. */
export function partialText(slot: string): string {
  return slot.slice(PARTIAL_SLOT.length)
}

/** The key of a name below a prefix (empty, or with its trailing slash); ENAMETOOLONG where no store takes it. */
export function childKey(prefix: string, component: string): string {
  const key = prefix + component
  // A directory's marker has one byte more.
  if (Buffer.byteLength(key) >= MAX_KEY_BYTES) throw new FsError('ENAMETOOLONG', 'the key would be over 1,024 bytes')
  return key
}

/** The slot that a name of the driver's own making stands for in an ordinary directory. */
function meaningOf(name: string): string | undefined {
  if (name === SELF_NAME) return SELF_SLOT
  const rest = name.slice(2)
  if (name.startsWith(PARTIAL_MARK)) {
    const text = unescapeText(rest)
    return text !== undefined && isFullPiece(rest) ? PARTIAL_SLOT + text : undefined
  }
  if (!name.startsWith(COMPONENT_MARK) || Buffer.byteLength(name) > MAX_NAME_BYTES) return undefined
  // Components of this length that are not shown as they are: no text, dots, and those that hold a NUL.
  const dots = ESCAPED_DOTS.get(rest)
  if (dots !== undefined) return dots
  const text = unescapeText(rest)
  return text === '' || text?.includes('\0') ? text : undefined
}

/** The bytes of the name that a component of the driver's own making stands for: no UTF-8. */
function bytesOf(component: string): Buffer | undefined {
  if (!component.startsWith(BYTES_MARK)) return undefined
  const bytes = unescapeBytes(component.slice(BYTES_MARK.length))
  if (bytes === undefined || bytes.length > MAX_NAME_BYTES || isUtf8(bytes) || bytes.includes(0)) return undefined
  return bytes
}

/** The name that shows a component by itself; undefined where none can. */
function basicName(component: string): Buffer | undefined {
  if (component === '' || DOTS.has(component) || component.includes('\0')) return undefined
  const shown = component.startsWith(ESC) ? shifted(component) : component
  if (typeof shown !== 'string') return shown
  if (shown.length <= SURELY_SHORT) return Buffer.from(shown)
  if (shown.length > MAX_NAME_BYTES) return undefined
  const name = Buffer.from(shown)
  return name.length <= MAX_NAME_BYTES ? name : undefined
}

/** What a component that begins with the escape character shows as, however long that is. */
function shifted(component: string): string | Buffer {
  const bytes = bytesOf(component)
  if (bytes !== undefined) return bytes
  const root = withOneEscape(component)
  if (root !== component && bytesOf(root) !== undefined) return component.slice(1)
  return meaningOf(root) === undefined ? component : ESC + component
}

/** The text with one of the escape characters that it begins with. */
function withOneEscape(text: string): string {
  let escapes = 1
  while (text[escapes] === ESC) escapes++
  return text.slice(escapes - 1)
}

function slotInPartial(name: Uint8Array, partial: string): string {
  const text = isUtf8(name) ? Buffer.from(name).toString() : ''
  const rest = unescapeText(text.slice(2))
  if (rest !== undefined && text.startsWith(COMPONENT_MARK)) {
    const component = partial + rest
    if (entryOf(component, partial)?.slot === component) return component
  }
  if (rest !== undefined && text.startsWith(PARTIAL_MARK) && isFullPiece(text.slice(2))) {
    const longer = partial + rest
    const pieces = cutEscaped(escapeText(longer))
    if (pieceBehind(pieces, escapeText(partial)) === pieces.length - 1) return PARTIAL_SLOT + longer
  }
  throw new FsError('ENOENT', 'no piece of a longer name')
}

/** Which piece comes behind the escaped text before it; undefined where the text does not end with a piece. */
function pieceBehind(pieces: readonly string[], before: string): number | undefined {
  let sum = 0
  for (const [index, text] of pieces.entries()) {
    if (sum === before.length && index > 0) return index
    sum += text.length
  }
  return undefined
}

/** The entry that stands for one piece of a component. */
function piece(component: string, pieces: readonly string[], index: number): { slot: string; name: Buffer } {
  const text = pieces[index] ?? ''
  if (index === pieces.length - 1) return { slot: component, name: Buffer.from(COMPONENT_MARK + text) }
  const beginning = pieces.slice(0, index + 1).join('')
  return { slot: PARTIAL_SLOT + (unescapeText(beginning) ?? ''), name: Buffer.from(PARTIAL_MARK + text) }
}
