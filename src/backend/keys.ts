import { StoreError } from './store-error.js'

/** The longest key that S3 takes, in UTF-8 bytes (Amazon S3 User Guide, "Object key naming guidelines"). */
export const MAX_KEY_BYTES = 1024

/**
 * Orders keys by their UTF-8 bytes, as every store lists them. JavaScript's `<` compares UTF-16 units, which puts
 * supplementary characters (surrogates, 0xD800..0xDFFF) before U+E000..U+FFFF; UTF-8 has them behind.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return utf8Rank(x) - utf8Rank(y)
  }
  return a.length - b.length
}

function utf8Rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}

/** Throws `invalid` unless `key` is a well-formed string of 1 to 1,024 UTF-8 bytes. */
export function checkKey(key: string, operation: string): void {
  const sizeBytes = Buffer.byteLength(key)
  if (sizeBytes === 0 || sizeBytes > MAX_KEY_BYTES || !key.isWellFormed())
    throw new StoreError('invalid', `not a key: ${JSON.stringify(key.slice(0, 80))} (${sizeBytes} bytes)`, {
      key,
      operation,
    })
}
