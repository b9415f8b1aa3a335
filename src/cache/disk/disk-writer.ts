import type { Log } from '../../backend/log.js'
import type { Timers } from '../../backend/timers.js'
import type { BlockSource } from '../block.js'
import type { Seal } from '../block-tier.js'
import type { Room } from './room.js'
import { sealedBytes } from './seal.js'
import type { SegmentFile } from './segment-file.js'
import type { SegmentFiles } from './segment-files.js'
import {
  type CachedStore,
  CELL_BYTES,
  HEADER_BYTES,
  identityOf,
  SEGMENT_BYTES,
  SEGMENT_CELLS,
  type SegmentIdentity,
} from './segment-format.js'
import type { DiskWriting } from './writer-thread.js'

export interface DiskWriterOptions {
  readonly store: CachedStore
  readonly files: SegmentFiles
  readonly room: Room
  /** What waits for the disk at the most: memory that nothing else can use. */
  readonly maxWaitingBytes: number
  readonly timers: Timers
  readonly log: Log
}

/** After an error the disk is left alone for so long. */
const PAUSE_MS = 60_000

const REFUSED = Promise.resolve(false)

/** Bytes that wait, and who is told when they are needed no longer. */
interface Waiting {
  readonly version: BlockSource
  readonly offset: number
  readonly bytes: Uint8Array
  readonly release: (isTaken: true) => void
}

/**
 * Writes behind, one block after the other. What comes faster than the disk takes it is left out: the store has it.
 *
 * Invariant: `#work` is there while anything waits or is being written, and it never rejects.
 */
export class DiskWriter implements DiskWriting {
  readonly #options: DiskWriterOptions
  readonly #waiting: Waiting[] = []
  #waitingBytes = 0
  #work: Promise<void> | undefined
  #pausedUntilMs = Number.NEGATIVE_INFINITY
  #isClosed = false

  constructor(options: DiskWriterOptions) {
    this.#options = options
  }

  /** Resolves when the bytes are needed no longer, at once and with false where they are not taken. Never rejects. */
  write(version: BlockSource, offset: number, bytes: Uint8Array): Promise<boolean> {
    const { timers, room, maxWaitingBytes } = this.#options
    const isFull = this.#waitingBytes + bytes.length > maxWaitingBytes
    const isPaused = room.isPaused || timers.nowMs() < this.#pausedUntilMs
    if (this.#isClosed || isFull || isPaused || offset % CELL_BYTES !== 0) return REFUSED
    this.#waitingBytes += bytes.length
    return new Promise(release => {
      this.#waiting.push({ version, offset, bytes, release })
      this.#work ??= this.#writeAll()
    })
  }

  recall(version: BlockSource, offset: number, bytes: Uint8Array, seal: Seal): Promise<boolean> {
    return this.write(version, offset, bytes.subarray(0, sealedBytes(seal, offset, bytes)))
  }

  async settled(): Promise<void> {
    while (this.#work !== undefined) await this.#work
  }

  /** Takes nothing more. */
  close(): void {
    this.#isClosed = true
    this.#options.room.close()
  }

  async #writeAll(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        await this.#writeOne(next)
      } catch (error) {
        this.#failed(error)
      } finally {
        this.#waitingBytes -= next.bytes.length
        next.release(true)
      }
    }
    this.#work = undefined
  }

  #failed(error: unknown): void {
    const { room, timers, log } = this.#options
    this.#pausedUntilMs = timers.nowMs() + PAUSE_MS
    room.exhausted()
    log.warn('the disk cache takes no more for a while', { error })
  }

  async #writeOne({ version, offset, bytes }: Waiting): Promise<void> {
    if (this.#options.timers.nowMs() < this.#pausedUntilMs) return
    const end = Math.min(offset + bytes.length, version.sizeBytes)
    for (let at = offset; at < end; ) {
      const segment = Math.floor(at / SEGMENT_BYTES)
      const stop = Math.min(end, (segment + 1) * SEGMENT_BYTES)
      const identity = identityOf(this.#options.store, version, segment)
      if (identity === undefined) return
      if (!(await this.#writeSegment(identity, at % SEGMENT_BYTES, bytes.subarray(at - offset, stop - offset)))) return
      at = stop
    }
  }

  /** False: there is no room. */
  async #writeSegment(identity: SegmentIdentity, offset: number, bytes: Uint8Array): Promise<boolean> {
    const { files, room } = this.#options
    const file = await files.make(identity)
    try {
      for (const { first, start, end } of missingRuns(file, offset, bytes)) {
        if (!(await room.take(end - start + HEADER_BYTES))) return false
        await files.write(identity, file, first, bytes.subarray(start, end))
      }
      return true
    } finally {
      await files.wrote(file)
    }
  }
}

/** Whole cells that the file does not have, in runs: the first cell, and which of the bytes. */
function* missingRuns(file: SegmentFile, offset: number, bytes: Uint8Array) {
  let run: { readonly first: number; readonly start: number; readonly end: number } | undefined
  let start = 0
  for (let cell = offset / CELL_BYTES; cell < SEGMENT_CELLS; cell++) {
    const end = start + file.lengthOf(cell)
    if (end === start || end > bytes.length) break
    const isMissing = !file.has(cell)
    if (isMissing) run = { first: run?.first ?? cell, start: run?.start ?? start, end }
    else if (run !== undefined) {
      yield run
      run = undefined
    }
    start = end
  }
  if (run !== undefined) yield run
}
