import { unlessAborted } from '../backend/call.js'
import type { BodySource } from '../backend/object-store.js'
import { PartSizes } from '../backend/part-sizes.js'
import { isStoreError, StoreError } from '../backend/store-error.js'

/**
 * What a stream gives, in bodies of the sizes of parts; only the last may be smaller. Each is held in memory until nobody
 * needs it any more. What the stream fails with becomes a StoreError of kind `unavailable`.
 */
export async function* sizedPieces(
  stream: AsyncIterable<unknown>,
  firstBytes: number,
  key: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<BodySource, undefined, undefined> {
  const sizes = new PartSizes(firstBytes)
  let number = 1
  let chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunksOf(stream, key, signal)) {
    for (let rest = chunk; rest.byteLength > 0; ) {
      const piece = rest.subarray(0, sizes.sizeOf(number) - bytes)
      chunks.push(piece)
      bytes += piece.byteLength
      rest = rest.subarray(piece.byteLength)
      if (bytes < sizes.sizeOf(number)) continue
      yield bodyOf(chunks, bytes)
      number += 1
      chunks = []
      bytes = 0
    }
  }
  if (bytes > 0) yield bodyOf(chunks, bytes)
  return undefined
}

async function* chunksOf(
  stream: AsyncIterable<unknown>,
  key: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]()
  try {
    for (;;) {
      const step = await unlessAborted(iterator.next(), signal, 'put', key)
      if (step.done === true) return
      yield bytesOf(step.value, key)
    }
  } catch (error) {
    throw isStoreError(error) ? error : unreadable(error, key)
  } finally {
    // A stream that gives nothing more ends only when it likes to.
    iterator.return?.().catch(() => undefined)
  }
}

function bytesOf(chunk: unknown, key: string): Uint8Array {
  if (typeof chunk === 'string') return Buffer.from(chunk)
  if (chunk instanceof Uint8Array) return chunk
  throw new StoreError('invalid', `${key}: a stream of bytes or text is needed`, { key, operation: 'put' })
}

function unreadable(cause: unknown, key: string): StoreError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const details = { cause, key, operation: 'put', retryable: false }
  return new StoreError('unavailable', `${key}: what was to be stored could not be read: ${reason}`, details)
}

function bodyOf(chunks: readonly Uint8Array[], sizeBytes: number): BodySource {
  return {
    sizeBytes,
    inMemory: chunks,
    async *open() {
      yield* chunks
    },
  }
}
