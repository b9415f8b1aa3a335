import type { ObjectStore } from '../backend/object-store.js'
import {
  requirePower,
  type SignedForm,
  type SignedUrl,
  type SignFormOptions,
  type SignUrlOptions,
} from '../backend/powers.js'

/** As `expires` of most stores' tools: an hour. */
const DEFAULT_EXPIRES_MS = 60 * 60 * 1000

export type PresignOptions = Partial<SignUrlOptions>
export type FormPostOptions = Partial<SignFormOptions>

/** A URL with which whoever has it makes one kind of request for an hour, or for `expiresMs`. Default: GET. */
export async function presign(store: ObjectStore, key: string, options: PresignOptions = {}): Promise<SignedUrl> {
  return requirePower(store, 'signing').signUrl(key, { method: 'GET', expiresMs: DEFAULT_EXPIRES_MS, ...options })
}

/** A form with which a browser uploads one file, without credentials. */
export async function formPost(store: ObjectStore, key: string, options: FormPostOptions = {}): Promise<SignedForm> {
  return requirePower(store, 'signing').signForm(key, { expiresMs: DEFAULT_EXPIRES_MS, ...options })
}

/** A page with the form, for a browser. */
export function formHtml(form: SignedForm): string {
  const inputs = Object.entries(form.fields).map(
    ([name, value]) => `    <input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`,
  )
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Upload</title>
</head>
<body>
  <form action="${escaped(form.url)}" method="post" enctype="multipart/form-data">
${inputs.join('\n')}
    <input type="file" name="file" required>
    <button type="submit">Upload</button>
  </form>
</body>
</html>
`
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, character => ESCAPES[character] ?? character)
}
