import type { BufferBudget } from '../cache/buffer-budget.js'
import { leavable } from './mutex.js'
import type { Leaver } from './operations.js'

/** Reading always finds so much of the memory free of what writers hold. */
const READERS_SHARE = 1 / 4

/**
 * What all writers of a mount may take of the memory that they share with reading. Small files hold theirs until they
 * are stored, perhaps for hours, so nobody may count on it; what is on its way to the store comes free by itself.
 * Who gets none waits for that, and where there is nothing to wait for goes on through the staging folder.
 */
export class MemoryBudget {
  readonly #memory: BufferBudget
  readonly #maxBytes: number
  #takenBytes = 0
  /** How many parts are on their way. */
  #leaving = 0
  #waiting: (() => void)[] = []

  constructor(memory: BufferBudget, maxBytes = memory.maxBytes) {
    this.#memory = memory
    this.#maxBytes = Math.min(maxBytes, Math.floor(memory.maxBytes * (1 - READERS_SHARE)))
    memory.join({ yield: () => undefined, onRoom: () => this.#wake() })
  }

  get maxBytes(): number {
    return this.#maxBytes
  }

  get takenBytes(): number {
    return this.#takenBytes
  }

  /** What reading only keeps is given up for it. */
  has(sizeBytes: number): boolean {
    if (sizeBytes === 0) return true
    return this.#takenBytes + sizeBytes <= this.#maxBytes && this.#memory.makeRoom(sizeBytes)
  }

  /** False: nothing was taken. */
  take(sizeBytes: number): boolean {
    if (!this.has(sizeBytes)) return false
    this.#takenBytes += sizeBytes
    this.#memory.take(sizeBytes)
    return true
  }

  giveBack(sizeBytes: number): void {
    this.#takenBytes -= sizeBytes
    this.#memory.giveBack(sizeBytes)
  }

  /** Some of what was taken is on its way to the store until the task ends. */
  async whileLeaving<T>(task: Promise<T>): Promise<T> {
    this.#leaving += 1
    try {
      return await task
    } finally {
      this.#leaving -= 1
      this.#wake()
    }
  }

  /** Waits until more may be free than now; false when none comes free by itself. */
  async freed(leaver?: Leaver): Promise<boolean> {
    if (this.#leaving === 0) return false
    const freed = new Promise<void>(resolve => this.#waiting.push(resolve))
    await (leaver === undefined ? freed : leavable(freed, leaver))
    return true
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
