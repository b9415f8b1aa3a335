import { Worker } from 'node:worker_threads'
import type { Log, LogFields } from '../../backend/log.js'
import type { Timers } from '../../backend/timers.js'
import type { BlockSource } from '../block.js'
import type { Seal, WhenBehind } from '../block-tier.js'
import { type CachedStore, CELL_BYTES } from './segment-format.js'
import type { KeepFree } from './sweep.js'

/** Who puts blocks onto the disk. */
export interface DiskWriting {
  /**
   * Resolves when the bytes are needed no longer, at once and with false where they are not taken; with a seal where
   * there was no time for more. Never rejects.
   */
  write(version: BlockSource, offset: number, bytes: Uint8Array, whenBehind: WhenBehind): Promise<boolean | Seal>
  /** As `write`, of what fits the seal. */
  recall(version: BlockSource, offset: number, bytes: Uint8Array, seal: Seal): Promise<boolean>
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
  /** What is in the thread at the most. */
  readonly maxWaitingBytes: number
  /** Bytes of a version have come to the disk. */
  readonly onWritten: (version: BlockSource, offset: number, end: number) => void
  /** What the thread runs; default: writer-program. */
  readonly program?: URL
  readonly timers: Timers
  readonly log: Log
}

/** What the thread is to write: memory that it shares with the one that sends it, or a copy. */
export interface PieceToWrite {
  readonly number: number
  readonly version: BlockSource
  readonly offset: number
  readonly bytes: Uint8Array
  /** It is to be sealed only, or to be written as far as it fits a seal. */
  readonly seal: 'make' | Seal | undefined
}

export type WriterAnswer =
  | { readonly number: number; readonly outcome: boolean | Seal }
  | { readonly level: keyof Log; readonly message: string; readonly fields: LogFields | undefined }

/** A thread that took nothing is asked again so much later. */
const PAUSE_MS = 5000

/** A thread that has died is begun anew so much later, with the next block. */
const RESTART_MS = 60_000

/** Beyond this share of what may be in the thread it is behind: the rest is for what it seals, which goes fast. */
const BEHIND_SHARE = 1 / 4

const REFUSED = Promise.resolve(false)

/** What is in the thread, and who is told when its bytes are needed no longer. */
interface Sent {
  readonly version: BlockSource
  readonly offset: number
  readonly sizeBytes: number
  readonly release: (outcome: boolean | Seal) => void
}

/**
 * Hands blocks to a thread that writes them: checksums, and the many steps that the disk needs for a segment, would
 * otherwise wait for the thread that serves, and it for them. Blocks in shared memory are written from where they are.
 * A thread that dies takes what it was given along, and the store has it: nobody waits for it any more.
 */
export class WriterThread implements DiskWriting {
  readonly #options: WriterThreadOptions
  /** Undefined after it has died. */
  #worker: Worker | undefined
  readonly #sent = new Map<number, Sent>()
  #lastNumber = 0
  #sentBytes = 0
  #pausedUntilMs = Number.NEGATIVE_INFINITY
  #isClosed = false
  #onSettled: (() => void)[] = []

  constructor(options: WriterThreadOptions) {
    this.#options = options
    // What there is room for is known by the time that there is something to add.
    this.#worker = this.#start()
  }

  write(
    version: BlockSource,
    offset: number,
    bytes: Uint8Array,
    whenBehind: WhenBehind = 'wait',
  ): Promise<boolean | Seal> {
    const isBehind =
      this.#sentBytes > 0 && this.#sentBytes + bytes.length > this.#options.maxWaitingBytes * BEHIND_SHARE
    if (isBehind && whenBehind === 'refuse') return REFUSED
    return this.#send(version, offset, bytes, isBehind && whenBehind === 'seal' ? 'make' : undefined)
  }

  async recall(version: BlockSource, offset: number, bytes: Uint8Array, seal: Seal): Promise<boolean> {
    return (await this.#send(version, offset, bytes, seal)) === true
  }

  #send(version: BlockSource, offset: number, bytes: Uint8Array, seal: PieceToWrite['seal']): Promise<boolean | Seal> {
    const { timers, maxWaitingBytes } = this.#options
    const sizeBytes = bytes.length
    const isFull = this.#sentBytes + sizeBytes > maxWaitingBytes
    const isPaused = timers.nowMs() < this.#pausedUntilMs
    if (this.#isClosed || isFull || isPaused || offset % CELL_BYTES !== 0) return REFUSED
    this.#worker ??= this.#start()
    const number = ++this.#lastNumber
    const isShared = bytes.buffer instanceof SharedArrayBuffer
    const message: PieceToWrite = { number, version, offset, bytes: isShared ? bytes : Uint8Array.from(bytes), seal }
    this.#worker.postMessage(message, isShared ? [] : [message.bytes.buffer as ArrayBuffer])
    this.#sentBytes += sizeBytes
    return new Promise(release => {
      this.#sent.set(number, { version, offset, sizeBytes, release })
    })
  }

  settled(): Promise<void> {
    if (this.#sent.size === 0) return Promise.resolve()
    return new Promise(resolve => {
      this.#onSettled.push(resolve)
    })
  }

  close(): void {
    this.#isClosed = true
    void this.#worker?.terminate()
  }

  #start(): Worker {
    const { place, store, maxBytes, keepFree, log, program } = this.#options
    const workerData: WriterThreadData = { place, store, maxBytes, keepFree }
    const worker = new Worker(program ?? new URL('./writer-program.js', import.meta.url), { workerData })
    worker.unref()
    worker.on('message', (answer: WriterAnswer) => this.#hear(answer))
    worker.on('error', error => log.warn('the thread that writes the disk cache failed', { error }))
    worker.on('exit', () => this.#gone())
    return worker
  }

  #hear(answer: WriterAnswer): void {
    const { timers, onWritten, log } = this.#options
    if ('level' in answer) {
      log[answer.level](answer.message, answer.fields)
      return
    }
    const sent = this.#sent.get(answer.number)
    if (sent === undefined) return
    const { version, offset, sizeBytes, release } = sent
    this.#sent.delete(answer.number)
    this.#sentBytes -= sizeBytes
    if (answer.outcome === true) onWritten(version, offset, offset + sizeBytes)
    else if (answer.outcome === false) this.#pausedUntilMs = timers.nowMs() + PAUSE_MS
    release(answer.outcome)
    this.#settle()
  }

  #settle(): void {
    if (this.#sent.size === 0) for (const resolve of this.#onSettled.splice(0)) resolve()
  }

  #gone(): void {
    const { timers, log } = this.#options
    this.#worker = undefined
    this.#pausedUntilMs = timers.nowMs() + RESTART_MS
    if (!this.#isClosed)
      log.warn('the thread that writes the disk cache ended: nothing is added for a while', { afterMs: RESTART_MS })
    const lost = [...this.#sent.values()]
    this.#sent.clear()
    this.#sentBytes = 0
    for (const { release } of lost) release(false)
    this.#settle()
  }
}
