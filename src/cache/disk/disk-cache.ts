import type { Log } from '../../backend/log.js'
import { SYSTEM_TIMERS, type Timers } from '../../backend/timers.js'
import type { BlockSource } from '../block.js'
import type { BlockTier } from '../block-tier.js'
import { type Clock, SYSTEM_CLOCK } from '../clock.js'
import { CacheFolder } from './cache-folder.js'
import { DiskReader } from './disk-reader.js'
import { DiskWriter } from './disk-writer.js'
import { Pace } from './pace.js'
import { Room } from './room.js'
import { SegmentFiles } from './segment-files.js'
import type { CachedStore } from './segment-format.js'
import type { KeepFree, SweepRequest, SweepResult } from './sweep.js'
import { sweepInThread } from './sweeper.js'

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
  /** Default: in a thread of its own. */
  readonly sweep?: (request: SweepRequest) => Promise<SweepResult>
}

/** Whoever waits for the disk to take what it was given waits no longer. */
const PATIENCE_MS = 5000

/**
 * Blocks of versions on the local disk: found by store, key, ETag and size, so that they can't be stale, and by their
 * checksums, so that a damaged one is a miss.
 */
export class DiskCache implements BlockTier {
  readonly #prefix: string
  readonly #files: SegmentFiles
  readonly #room: Room
  readonly #reader: DiskReader
  readonly #writer: DiskWriter
  readonly #timers: Timers

  private constructor(options: DiskCacheOptions) {
    const { place, maxBytes, keepFree, store, log, clock = SYSTEM_CLOCK, timers = SYSTEM_TIMERS } = options
    const folder = CacheFolder.open(place, log)
    const sweep = options.sweep ?? sweepInThread
    this.#prefix = options.prefix
    this.#timers = timers
    this.#files = new SegmentFiles(folder, clock, log)
    this.#room = new Room({
      folder: folder.path,
      maxBytes,
      keepFree,
      sweep: () => sweep({ place, maxBytes, keepFree, nowMs: clock.nowMs() }),
      timers,
      log,
    })
    this.#reader = new DiskReader({ store, files: this.#files, pace: new Pace(options.storeMs), timers, log })
    const { maxWaitingBytes } = options
    this.#writer = new DiskWriter({ store, files: this.#files, room: this.#room, maxWaitingBytes, timers, log })
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
  write(version: BlockSource, offset: number, bytes: Uint8Array): Promise<boolean> {
    return this.#writer.write(this.#whole(version), offset, bytes)
  }

  /** Resolves when all that was taken so far is in files or was given up, and when that takes too long. */
  async settled(): Promise<void> {
    let cancel = () => {}
    const impatience = new Promise<void>(resolve => {
      cancel = this.#timers.after(PATIENCE_MS, resolve)
    })
    await Promise.race([this.#writer.settled(), impatience])
    cancel()
  }

  async close(): Promise<void> {
    await this.settled()
    this.#writer.close()
    this.#room.close()
    this.#files.close()
  }

  /** The same version for every mount of the bucket. */
  #whole({ key, etag, sizeBytes }: BlockSource): BlockSource {
    return { key: this.#prefix + key, etag, sizeBytes }
  }
}
