import type { ByteRange } from './object-store.js'
import { StoreError } from './store-error.js'

/**
 * The part of a range that lies within an object of `sizeBytes`; without a range, all of it. Throws `invalid` for an
 * empty range and for one that begins at or behind the end, as HTTP's 416 does.
 */
export function clampRange(range: ByteRange | undefined, sizeBytes: number, operation: string, key: string): ByteRange {
  if (range === undefined) return { offset: 0, lengthBytes: sizeBytes }
  checkRange(range, operation, key)
  if (range.offset >= sizeBytes)
    throw new StoreError('invalid', `${operation}: the range begins at ${range.offset} of ${sizeBytes} bytes`, {
      key,
      operation,
      code: 'InvalidRange',
    })
  return { offset: range.offset, lengthBytes: Math.min(range.lengthBytes, sizeBytes - range.offset) }
}

/** Throws `invalid` unless the range is one that HTTP can express. */
export function checkRange(range: ByteRange, operation: string, key: string): void {
  if (
    Number.isSafeInteger(range.offset) &&
    Number.isSafeInteger(range.lengthBytes) &&
    range.offset >= 0 &&
    range.lengthBytes > 0
  )
    return
  throw new StoreError('invalid', `${operation}: not a range: ${range.lengthBytes} bytes from ${range.offset}`, {
    key,
    operation,
    code: 'InvalidRange',
  })
}

/** The range of a part copy or a read plan, which must lie within the object as a whole. Throws `corrupt`. */
export function checkWholeRange(range: ByteRange, sizeBytes: number, operation: string, key: string): void {
  checkRange(range, operation, key)
  if (range.offset + range.lengthBytes > sizeBytes)
    throw new StoreError('corrupt', `${operation}: the object has only ${sizeBytes} bytes`, {
      key,
      operation,
      retryable: false,
    })
}
