import type { WriteConditions } from './object-store.js'
import { StoreError } from './store-error.js'

/** Throws `precondition-failed` unless the object's present ETag (undefined: there is none) meets the conditions. */
export function checkConditions(
  conditions: WriteConditions,
  presentEtag: string | undefined,
  operation: string,
  key: string,
): void {
  if (conditions.ifNoneMatch !== undefined && presentEtag !== undefined)
    throw new StoreError('precondition-failed', `${operation}: the object exists`, { key, operation })
  if (conditions.ifMatch !== undefined && presentEtag !== conditions.ifMatch)
    throw new StoreError('precondition-failed', `${operation}: the object is another version or gone`, {
      key,
      operation,
    })
}

/** Throws `precondition-failed` unless `ifMatch` is absent or the version that was found. */
export function checkVersion(ifMatch: string | undefined, foundEtag: string, operation: string, key: string): void {
  if (ifMatch !== undefined && ifMatch !== foundEtag)
    throw new StoreError('precondition-failed', `${operation}: the object is another version`, { key, operation })
}
