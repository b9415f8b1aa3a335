import type { ObjectStore, ObjectVersion } from '../backend/object-store.js'
import type { Tree } from './tree.js'
import type { Unanswered } from './unanswered.js'

/** Deletes an object that was just seen, only if it is still this version; what others made of it meanwhile stays: false. */
export async function deleteVersion(store: ObjectStore, { key, etag }: ObjectVersion): Promise<boolean> {
  const support = store.capabilities.conditions.delete
  // A HEAD in place of a real condition would tell nothing more.
  const ifMatch = support === 'atomic' || support === 'unknown' ? etag : undefined
  const [result] = await store.delete([{ key, ifMatch }])
  if (result?.error !== undefined && result.error.kind !== 'precondition-failed') throw result.error
  return result?.error === undefined
}

/** Deletes what a commit without an answer has put under a name, and nothing that others have: false where that is there. */
export async function deleteUnanswered({ store, knowledge }: Tree, key: string, sent: Unanswered): Promise<boolean> {
  const found = await knowledge.head(key)
  if (found === undefined) return true
  return sent.includes(found) && (await deleteVersion(store, { ...found, key }))
}
