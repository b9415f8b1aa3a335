import type { Attachments, Metadata, ObjectHeaders } from './object-store.js'
import { StoreError } from './store-error.js'

/** What is kept beside an object's bytes, complete. */
export interface KeptAttachments {
  readonly metadata: Metadata
  readonly headers: ObjectHeaders
}

/** Attachments as they are kept: metadata names in lower case, absent headers left out. Throws `invalid` if too large. */
export function keptAttachments(
  given: Attachments,
  maxMetadataBytes: number,
  operation: string,
  key: string,
): KeptAttachments {
  const entries = Object.entries(given.metadata ?? {})
  const metadata = Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), value]))
  let sizeBytes = 0
  for (const name in metadata) sizeBytes += Buffer.byteLength(name) + Buffer.byteLength(metadata[name] ?? '')
  if (sizeBytes > maxMetadataBytes)
    throw new StoreError('invalid', `${operation}: ${sizeBytes} bytes of metadata, more than ${maxMetadataBytes}`, {
      key,
      operation,
    })
  const headers = Object.fromEntries(Object.entries(given.headers ?? {}).filter(([, value]) => value !== undefined))
  return { metadata, headers }
}

/** Given metadata or headers replace both of the source's; with neither, both are kept. */
export function copiedAttachments(
  given: Attachments,
  source: KeptAttachments,
  maxMetadataBytes: number,
  operation: string,
  key: string,
): KeptAttachments {
  if (given.metadata === undefined && given.headers === undefined)
    return { metadata: source.metadata, headers: source.headers }
  return keptAttachments(given, maxMetadataBytes, operation, key)
}
