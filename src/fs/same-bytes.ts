import type { ObjectStore, ObjectVersion } from '../backend/object-store.js'

/** Whether two objects of the same size hold the same bytes. Reads both, a chunk at a time. */
export async function haveSameBytes(store: ObjectStore, a: ObjectVersion, b: ObjectVersion): Promise<boolean> {
  if (a.sizeBytes !== b.sizeBytes) return false
  const first = bytesOf(store, a)
  const others = bytesOf(store, b)
  let rest: Uint8Array = new Uint8Array(0)
  try {
    for await (const chunk of first) {
      for (let at = 0; at < chunk.length; ) {
        if (rest.length === 0) {
          const step = await others.next()
          if (step.done === true) return false
          rest = step.value
        }
        const length = Math.min(rest.length, chunk.length - at)
        if (Buffer.compare(chunk.subarray(at, at + length), rest.subarray(0, length)) !== 0) return false
        rest = rest.subarray(length)
        at += length
      }
    }
    return true
  } finally {
    await others.return(undefined)
  }
}

async function* bytesOf(store: ObjectStore, { key, etag }: ObjectVersion): AsyncGenerator<Uint8Array, undefined> {
  const { body } = await store.get(key, { ifMatch: etag })
  yield* body
}
