import { readFile } from 'node:fs/promises'
import { StoreError } from '../store-error.js'

/** SSE-C takes AES-256 keys only. */
const KEY_BYTES = 32

/** The key of SSE-C in a file: 32 raw bytes, or these in hexadecimal or base64. `invalid` for anything else. */
export async function readCustomerKey(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new StoreError('invalid', `the key file ${path} can not be read (--sse-c-key-file)`, { cause })
  })
  if (bytes.length === KEY_BYTES) return bytes
  const text = bytes.toString('latin1').trim()
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  if (/^[A-Za-z0-9+/]{43}=$/.test(text)) return Buffer.from(text, 'base64')
  const expected = '32 bytes, or these in hexadecimal or base64'
  throw new StoreError('invalid', `the key file ${path} should hold ${expected} (--sse-c-key-file)`)
}
