import mime from 'mime'

/** As much of a thing's beginning as tells what it is. */
export const SNIFFED_BYTES = 4100

const UNKNOWN = 'application/octet-stream'
const TEXT = 'text/plain'

/** What the name says: `face.jpg` is image/jpeg. */
export function contentTypeOfName(name: string): string | undefined {
  return mime.getType(name) ?? undefined
}

/** By the name, else by the first bytes: known signatures, then whether they are text. */
export async function guessContentType(name: string, head: Uint8Array): Promise<string> {
  const named = contentTypeOfName(name)
  if (named !== undefined || head.byteLength === 0) return named ?? UNKNOWN
  const { fileTypeFromBuffer } = await import('file-type')
  const found = await fileTypeFromBuffer(head)
  return found?.mime ?? (isText(head) ? TEXT : UNKNOWN)
}

/** UTF-8 without control characters but those of text; the last character may be cut. */
function isText(head: Uint8Array): boolean {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    const text = decoder.decode(head, { stream: true })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what text does not hold.
    return !/[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]/.test(text)
  } catch {
    // Not UTF-8.
    return false
  }
}
