import type { BodySource } from '../backend/object-store.js'
import type { BufferPool } from './buffer-pool.js'
import type { Hold, Lent } from './lent.js'

/**
 * The bytes of one part in memory, as they come: those that are lent stay where they are, others are copied. It is given
 * up when its owner has released it and nobody holds bytes of it any more.
 */
export class PartMemory {
  readonly #pool: BufferPool
  readonly #onFree: () => void
  readonly #pieces: Uint8Array[] = []
  readonly #chunks: Buffer[] = []
  readonly #releases: (() => void)[] = []
  /** Of the last chunk. */
  #chunkBytes = 0
  #filledBytes = 0
  #users = 1

  /** `onFree` is called once, when the memory is given up. */
  constructor(pool: BufferPool, onFree: () => void) {
    this.#pool = pool
    this.#onFree = onFree
  }

  get filledBytes(): number {
    return this.#filledBytes
  }

  /** What has been added so far, to be sent: it stays so while the memory is not released. */
  get body(): BodySource {
    const inMemory = [...this.#pieces]
    return {
      sizeBytes: this.#filledBytes,
      inMemory,
      async *open() {
        yield* inMemory
      },
    }
  }

  /** Says where the bytes are now. */
  add(data: Uint8Array, hold: Hold | undefined): readonly Lent[] {
    this.#filledBytes += data.length
    if (hold === undefined) return this.#copy(data)
    this.#releases.push(hold())
    this.#pieces.push(data)
    return [{ bytes: data, hold: this.#hold }]
  }

  release(): void {
    this.#users -= 1
    if (this.#users > 0) return
    for (const release of this.#releases) release()
    for (const chunk of this.#chunks) this.#pool.give(chunk)
    this.#onFree()
  }

  readonly #hold: Hold = () => {
    this.#users += 1
    return () => this.release()
  }

  #copy(data: Uint8Array): readonly Lent[] {
    const copies: Lent[] = []
    for (let done = 0; done < data.length; ) {
      const chunk = this.#chunkWithRoom()
      const from = this.#chunkBytes
      const taken = Math.min(data.length - done, chunk.length - from)
      chunk.set(data.subarray(done, done + taken), from)
      this.#chunkBytes += taken
      done += taken
      this.#addCopied(chunk, from)
      copies.push({ bytes: chunk.subarray(from, this.#chunkBytes), hold: this.#hold })
    }
    return copies
  }

  #chunkWithRoom(): Buffer {
    const last = this.#chunks.at(-1)
    if (last !== undefined && this.#chunkBytes < last.length) return last
    const chunk = this.#pool.take()
    this.#chunks.push(chunk)
    this.#chunkBytes = 0
    return chunk
  }

  /** Bytes that follow each other are one piece. */
  #addCopied(chunk: Buffer, from: number): void {
    const last = this.#pieces.at(-1)
    const isNext = last?.buffer === chunk.buffer && last.byteOffset + last.length === chunk.byteOffset + from
    if (isNext) this.#pieces.pop()
    this.#pieces.push(chunk.subarray(isNext ? from - last.length : from, this.#chunkBytes))
  }
}
