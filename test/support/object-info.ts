import type { ObjectInfo } from '../../src/backend/object-store.js'

/** When the object of `info` was stored, in milliseconds since 1970. */
export const T = 1_700_000_000_000

/** What HEAD tells of some object. */
export function info(more: Partial<ObjectInfo> = {}): ObjectInfo {
  const plain = { key: 'a/b', etag: 'e', sizeBytes: 3, lastModifiedMs: T }
  return { ...plain, metadata: { mode: '33188' }, headers: { contentType: 'text/plain' }, ...more }
}
