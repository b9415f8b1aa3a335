import { statfs } from 'node:fs/promises'
import type { Log } from '../../backend/log.js'
import type { Timers } from '../../backend/timers.js'
import type { KeepFree, SweepResult } from './sweep.js'

export interface RoomOptions {
  /** On whose disk it is. */
  readonly folder: string
  readonly maxBytes: number
  readonly keepFree: KeepFree
  /** Counts, and removes what was used least recently where there is too much. */
  readonly sweep: () => Promise<SweepResult>
  readonly timers: Timers
  readonly log: Log
}

/** This process adds at most such a share before it counts again what all processes together have. */
const GRANT = 0.1

/** After a sweep that made no room, or failed, so long nothing is added. */
const PAUSE_MS = 30_000

/** How often the disk is asked whether others fill it. */
const WATCH_MS = 60_000

/**
 * How much may be added to the cache, which other processes share. At most one sweep runs at a time.
 *
 * Invariant: what was granted since the last sweep began is at most what that one found room for.
 */
export class Room {
  readonly #options: RoomOptions
  /** May be granted before the next sweep. */
  #leftBytes = 0
  #grantBytes = 0
  /** Granted since the last sweep began. */
  #takenBytes = 0
  #pausedUntilMs = Number.NEGATIVE_INFINITY
  #sweeping: Promise<void> | undefined
  #cancelWatch: () => void
  #isClosed = false

  constructor(options: RoomOptions) {
    this.#options = options
    this.#cancelWatch = this.#watchLater()
    // Known by the time that there is something to add.
    void this.#sweep()
  }

  /** False: there is none, and there will not be for a while. */
  async take(sizeBytes: number): Promise<boolean> {
    if (this.#leftBytes < sizeBytes) await this.#sweep()
    if (this.#leftBytes < sizeBytes) {
      this.#pause()
      return false
    }
    this.#leftBytes -= sizeBytes
    this.#takenBytes += sizeBytes
    // Counted anew before it is used up, so that nobody waits for it.
    if (this.#leftBytes < this.#grantBytes / 4) void this.#sweep()
    return true
  }

  /** There is none, and there will not be for a while. */
  get isPaused(): boolean {
    return this.#options.timers.nowMs() < this.#pausedUntilMs
  }

  /** The disk is fuller than it was thought to be. */
  exhausted(): void {
    this.#leftBytes = 0
  }

  /** A sweep that is under way ends by itself. */
  close(): void {
    this.#isClosed = true
    this.#cancelWatch()
  }

  #sweep(): Promise<void> {
    if (this.#isClosed || this.isPaused) return Promise.resolve()
    this.#sweeping ??= this.#count().finally(() => {
      this.#sweeping = undefined
    })
    return this.#sweeping
  }

  async #count(): Promise<void> {
    const { maxBytes, sweep, log } = this.#options
    this.#takenBytes = 0
    try {
      const { usedBytes, removedBytes, roomBytes } = await sweep()
      this.#grantBytes = Math.min(roomBytes, maxBytes * GRANT)
      this.#leftBytes = Math.max(0, this.#grantBytes - this.#takenBytes)
      if (removedBytes > 0) log.debug('the disk cache was made smaller', { usedBytes, removedBytes })
    } catch (error) {
      this.#leftBytes = 0
      this.#pause()
      log.warn('the disk cache could not be counted: nothing is added for a while', { error })
    }
  }

  #pause(): void {
    const nowMs = this.#options.timers.nowMs()
    if (nowMs >= this.#pausedUntilMs) this.#pausedUntilMs = nowMs + PAUSE_MS
  }

  #watchLater(): () => void {
    return this.#options.timers.after(WATCH_MS, () => {
      void this.#watch().finally(() => {
        if (!this.#isClosed) this.#cancelWatch = this.#watchLater()
      })
    })
  }

  /** Others fill the disk, too: what is kept free for them comes from the cache. */
  async #watch(): Promise<void> {
    const { folder, keepFree, log } = this.#options
    try {
      const { bavail, blocks, bsize } = await statfs(folder)
      const keepBytes = 'bytes' in keepFree ? keepFree.bytes : keepFree.share * blocks * bsize
      if (bavail * bsize < keepBytes) await this.#sweep()
    } catch (error) {
      log.debug('the disk of the cache does not tell how full it is', { error })
    }
  }
}
