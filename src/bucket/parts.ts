import { inParallel } from '../backend/in-parallel.js'
import type { CallOptions, ObjectStore, ObjectVersion } from '../backend/object-store.js'
import { partsOfEtag } from './sync/part-size.js'

/** Questions for parts on their way at once. */
const QUESTIONS_AT_ONCE = 8

/**
 * The size of the parts that an object came in, by what the store tells of the first. Undefined where the ETag is not made
 * of those of parts, the store tells nothing, or they can't all be of that size.
 */
export async function partSizeOf(
  store: ObjectStore,
  { key, etag, sizeBytes }: ObjectVersion,
  options: CallOptions,
): Promise<number | undefined> {
  const parts = partsOfEtag(etag)
  if (parts === undefined) return undefined
  const first = await store.capabilities.powers.parts?.part(key, etag, 1, options)
  if (first?.parts !== parts || Math.ceil(sizeBytes / first.sizeBytes) !== parts) return undefined
  return first.sizeBytes
}

/** Whether all parts are known to be of the size of the first: only then do bytes of another ETag differ for certain. */
export async function areEqualParts(
  store: ObjectStore,
  { key, etag }: ObjectVersion,
  partBytes: number,
  options: CallOptions,
): Promise<boolean> {
  const parts = partsOfEtag(etag) ?? 0
  let areEqual = true
  // The first is known, and the last is what is left.
  await inParallel(
    numbersUpTo(2, parts - 1, () => areEqual),
    QUESTIONS_AT_ONCE,
    async number => {
      const part = await store.capabilities.powers.parts?.part(key, etag, number, options)
      if (part?.sizeBytes !== partBytes) areEqual = false
    },
  )
  return areEqual
}

async function* numbersUpTo(first: number, last: number, goesOn: () => boolean): AsyncGenerator<number> {
  for (let number = first; number <= last && goesOn(); number++) yield number
}
