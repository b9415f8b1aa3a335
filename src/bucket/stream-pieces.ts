import { unlessAborted } from '../backend/call.js'
import type { Body, BodySource } from '../backend/object-store.js'
import { PartSizes } from '../backend/part-sizes.js'
import { isStoreError, StoreError } from '../backend/store-error.js'

/** Memory of pieces that were sent, for the next ones: how much there is follows from how many are on their way at once. */
export class PieceMemory {
  readonly #spare: Buffer[] = []

  take(sizeBytes: number): Buffer {
    const at = this.#spare.findIndex(memory => memory.byteLength === sizeBytes)
    return this.#spare.splice(at, at < 0 ? 0 : 1)[0] ?? Buffer.allocUnsafeSlow(sizeBytes)
  }

  /** Of a body that nobody sends any more. */
  give(body: Body): void {
    if (body instanceof StreamPiece && body.memory !== undefined) this.#spare.push(body.memory)
  }
}

/** A body in memory, which is lent where `memory` is named. */
class StreamPiece implements BodySource {
  readonly sizeBytes: number
  readonly inMemory: readonly Uint8Array[]
  readonly memory: Buffer | undefined

  constructor(chunks: readonly Uint8Array[], sizeBytes: number, memory?: Buffer) {
    this.inMemory = chunks
    this.sizeBytes = sizeBytes
    this.memory = memory
  }

  async *open(): AsyncGenerator<Uint8Array> {
    yield* this.inMemory
  }
}

/**
 * What a stream gives, in bodies of the sizes of parts; only the last may be smaller. The first is held as it came, since most
 * streams have no more; the others are in memory that is lent until it is given back. What the stream fails with becomes a
 * StoreError of kind `unavailable`.
 */
export async function* sizedPieces(
  stream: AsyncIterable<unknown>,
  firstBytes: number,
  memory: PieceMemory,
  key: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<BodySource, undefined, undefined> {
  const sizes = new PartSizes(firstBytes)
  let number = 1
  let piece = new GrowingPiece(sizes.sizeOf(1), undefined)
  for await (const chunk of chunksOf(stream, key, signal)) {
    for (let rest = chunk; rest.byteLength > 0; ) {
      rest = piece.add(rest)
      if (!piece.isFull) continue
      yield piece.body()
      number += 1
      piece = new GrowingPiece(sizes.sizeOf(number), memory)
    }
  }
  if (!piece.isEmpty) yield piece.body()
  return undefined
}

class GrowingPiece {
  readonly #sizeBytes: number
  readonly #source: PieceMemory | undefined
  readonly #chunks: Uint8Array[] = []
  #memory: Buffer | undefined
  #filledBytes = 0

  /** Without a source of memory chunks are kept as they come. */
  constructor(sizeBytes: number, source: PieceMemory | undefined) {
    this.#sizeBytes = sizeBytes
    this.#source = source
  }

  get isFull(): boolean {
    return this.#filledBytes === this.#sizeBytes
  }

  get isEmpty(): boolean {
    return this.#filledBytes === 0
  }

  /** Answers with what there is no more room for. */
  add(chunk: Uint8Array): Uint8Array {
    const taken = chunk.subarray(0, this.#sizeBytes - this.#filledBytes)
    // Who made it may use the memory again.
    if (this.#source === undefined) this.#chunks.push(Buffer.from(taken))
    else {
      this.#memory ??= this.#source.take(this.#sizeBytes)
      this.#memory.set(taken, this.#filledBytes)
    }
    this.#filledBytes += taken.byteLength
    return chunk.subarray(taken.byteLength)
  }

  body(): BodySource {
    const memory = this.#memory
    if (memory === undefined) return new StreamPiece(this.#chunks, this.#filledBytes)
    return new StreamPiece([memory.subarray(0, this.#filledBytes)], this.#filledBytes, memory)
  }
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
