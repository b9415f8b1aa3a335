export const XML_HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** A value of an element: text, further elements, several of one name, or markup that is done already. */
export type XmlValue = string | number | boolean | Markup | XmlFields | readonly XmlValue[] | undefined
export interface XmlFields {
  readonly [name: string]: XmlValue
}

/** Finished elements, which go in as they are, in place of the field that holds them. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export function element(name: string, value: XmlValue, attributes = ''): string {
  if (value === undefined) return ''
  if (value instanceof Markup) return value.text
  if (isList(value)) return value.map(item => element(name, item)).join('')
  return `<${name}${attributes}>${content(value)}</${name}>`
}

/** A reply's document, in the name space of S3. */
export function document(name: string, fields: XmlFields): string {
  return XML_HEADER + element(name, fields, ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"')
}

function content(value: Exclude<XmlValue, undefined | Markup | readonly XmlValue[]>): string {
  if (typeof value !== 'object') return escapeXml(String(value))
  return Object.entries(value)
    .map(([name, inner]) => element(name, inner))
    .join('')
}

function isList(value: XmlValue): value is readonly XmlValue[] {
  return Array.isArray(value)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that have to be written as numbers
const SPECIAL = /[&<>"'\x00-\x1f\x7f]/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same
const SPECIAL_ONE = /[&<>"'\x00-\x1f\x7f]/
const NAMED: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** Most texts have nothing to escape. */
export function escapeXml(text: string): string {
  return text.search(SPECIAL_ONE) < 0
    ? text
    : text.replace(SPECIAL, character => NAMED[character] ?? `&#x${character.charCodeAt(0).toString(16)};`)
}

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(amp|lt|gt|quot|apos));/gi, (_, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
    return { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }[String(name).toLowerCase()] ?? ''
  })
}

/** The bodies of all elements of a name, which must not contain itself. Enough for the two bodies that S3 gets. */
export function bodiesOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g'))].map(match => match[1] ?? '')
}

/** The text of the first element of a name. */
export function textOf(xml: string, name: string): string | undefined {
  const [body] = bodiesOf(xml, name)
  return body === undefined ? undefined : unescapeXml(body)
}
