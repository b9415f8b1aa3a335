import { compareKeys } from '../backend/keys.js'
import type { ObjectStore, ObjectVersion } from '../backend/object-store.js'

/** An object of a folder, and what stands at its place in another one. */
export interface KeyPair {
  /** The key behind the folder's path: `/` for its marker, empty for the object whose key is the path itself. */
  readonly rest: string
  readonly source: ObjectVersion
  readonly target: ObjectVersion | undefined
}

/** Everything below a prefix, in key order; a page at a time is held. */
export async function* objectsBelow(store: ObjectStore, prefix: string): AsyncGenerator<ObjectVersion> {
  let cursor: string | undefined
  do {
    const page = await store.list({ prefix, cursor })
    yield* page.objects
    cursor = page.next
  } while (cursor !== undefined)
}

/** Everything below the folder `from`, beside what is below `to` (paths without slashes at the end), listed in step. */
export async function* keyPairs(store: ObjectStore, from: string, to: string): AsyncGenerator<KeyPair> {
  const targets = objectsBelow(store, `${to}/`)
  let target: ObjectVersion | undefined
  let areTargetsLeft = true
  for await (const source of objectsBelow(store, `${from}/`)) {
    const rest = source.key.slice(from.length)
    const wanted = to + rest
    while (areTargetsLeft && (target === undefined || compareKeys(target.key, wanted) < 0)) {
      const step = await targets.next()
      target = step.value ?? undefined
      areTargetsLeft = step.done !== true
    }
    yield { rest, source, target: target?.key === wanted ? target : undefined }
  }
}

/** Arrays of up to `size` items. */
export async function* batches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
