import { compareKeys } from '../../src/backend/keys.js'
import type { ListOptions, ObjectStore, ReadSink } from '../../src/backend/object-store.js'
import { isStoreError, type StoreErrorKind } from '../../src/backend/store-error.js'

/** Bytes that repeat with no short period, the same for the same seed. */
export function testBytes(sizeBytes: number, seed = 1): Uint8Array {
  const random = seededRandom(seed)
  const bytes = new Uint8Array(sizeBytes)
  const words = new DataView(bytes.buffer)
  let i = 0
  for (; i + 4 <= sizeBytes; i += 4) words.setUint32(i, random() * 2 ** 32)
  for (; i < sizeBytes; i++) bytes[i] = random() * 256
  return bytes
}

/** Numbers in [0, 1), the same sequence for the same seed: mulberry32, a public-domain generator. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

export async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(Uint8Array.from(chunk))
  return Buffer.concat(chunks)
}

export async function contentOf(store: ObjectStore, key: string): Promise<Buffer> {
  return collect((await store.get(key)).body)
}

/** The kind with which a store call fails, or `resolved`; an error that is no StoreError is passed on. */
export async function kindOf(call: Promise<unknown>): Promise<StoreErrorKind | 'resolved'> {
  try {
    await call
    return 'resolved'
  } catch (error) {
    if (isStoreError(error)) return error.kind
    throw error
  }
}

/** Runs `work` on all items, `width` of them at a time. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values()
  const worker = async () => {
    for (const item of waiting) await work(item)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

/** All that a listing gives, objects and prefixes in one sequence in key order, and how many pages it took. */
export async function listAll(
  store: ObjectStore,
  options: ListOptions,
): Promise<{ readonly names: string[]; readonly pages: number }> {
  const names: string[] = []
  let cursor: string | undefined
  let pages = 0
  do {
    const page = await store.list({ ...options, cursor })
    names.push(...[...page.objects.map(object => object.key), ...page.prefixes].sort(compareKeys))
    cursor = page.next
    pages++
  } while (cursor !== undefined)
  return { names, pages }
}

/** Removes every object and upload below a prefix. */
export async function emptyStore(store: ObjectStore, prefix: string): Promise<void> {
  for (const { key, uploadId } of await store.listUploads({ prefix })) await store.resumeUpload(key, uploadId).abort()
  const { names } = await listAll(store, { prefix })
  await store.delete(names.map(key => ({ key })))
}

/** A sink of many small pieces of memory of odd sizes. */
export class PiecewiseSink implements ReadSink {
  readonly #pieces: Uint8Array[]
  #piece = 0
  #used = 0

  constructor(sizeBytes: number, pieceSizes: readonly number[]) {
    this.#pieces = []
    for (let i = 0, left = sizeBytes; left > 0; i++) {
      const size = Math.min(left, pieceSizes[i % pieceSizes.length] ?? left)
      this.#pieces.push(new Uint8Array(size))
      left -= size
    }
  }

  free(): Uint8Array {
    const piece = this.#pieces[this.#piece]
    if (piece === undefined) throw new Error('the sink is full')
    return piece.subarray(this.#used)
  }

  advance(bytes: number): void {
    if (bytes > this.free().byteLength) throw new Error('more bytes than there was room for')
    this.#used += bytes
    if (this.#used < (this.#pieces[this.#piece]?.byteLength ?? 0)) return
    this.#piece++
    this.#used = 0
  }

  /** What has arrived. */
  bytes(): Buffer {
    return Buffer.concat(this.#pieces.slice(0, this.#piece + 1)).subarray(0, this.sizeBytes)
  }

  get sizeBytes(): number {
    return this.#pieces.slice(0, this.#piece).reduce((sum, piece) => sum + piece.byteLength, this.#used)
  }
}
