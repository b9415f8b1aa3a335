import type { Capabilities, CompletedPart } from './object-store.js'
import { StoreError } from './store-error.js'

/** Throws `invalid` unless `number` can be a part's number. */
export function checkPartNumber(
  number: number,
  limits: Capabilities['multipart'],
  operation: string,
  key: string,
): void {
  if (!Number.isInteger(number) || number < 1 || number > limits.maxParts)
    throw new StoreError('invalid', `${operation}: part numbers go from 1 to ${limits.maxParts}, not ${number}`, {
      key,
      operation,
    })
}

/**
 * The parts of a completion in the order of their numbers. Throws `invalid` for none, a number twice, a part that is not
 * stored in this version, and one below the least size that is not the last.
 */
export function checkedParts<T extends { readonly etag: string; readonly sizeBytes: number }>(
  given: readonly CompletedPart[],
  stored: (number: number) => T | undefined,
  limits: Capabilities['multipart'],
  key: string,
): T[] {
  const refuse = (message: string, code: string) =>
    new StoreError('invalid', `complete: ${message}`, { key, operation: 'complete', code })
  if (given.length === 0) throw refuse('no parts', 'MalformedXML')
  const ordered = given.toSorted((a, b) => a.number - b.number)
  return ordered.map(({ number, etag }, index) => {
    const part = stored(number)
    if (ordered[index - 1]?.number === number) throw refuse(`part ${number} is given twice`, 'InvalidPartOrder')
    if (part === undefined || part.etag !== etag) throw refuse(`part ${number} is not stored so`, 'InvalidPart')
    if (index < ordered.length - 1 && part.sizeBytes < limits.minPartBytes)
      throw refuse(`part ${number} has ${part.sizeBytes} bytes, less than ${limits.minPartBytes}`, 'EntityTooSmall')
    return part
  })
}
