import type { ObjectStore, ObjectVersion } from '../backend/object-store.js'

/** The first keys that begin with a prefix: `count` of them, or all where there are fewer. A page may be empty and not the last. */
export async function keysBelow(
  store: Pick<ObjectStore, 'list'>,
  prefix: string,
  count: number,
): Promise<readonly ObjectVersion[]> {
  const found: ObjectVersion[] = []
  let cursor: string | undefined
  do {
    const page = await store.list({ prefix, limit: count, cursor })
    found.push(...page.objects)
    cursor = page.next
  } while (cursor !== undefined && found.length < count)
  return found
}
