import type { Log, LogFields } from '../../backend/log.js'
import type { Timers } from '../../backend/timers.js'
import type { BlockSource } from '../block.js'
import type { Pace } from './pace.js'
import type { SegmentFile } from './segment-file.js'
import type { SegmentFiles } from './segment-files.js'
import { type CachedStore, CELL_BYTES, identityOf, SEGMENT_BYTES, SEGMENT_CELLS } from './segment-format.js'

export interface DiskReaderOptions {
  readonly store: CachedStore
  readonly files: SegmentFiles
  readonly pace: Pace
  readonly timers: Timers
  /** A clock that stands still while this thread waits for a processor: the disk is not blamed for a busy machine. */
  readonly awakeMs: () => number
  readonly log: Log
}

/** Whoever waits for the disk longer asks the store. */
const DEADLINE_MS = 500

/** Nobody waits on for less than this. */
const LEAST_LEFT_MS = 10

/** Reads at once: a disk that hangs holds so many threads of Node's four, and the writer one. */
const MAX_READING = 2

const NO_ANSWER = 'the disk of the cache does not answer and is left out for a while'

const MISS = Promise.resolve(0)

/** A read on its way. The disk never writes into its memory itself, so that it can be given up at any time. */
interface Task {
  readonly version: BlockSource
  readonly offset: number
  readonly memory: Uint8Array
  gotBytes: number
  /** By the clock that stands still, as `beganMs`. */
  readonly askedMs: number
  /** Undefined while it waits for its turn. */
  beganMs: number | undefined
  /** Calls off what happens when it takes too long. */
  cancel: () => void
  readonly resolve: (gotBytes: number) => void
  isOver: boolean
}

/** Reads cells that are there and whole, a few at a time. */
export class DiskReader {
  readonly #options: DiskReaderOptions
  /** Memory for bytes that nobody has checked yet; one for each read that may go on. */
  readonly #scratch: Buffer[] = []
  /** Those that the disk has been asked for, also when nobody waits for them any more. */
  readonly #running = new Set<Task>()
  /** Bounded by what programs and read-ahead wait for, each for no longer than the deadline. */
  readonly #waiting: Task[] = []

  constructor(options: DiskReaderOptions) {
    this.#options = options
  }

  /** Bytes that are right, from the front of `memory`, which is written to until this resolves and not after. */
  read(version: BlockSource, offset: number, memory: Uint8Array): Promise<number> {
    const { pace, timers, awakeMs } = this.#options
    if (offset % CELL_BYTES !== 0 || pace.isLeftOut(timers.nowMs())) return MISS
    if (this.#isStuck()) {
      this.#leaveOut(NO_ANSWER, {})
      return MISS
    }
    return new Promise(resolve => {
      const place = { version, offset, memory }
      const state = { gotBytes: 0, beganMs: undefined, cancel: () => {}, isOver: false }
      const task: Task = { ...place, ...state, askedMs: awakeMs(), resolve }
      this.#watch(task, DEADLINE_MS)
      this.#waiting.push(task)
      this.#begin()
    })
  }

  #watch(task: Task, delayMs: number): void {
    // An answer that came while this thread was busy is in time.
    task.cancel = this.#options.timers.after(delayMs, () => setImmediate(() => this.#late(task)))
  }

  #begin(): void {
    while (this.#running.size < MAX_READING) {
      const task = this.#waiting.shift()
      if (task === undefined) return
      if (!task.isOver) void this.#run(task)
    }
  }

  async #run(task: Task): Promise<void> {
    const { pace, timers, awakeMs, log } = this.#options
    const beganMs = awakeMs()
    task.beganMs = beganMs
    this.#running.add(task)
    const scratch = this.#scratch.pop() ?? Buffer.allocUnsafeSlow(SEGMENT_BYTES)
    try {
      while (!task.isOver && task.gotBytes < task.memory.length) if (!(await this.#readPiece(task, scratch))) break
      if (!task.isOver && task.gotBytes > 0 && pace.took(task.gotBytes, awakeMs() - beganMs, timers.nowMs()))
        log.info('the disk of the cache is slower than the store and is left out for a while')
    } catch (error) {
      this.#leaveOut('the disk of the cache fails and is left out for a while', { error })
    } finally {
      this.#scratch.push(scratch)
      this.#running.delete(task)
      this.#end(task)
      this.#begin()
    }
  }

  /** One that only waited for others is a miss; where the disk itself took so long, all are. */
  #late(task: Task): void {
    if (task.isOver) return
    const nowMs = this.#options.awakeMs()
    const leftMs = task.askedMs + DEADLINE_MS - nowMs
    if (leftMs >= LEAST_LEFT_MS) {
      this.#watch(task, leftMs)
      return
    }
    const runMs = task.beganMs === undefined ? 0 : nowMs - task.beganMs
    if (runMs > DEADLINE_MS / 2) this.#leaveOut(NO_ANSWER, { afterMs: DEADLINE_MS })
    this.#end(task)
  }

  /** Nobody could ask the disk: all who may wait for it, for longer than anybody should. */
  #isStuck(): boolean {
    const nowMs = this.#options.awakeMs()
    const isLate = ({ beganMs = nowMs }: Task) => nowMs - beganMs > DEADLINE_MS
    return this.#running.size === MAX_READING && [...this.#running].every(isLate)
  }

  /** Said once for all that read at the time. */
  #leaveOut(message: string, fields: LogFields): void {
    const { pace, timers, log } = this.#options
    const nowMs = timers.nowMs()
    if (!pace.isLeftOut(nowMs)) log.warn(message, fields)
    pace.leaveOut(nowMs)
    for (const task of this.#waiting.splice(0)) this.#end(task)
  }

  #end(task: Task): void {
    if (task.isOver) return
    task.isOver = true
    task.cancel()
    task.resolve(task.gotBytes)
  }

  /** False: what comes next is not there. */
  async #readPiece(task: Task, scratch: Buffer): Promise<boolean> {
    const { store, files } = this.#options
    const at = task.offset + task.gotBytes
    const identity = identityOf(store, task.version, Math.floor(at / SEGMENT_BYTES))
    const file = identity === undefined ? undefined : await files.find(identity)
    if (file === undefined) return false
    try {
      const first = (at % SEGMENT_BYTES) / CELL_BYTES
      const { count, sizeBytes } = presentCells(file, first, task.memory.length - task.gotBytes)
      if (count === 0) return false
      const rightBytes = await file.read(first, count, scratch)
      if (task.isOver) return false
      const wanted = Math.min(rightBytes, task.memory.length - task.gotBytes)
      scratch.copy(task.memory, task.gotBytes, 0, wanted)
      task.gotBytes += wanted
      if (rightBytes === sizeBytes) return true
      const right = Math.floor(rightBytes / CELL_BYTES)
      await files.remove(file, first + right, count - right)
      return false
    } finally {
      file.done()
    }
  }
}

/** The cells of a segment from `first` on that are there, as many as are wanted. */
function presentCells(file: SegmentFile, first: number, wantedBytes: number) {
  let count = 0
  let sizeBytes = 0
  while (first + count < SEGMENT_CELLS && sizeBytes < wantedBytes && file.has(first + count)) {
    sizeBytes += file.lengthOf(first + count)
    count += 1
  }
  return { count, sizeBytes }
}
