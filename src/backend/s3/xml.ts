const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** A text is not the XML that it should be. */
export class XmlError extends Error {
  override readonly name = 'XmlError'
}

/**
 * Reads a document from its beginning to its end, element by element, and makes nothing of what nobody asks for: replies
 * with a thousand entries are common. Names come without their prefixes; attributes and the document type are passed
 * over. Each element that `enter` names must be left by `text`, `skip`, or by `enter` until it answers undefined.
 */
export class XmlReader {
  readonly #xml: string
  #at = 0
  /** The element entered last was `<like-this/>`. */
  #isEmpty = false

  constructor(xml: string) {
    this.#xml = xml
  }

  /** The next element within the present one (at first: the root); undefined at its end, which is then left. */
  enter(): string | undefined {
    if (this.#leaveEmpty()) return undefined
    for (;;) {
      this.#at = this.#find('<', this.#at) + 1
      const mark = this.#xml.charCodeAt(this.#at)
      if (mark === SLASH) {
        this.#at = this.#find('>', this.#at) + 1
        return undefined
      }
      if (mark === EXCLAMATION || mark === QUESTION) this.#passOver()
      else return this.#open()
    }
  }

  /** The text of an element that holds nothing else. One with elements in it is passed over: undefined. */
  text(): string | undefined {
    if (this.#leaveEmpty()) return ''
    const start = this.#at
    const end = this.#find('<', start)
    const mark = this.#xml.charCodeAt(end + 1)
    if (mark === EXCLAMATION || mark === QUESTION) return this.#mixedText()
    if (mark !== SLASH) {
      this.leave()
      return undefined
    }
    this.#at = this.#find('>', end) + 1
    return decode(this.#xml.slice(start, end))
  }

  /**
   * What a sticky expression finds where the reader stands, which is then behind it. For whole elements that come by the
   * thousand in one form: the engine's matcher is fast from the first page on, this code only once it has been compiled.
   */
  match(expression: RegExp): RegExpExecArray | undefined {
    if (this.#isEmpty) return undefined
    expression.lastIndex = this.#at
    const found = expression.exec(this.#xml) ?? undefined
    if (found !== undefined) this.#at = expression.lastIndex
    return found
  }

  /** Passes over the rest of the element that was entered last, whatever it holds. */
  leave(): void {
    for (let depth = 1; depth > 0; ) depth += this.enter() === undefined ? -1 : 1
  }

  /** Text with comments or CDATA sections in it. */
  #mixedText(): string | undefined {
    let text = ''
    for (;;) {
      const end = this.#find('<', this.#at)
      text += decode(this.#xml.slice(this.#at, end))
      this.#at = end + 1
      const mark = this.#xml.charCodeAt(this.#at)
      if (this.#xml.startsWith(CDATA, this.#at)) {
        const start = this.#at + CDATA.length
        this.#at = this.#find(']]>', start) + 3
        text += this.#xml.slice(start, this.#at - 3)
      } else if (mark === EXCLAMATION || mark === QUESTION) this.#passOver()
      else if (mark === SLASH) {
        this.#at = this.#find('>', this.#at) + 1
        return text
      } else {
        this.#at = end
        this.leave()
        return undefined
      }
    }
  }

  #open(): string {
    const start = this.#at
    let end = this.#find('>', start)
    const plain = this.#xml.slice(start, end)
    if (PLAIN_NAME.test(plain)) return this.#opened(plain, end)
    // A `>` may stand within an attribute.
    while (this.#isQuoted(start, end)) end = this.#find('>', end + 1)
    this.#isEmpty = this.#xml.charCodeAt(end - 1) === SLASH
    const [name = ''] = this.#xml.slice(start, this.#isEmpty ? end - 1 : end).split(/\s/, 1)
    return this.#opened(name.slice(name.indexOf(':') + 1), end)
  }

  #opened(name: string, end: number): string {
    this.#at = end + 1
    return name
  }

  /** Whether `end` stands between quotes that were opened behind `start`. */
  #isQuoted(start: number, end: number): boolean {
    let quote = 0
    for (let at = start; at < end; at++) {
      const unit = this.#xml.charCodeAt(at)
      if (quote === 0 && (unit === QUOTE || unit === APOSTROPHE)) quote = unit
      else if (unit === quote) quote = 0
    }
    return quote !== 0
  }

  /** Comments, processing instructions, the document type. */
  #passOver(): void {
    const ending = this.#xml.startsWith('!--', this.#at) ? '-->' : this.#xml.startsWith(CDATA, this.#at) ? ']]>' : '>'
    this.#at = this.#find(ending, this.#at) + ending.length
  }

  #leaveEmpty(): boolean {
    const wasEmpty = this.#isEmpty
    this.#isEmpty = false
    return wasEmpty
  }

  #find(text: string, from: number): number {
    const at = this.#xml.indexOf(text, from)
    if (at < 0) throw new XmlError(`XML that is cut off after ${this.#xml.length} characters`)
    return at
  }
}

const PLAIN_NAME = /^\w+$/
const SLASH = 0x2f
const QUOTE = 0x22
const APOSTROPHE = 0x27
const EXCLAMATION = 0x21
const QUESTION = 0x3f
const CDATA = '![CDATA['

function decode(text: string): string {
  if (!text.includes('&')) return text
  // Around every ETag; it makes no entity of what is none.
  const rest = text.replaceAll('&quot;', '"')
  if (!rest.includes('&')) return rest
  return rest.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]+));/gi, (entity, hex, decimal, name) => {
    if (name !== undefined) {
      const character = ENTITIES[String(name)]
      if (character === undefined) throw new XmlError(`an unknown entity: ${entity}`)
      return character
    }
    const code = hex === undefined ? Number(decimal) : Number.parseInt(String(hex), 16)
    if (code > 0x10ffff) throw new XmlError(`not a character: ${entity}`)
    return String.fromCodePoint(code)
  })
}

/** The root's name and the text of its leaves; of several with one name the last. */
export function readFlat(xml: string): { readonly root: string; readonly leaves: Readonly<Record<string, string>> } {
  const reader = new XmlReader(xml)
  const root = reader.enter() ?? ''
  const leaves: Record<string, string> = {}
  for (let name = reader.enter(); name !== undefined; name = reader.enter()) {
    const text = reader.text()
    if (text !== undefined) leaves[name] = text
  }
  return { root, leaves }
}

/** Text as it stands between tags, line ends and what else a parser might change included (XML 1.0, 2.4 and 2.11). */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"'\t\r\n\u0085\u2028]/g, character => `&#x${character.charCodeAt(0).toString(16)};`)
}
