import type { StoredObject } from './bucket.js'
import type { Call } from './call.js'
import type { ConditionalOperation, Knobs } from './knobs.js'
import { noSuchKey, notImplemented, preconditionFailed } from './s3-error.js'

/** If-Match and If-None-Match of a write, checked in the same turn in which it is carried out. */
export function checkWrite(
  call: Call,
  knobs: Knobs,
  operation: ConditionalOperation,
  present: StoredObject | undefined,
): void {
  const ifMatch = call.header('if-match')
  const ifNoneMatch = call.header('if-none-match')
  if (ifMatch === undefined && ifNoneMatch === undefined) return
  if (knobs.refuseConditions.includes(operation))
    throw notImplemented('A header you provided implies functionality that')
  if (knobs.ignoreConditions.includes(operation)) return
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*') throw notImplemented('If-None-Match of an ETag')
  if (ifNoneMatch !== undefined && present !== undefined) throw preconditionFailed()
  if (ifMatch === undefined) return
  if (present === undefined) {
    if (operation === 'delete') return
    throw noSuchKey()
  }
  if (!matches(ifMatch, present.etag)) throw preconditionFailed()
}

/** x-amz-copy-source-if-match and -if-none-match. */
export function checkSource(call: Call, knobs: Knobs, source: StoredObject): void {
  const ifMatch = call.header('x-amz-copy-source-if-match')
  const ifNoneMatch = call.header('x-amz-copy-source-if-none-match')
  if (knobs.ignoreConditions.includes('copy')) return
  if (ifMatch !== undefined && !matches(ifMatch, source.etag)) throw preconditionFailed()
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, source.etag)) throw preconditionFailed()
}

/** True: the answer is 304. */
export function checkRead(call: Call, object: StoredObject): boolean {
  const ifMatch = call.header('if-match')
  const ifNoneMatch = call.header('if-none-match')
  if (ifMatch !== undefined && !matches(ifMatch, object.etag)) throw preconditionFailed()
  return ifNoneMatch !== undefined && matches(ifNoneMatch, object.etag)
}

export function matches(header: string, etag: string): boolean {
  return header.split(',').some(item => item.trim() === '*' || item.trim().replace(/^"(.*)"$/, '$1') === etag)
}
