import type { CallOptions, ObjectInfo, ObjectStore, ObjectVersion } from '../../backend/object-store.js'
import { isStoreError } from '../../backend/store-error.js'
import type { Document } from './document.js'
import { isTextLike, textOf } from './text-content.js'

export interface FetchOptions extends CallOptions {
  /** So much of each object's contents at the most. */
  readonly maxTextBytes: number
  readonly nowMs: number
}

/** What the index needs of an object: one request, or two where only the reply tells that it is text. */
export async function fetchDocument(
  store: ObjectStore,
  listed: ObjectVersion,
  options: FetchOptions,
): Promise<Document> {
  const { signal, priority } = options
  if (mayHoldText(listed, options) && isTextLike(listed.key, undefined)) return fetchText(store, listed, options)
  const info = await store.head(listed.key, { signal, priority })
  if (mayHoldText(listed, options) && isText(info)) return fetchText(store, listed, options)
  const textBytes = isText(info) ? 0 : undefined
  return documentOf(listed, info, '', textBytes, options.nowMs)
}

/** What can be said of an object that must not be read: its key. */
export function keyAlone(listed: ObjectVersion): Document {
  return { ...listed, contentType: undefined, metadata: {}, text: '', textBytes: undefined, indexedMs: 0 }
}

async function fetchText(store: ObjectStore, listed: ObjectVersion, options: FetchOptions): Promise<Document> {
  const { signal, priority, maxTextBytes, nowMs } = options
  const isCut = listed.sizeBytes > maxTextBytes
  try {
    const range = isCut ? { offset: 0, lengthBytes: maxTextBytes } : undefined
    const { info, body } = await store.get(listed.key, { signal, priority, range })
    // What is not read here gives its connection up.
    const bytes = isText(info) ? await beginningOf(body, maxTextBytes) : await beginningOf(body, 0)
    const text = isText(info) ? textOf(bytes, info.sizeBytes > bytes.length) : ''
    return documentOf(listed, info, text, isText(info) ? maxTextBytes : undefined, nowMs)
  } catch (error) {
    // Archived objects have metadata, and contents that can't be had.
    if (!isStoreError(error, 'denied', 'unsupported')) throw error
    const info = await store.head(listed.key, { signal, priority })
    return documentOf(listed, info, '', undefined, nowMs)
  }
}

function mayHoldText(listed: ObjectVersion, options: FetchOptions): boolean {
  return listed.sizeBytes > 0 && options.maxTextBytes > 0
}

function isText(info: ObjectInfo): boolean {
  return isTextLike(info.key, info.headers.contentType, info.headers.contentEncoding)
}

async function beginningOf(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let seenBytes = 0
  if (maxBytes > 0)
    for await (const chunk of body) {
      chunks.push(chunk)
      seenBytes += chunk.byteLength
      if (seenBytes > maxBytes) break
    }
  else for await (const _ of body) break
  return Buffer.concat(chunks).subarray(0, maxBytes)
}

/**
 * The time is always the listing's, which alone tells it in full. A version that came after the listing keeps its own ETag
 * beside that time, so that the next listing does not match it, and it is fetched again.
 */
function documentOf(
  listed: ObjectVersion,
  info: ObjectInfo,
  text: string,
  textBytes: number | undefined,
  indexedMs: number,
): Document {
  const { etag, sizeBytes, metadata, headers } = info
  const { key, lastModifiedMs } = listed
  return {
    key,
    etag,
    sizeBytes,
    lastModifiedMs,
    contentType: headers.contentType,
    metadata,
    text,
    textBytes,
    indexedMs,
  }
}
