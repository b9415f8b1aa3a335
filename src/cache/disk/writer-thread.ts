import { Worker } from 'node:worker_threads'
import type { Log, LogFields } from '../../backend/log.js'
import type { Timers } from '../../backend/timers.js'
import { alignedMemory } from '../../system/aligned-memory.js'
import type { BlockSource } from '../block.js'
import { type CachedStore, CELL_BYTES, SEGMENT_BYTES } from './segment-format.js'
import type { KeepFree } from './sweep.js'

/** Who puts blocks onto the disk. */
export interface DiskWriting {
  /** Resolves when the bytes are needed no longer, at once and with false where they are not taken. Never rejects. */
  write(version: BlockSource, offset: number, bytes: Uint8Array): Promise<boolean>
  /** Resolves when all that was taken is in files or was given up. */
  settled(): Promise<void>
  /** Takes nothing more. */
  close(): void
}

export interface WriterThreadData {
  readonly place: string
  readonly store: CachedStore
  readonly maxBytes: number
  readonly keepFree: KeepFree
}

export interface WriterThreadOptions extends WriterThreadData {
  /** What waits for the thread at the most, beside what it is writing. */
  readonly maxWaitingBytes: number
  /** Bytes of a version have come to the disk. */
  readonly onWritten: (version: BlockSource, offset: number, end: number) => void
  readonly timers: Timers
  readonly log: Log
}

/** One piece for the thread. The memory goes there and comes back with the answer. */
export interface PieceToWrite {
  readonly number: number
  readonly version: BlockSource
  readonly offset: number
  readonly bytes: Uint8Array
  readonly lengthBytes: number
}

export type WriterAnswer =
  | { readonly number: number; readonly isTaken: boolean; readonly bytes: Uint8Array }
  | { readonly level: keyof Log; readonly message: string; readonly fields: LogFields | undefined }

/** Pieces that are in the thread at once: one that is written, and the next. */
const MEMORIES = 2

/** A thread that took nothing is asked again so much later. */
const PAUSE_MS = 5000

const REFUSED = Promise.resolve(false)

interface Waiting {
  readonly version: BlockSource
  readonly offset: number
  readonly bytes: Uint8Array
  doneBytes: number
  readonly release: (isTaken: boolean) => void
}

/**
 * Hands blocks to a thread that writes them: checksums, and the many steps that the disk needs for a segment, would
 * otherwise wait for the thread that serves, and it for them. A block is given back as soon as it has been copied.
 *
 * Invariant: each piece of memory is either free or in the thread, with what is in `#sent`.
 */
export class WriterThread implements DiskWriting {
  readonly #options: WriterThreadOptions
  readonly #worker: Worker
  readonly #free: Uint8Array[] = []
  readonly #waiting: Waiting[] = []
  readonly #sent = new Map<number, { readonly version: BlockSource; readonly offset: number; readonly end: number }>()
  #lastNumber = 0
  #memories = 0
  #waitingBytes = 0
  #pausedUntilMs = Number.NEGATIVE_INFINITY
  #isClosed = false
  #onSettled: (() => void)[] = []

  constructor(options: WriterThreadOptions) {
    this.#options = options
    const { place, store, maxBytes, keepFree, log } = options
    const workerData: WriterThreadData = { place, store, maxBytes, keepFree }
    this.#worker = new Worker(new URL('./writer-program.js', import.meta.url), { workerData })
    this.#worker.unref()
    this.#worker.on('message', (answer: WriterAnswer) => this.#hear(answer))
    this.#worker.on('error', error => log.warn('the thread that writes the disk cache failed', { error }))
    this.#worker.on('exit', () => this.#gone())
  }

  write(version: BlockSource, offset: number, bytes: Uint8Array): Promise<boolean> {
    const { timers, maxWaitingBytes } = this.#options
    const isFull = this.#waitingBytes + bytes.length > maxWaitingBytes
    const isPaused = timers.nowMs() < this.#pausedUntilMs
    if (this.#isClosed || isFull || isPaused || offset % CELL_BYTES !== 0) return REFUSED
    this.#waitingBytes += bytes.length
    return new Promise(release => {
      this.#waiting.push({ version, offset, bytes, doneBytes: 0, release })
      this.#send()
    })
  }

  settled(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve()
    return new Promise(resolve => {
      this.#onSettled.push(resolve)
    })
  }

  close(): void {
    this.#isClosed = true
    void this.#worker.terminate()
  }

  #isIdle(): boolean {
    return this.#waiting.length === 0 && this.#sent.size === 0
  }

  #send(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const memory = this.#memory()
      if (memory === undefined) return
      const offset = next.offset + next.doneBytes
      // Up to the end of a segment, so that no piece has to be put together again.
      const most = SEGMENT_BYTES - (offset % SEGMENT_BYTES)
      const piece = next.bytes.subarray(next.doneBytes, next.doneBytes + most)
      memory.set(piece)
      const { version } = next
      const number = ++this.#lastNumber
      const message: PieceToWrite = { number, version, offset, bytes: memory, lengthBytes: piece.length }
      this.#worker.postMessage(message, [memory.buffer as ArrayBuffer])
      this.#sent.set(number, { version, offset, end: offset + piece.length })
      next.doneBytes += piece.length
      if (next.doneBytes < next.bytes.length) continue
      this.#waiting.shift()
      this.#waitingBytes -= next.bytes.length
      next.release(true)
    }
  }

  #memory(): Uint8Array | undefined {
    const free = this.#free.pop()
    if (free !== undefined || this.#memories === MEMORIES) return free
    this.#memories += 1
    return alignedMemory(SEGMENT_BYTES)
  }

  #hear(answer: WriterAnswer): void {
    if ('level' in answer) {
      this.#options.log[answer.level](answer.message, answer.fields)
      return
    }
    this.#free.push(answer.bytes)
    const sent = this.#sent.get(answer.number)
    this.#sent.delete(answer.number)
    if (!answer.isTaken) this.#pausedUntilMs = this.#options.timers.nowMs() + PAUSE_MS
    else if (sent !== undefined) this.#options.onWritten(sent.version, sent.offset, sent.end)
    this.#send()
    if (this.#isIdle()) this.#settle()
  }

  #settle(): void {
    for (const resolve of this.#onSettled.splice(0)) resolve()
  }

  /** What waits is given up. */
  #gone(): void {
    this.#isClosed = true
    this.#sent.clear()
    for (const { release } of this.#waiting.splice(0)) release(false)
    this.#settle()
  }
}
