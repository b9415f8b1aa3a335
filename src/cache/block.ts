import { onAbort } from '../backend/call.js'
import type { Seal } from './block-tier.js'

/** The version of an object whose blocks are filled. */
export interface BlockSource {
  readonly key: string
  readonly etag: string
  readonly sizeBytes: number
}

/**
 * What one request brings of one version of an object: memory that is filled from the front, and who waits for it. It
 * lies in one piece, on the grid of the cache's cells.
 */
export class Block {
  readonly source: BlockSource
  /** Where the block begins in the object, in bytes. */
  readonly offset: number
  readonly memory: Buffer
  /** Whether read-ahead brought it, rather than a program that waited. */
  readonly cameAhead: boolean
  /** Whose read-ahead it is, until its bytes have been read or its owner reads no further. */
  owner: object | undefined
  /** How much of it readers have been given; what is read twice counts twice. */
  readBytes = 0
  /** The tier below still wants it. */
  isOwed = false
  /** By what the tier knows it again when it is in memory no longer. */
  seal: Seal | undefined
  #filledBytes = 0
  #pins = 0
  #dropped = false
  #error: unknown
  #waiters: Waiter[] = []
  readonly #onFree: (block: Block) => void

  /** `onFree` is called whenever the last pin goes, and when a block without any is dropped. */
  constructor(
    source: BlockSource,
    offset: number,
    memory: Buffer,
    owner: object | undefined,
    onFree: (block: Block) => void,
  ) {
    this.source = source
    this.offset = offset
    this.memory = memory
    this.owner = owner
    this.cameAhead = owner !== undefined
    this.#onFree = onFree
  }

  /** Where it ends in the object. */
  get end(): number {
    return this.offset + this.memory.length
  }

  get filledBytes(): number {
    return this.#filledBytes
  }

  /** It has its bytes up to `end` of the object, as far as it goes there. */
  hasUpTo(end: number): boolean {
    return this.#filledBytes >= Math.min(end - this.offset, this.memory.length)
  }

  get isComplete(): boolean {
    return this.#filledBytes === this.memory.length
  }

  /** Somebody reads it, or will once it is filled. */
  get isPinned(): boolean {
    return this.#pins > 0
  }

  /** The part that a lane may still write to. */
  free(): Uint8Array {
    return this.memory.subarray(this.#filledBytes)
  }

  /** A lane put `bytes` more bytes into `free()`. */
  advance(bytes: number): void {
    this.#filledBytes += bytes
    if (this.#waiters.length > 0) this.#settle()
  }

  /** The lane gave up: whoever waits for bytes that did not come gets the error. */
  fail(error: unknown): void {
    this.#error = error
    this.#settle()
  }

  /** Resolves once the first `bytes` bytes are there. */
  whenFilled(bytes: number, signal?: AbortSignal): Promise<void> {
    if (this.#filledBytes >= bytes) return Promise.resolve()
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const forget = onAbort(signal, () => {
        this.#waiters = this.#waiters.filter(other => other !== waiter)
        reject(signal?.reason)
      })
      const waiter: Waiter = { bytes, resolve, reject, forget }
      this.#waiters.push(waiter)
    })
  }

  #settle(): void {
    const waiting: Waiter[] = []
    for (const waiter of this.#waiters) {
      const isFilled = this.#filledBytes >= waiter.bytes
      if (!isFilled && this.#error === undefined) {
        waiting.push(waiter)
        continue
      }
      waiter.forget()
      if (isFilled) waiter.resolve()
      else waiter.reject(this.#error)
    }
    this.#waiters = waiting
  }

  /** While pinned the memory is not used for anything else. */
  pin(): void {
    this.#pins += 1
  }

  unpin(): void {
    this.#pins -= 1
    if (this.#pins === 0) this.#onFree(this)
  }

  /** The cache forgot the block; its memory goes back once nobody looks at it. */
  drop(): void {
    this.#dropped = true
    if (this.#pins === 0) this.#onFree(this)
  }

  get isDropped(): boolean {
    return this.#dropped
  }
}

interface Waiter {
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
  /** The signal matters no more. */
  readonly forget: () => void
}
