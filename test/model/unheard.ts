import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Timestamp } from '../../src/fs/operations.js'
import { onHandle } from './command.js'
import { isSame, keyOf, type Reference } from './reference.js'
import type { ReferenceFile } from './reference-file.js'

/** fsync of which the store's answer is lost: it has stored the file, and nobody knows. */
export const unheardSync = onHandle('fsync unheard', fc.constant(''), async ({ id, file, pid }, _, model, world) => {
  if (!canCommit(model, file)) return
  const { h, driver, faults, bucket } = world
  const key = keyOf(file.path)
  const before = bucket.get(key)
  const operations = ['put', 'complete'] as const
  faults.add({ fault: { kind: 'unavailable', when: 'after' }, operations, nth: 1 })
  faults.add({ fault: { kind: 'unavailable' }, operations: [...operations, 'head'] })
  const outcome = await driver.on(h.filesystem.fsync(id, h.context({ pid })))
  faults.clear()
  // It may have been found that an earlier one has stored all of it.
  if (file.isUnheard && 'value' in outcome) return model.commit(file)
  assert.deepEqual(outcome, { errno: 'EIO' })
  // Whether an earlier one had been carried out could not be found out.
  if (bucket.get(key) !== before) commitUnheard(model, file, world.now())
})

/** There is something to send, and no conflict. */
function canCommit(model: Reference, file: ReferenceFile): boolean {
  if (!file.isContentDirty || file.isUnlinked || file.isDetached || file.isRisky) return false
  const current = model.bucket.get(keyOf(file.path))
  if (file.base !== undefined) return isSame(current, file.base)
  return file.absence === undefined || current === undefined
}

/** What is written by now is in the bucket, but nobody has heard of that: the file owes it still. `now`: by the store's clock. */
function commitUnheard(model: Reference, file: ReferenceFile, now: Timestamp): void {
  const before = model.bucket.get(keyOf(file.path))
  // Of the same bytes the ETag is the same, too: who knows the one takes the other for it.
  const times = before?.bytes.equals(file.content) === true ? before.kept.mtimes : []
  const kept = { ...file.kept, mtimes: [...file.kept.mtimes, ...times, now] }
  const stored = { bytes: file.content, type: file.type, kept, isOutside: false, etag: undefined }
  model.bucket.set(keyOf(file.path), stored)
  if (!file.isUnheard) file.wasEdited = file.version !== undefined
  file.isUnheard = true
  if (file.base !== undefined || file.absence !== undefined) file.base = stored
  file.version = stored
  file.replaced = undefined
  file.absence = undefined
  file.appendedFrom = undefined
  model.settle()
}

/** A new file that may be stored is renamed, and its writer did not know that it is: it will be stored anew. */
export function beforeRename(model: Reference, file: ReferenceFile): void {
  model.bucket.delete(keyOf(file.path))
  file.version = undefined
  file.base = undefined
  file.absence = 'believed'
  file.isUnheard = false
}
