import type { Log } from '../../backend/log.js'
import { SYSTEM_TIMERS, type Timers, within } from '../../backend/timers.js'
import { RunDelay } from '../../system/run-delay.js'
import type { BlockSource } from '../block.js'
import type { BlockTier, Seal, WhenBehind } from '../block-tier.js'
import { type Clock, SYSTEM_CLOCK } from '../clock.js'
import { CacheFolder } from './cache-folder.js'
import { DiskReader } from './disk-reader.js'
import { DiskWriter } from './disk-writer.js'
import { Pace } from './pace.js'
import { Room } from './room.js'
import { SegmentFiles } from './segment-files.js'
import { type CachedStore, identityOf, SEGMENT_BYTES } from './segment-format.js'
import type { KeepFree, SweepRequest, SweepResult } from './sweep.js'
import { type DiskWriting, WriterThread } from './writer-thread.js'

export interface DiskCacheOptions {
  /** Below which the cache's own folder is, which other processes and stores share. */
  readonly place: string
  readonly maxBytes: number
  readonly keepFree: KeepFree
  readonly store: CachedStore
  /** What of the bucket's keys goes before those that are asked for. */
  readonly prefix: string
  /** What waits for the disk at the most. */
  readonly maxWaitingBytes: number
  /** How long the store takes for so many bytes; undefined before it was asked. */
  readonly storeMs: (sizeBytes: number) => number | undefined
  readonly log: Log
  readonly clock?: Clock
  readonly timers?: Timers
  /** Writes and sweeps in this thread instead of threads of their own. */
  readonly sweep?: (request: SweepRequest) => Promise<SweepResult>
}

/** Whoever waits for the disk to take what it was given waits no longer, */
const PATIENCE_MS = 5000
/** or, at the end of a mount, so long for one that gets on with it. */
const MOST_PATIENCE_MS = 30_000

/**
 * Blocks of versions on the local disk: found by store, key, ETag and size, so that they can't be stale, and by their
 * checksums, so that a damaged one is a miss.
 */
export class DiskCache implements BlockTier {
  readonly #prefix: string
  readonly #store: CachedStore
  readonly #files: SegmentFiles
  readonly #reader: DiskReader
  readonly #writer: DiskWriting
  readonly #timers: Timers
  readonly #runDelay = new RunDelay()
  /** How often the disk has taken something. */
  #takenCount = 0

  private constructor(options: DiskCacheOptions) {
    const { place, store, log, clock = SYSTEM_CLOCK, timers = SYSTEM_TIMERS } = options
    const folder = CacheFolder.open(place, log)
    this.#store = store
    this.#prefix = options.prefix
    this.#timers = timers
    this.#files = new SegmentFiles(folder, clock, log)
    const awakeMs = () => timers.nowMs() - this.#runDelay.ms
    this.#reader = new DiskReader({ store, files: this.#files, pace: new Pace(options.storeMs), timers, awakeMs, log })
    this.#writer = this.#openWriter(options, folder, clock)
  }

  #openWriter(options: DiskCacheOptions, folder: CacheFolder, clock: Clock): DiskWriting {
    const { place, maxBytes, keepFree, store, maxWaitingBytes, log, sweep } = options
    const timers = this.#timers
    const onWritten = (version: BlockSource, offset: number, end: number) => this.#written(version, offset, end)
    if (sweep === undefined)
      return new WriterThread({ place, maxBytes, keepFree, store, maxWaitingBytes, onWritten, timers, log })
    const room = new Room({
      folder: folder.path,
      maxBytes,
      keepFree,
      sweep: () => sweep({ place, maxBytes, keepFree, nowMs: clock.nowMs() }),
      timers,
      log,
    })
    return new DiskWriter({ store, files: this.#files, room, maxWaitingBytes, timers, log })
  }

  /** Throws CacheFolderError, and what the disk says, where the folder can't be made. */
  static open(options: DiskCacheOptions): DiskCache {
    return new DiskCache(options)
  }

  /** Bytes that are right, from the front of `memory`; 0 is a miss. In bounded time. Never rejects. */
  read(version: BlockSource, offset: number, memory: Uint8Array): Promise<number> {
    return this.#reader.read(this.#whole(version), offset, memory)
  }

  /** Resolves when the bytes are needed no longer, at once and with false where they are not taken. Never rejects. */
  async write(
    version: BlockSource,
    offset: number,
    bytes: Uint8Array,
    whenBehind: WhenBehind = 'wait',
  ): Promise<boolean | Seal> {
    const outcome = await this.#writer.write(this.#whole(version), offset, bytes, whenBehind)
    this.#takenCount += Number(outcome === true)
    return outcome
  }

  async recall(version: BlockSource, offset: number, bytes: Uint8Array, seal: Seal): Promise<boolean> {
    const isTaken = await this.#writer.recall(this.#whole(version), offset, bytes, seal)
    this.#takenCount += Number(isTaken)
    return isTaken
  }

  /** Resolves when all that was taken so far is in files or was given up, and when that takes too long. */
  async settled(): Promise<void> {
    await this.#isSoon(this.#writer.settled())
  }

  /** `last` is what still comes, in bounded time. */
  async close(last: Promise<unknown> = Promise.resolve()): Promise<void> {
    const done = last.then(() => this.#writer.settled())
    const untilMs = this.#timers.nowMs() + MOST_PATIENCE_MS
    let before: number
    do before = this.#takenCount
    while (!(await this.#isSoon(done)) && this.#takenCount > before && this.#timers.nowMs() < untilMs)
    this.#writer.close()
    this.#files.close()
    this.#runDelay.close()
  }

  /** False: it takes too long. */
  async #isSoon(task: Promise<unknown>): Promise<boolean> {
    const isDone = await within(
      this.#timers,
      PATIENCE_MS,
      task.then(() => true),
    )
    return isDone === true
  }

  /** Another thread has written: what is known here of the segments is old. */
  #written(version: BlockSource, offset: number, end: number): void {
    for (let segment = Math.floor(offset / SEGMENT_BYTES); segment * SEGMENT_BYTES < end; segment++) {
      const identity = identityOf(this.#store, version, segment)
      if (identity !== undefined) this.#files.changed(identity)
    }
  }

  /** The same version for every mount of the bucket. */
  #whole({ key, etag, sizeBytes }: BlockSource): BlockSource {
    return { key: this.#prefix + key, etag, sizeBytes }
  }
}
