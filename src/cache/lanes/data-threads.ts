import type { Signal } from '../../backend/call-signal.js'
import type { FillingThreads } from '../../backend/filling-threads.js'
import type { Log } from '../../backend/log.js'
import { StoreError } from '../../backend/store-error.js'
import { type Place, type SharedBuffers, SLAB_BYTES } from '../shared-buffers.js'
import type { AnsweringThreads, OnTicketEnd, ReadPart, WhenGone } from './answering-threads.js'
import { DataThread, type ThreadJob } from './data-thread.js'
import type { ThreadOrder } from './thread-messages.js'

export interface DataThreadsOptions {
  readonly count: number
  /** What the threads share. */
  readonly buffers: SharedBuffers
  readonly log: Log
}

/**
 * Threads that receive the bytes of reads into memory that all share, and answer the reads from there. This thread makes
 * the requests, keeps the index of blocks and knows who waits. A thread that ends fails what it was doing, and another
 * takes its place.
 */
export class DataThreads implements FillingThreads, AnsweringThreads {
  readonly #buffers: SharedBuffers
  readonly #log: Log
  readonly #threads: (DataThread | undefined)[]
  readonly #programs = new Map<'filler' | 'answerer', ThreadOrder>()
  /** Jobs under way, by where their memory ends: there a block ends, too, however much of it a job fills. */
  readonly #jobs = new Map<number, ThreadJob>()
  #isClosed = false

  constructor({ count, buffers, log }: DataThreadsOptions) {
    this.#buffers = buffers
    this.#log = log
    this.#threads = Array.from({ length: count })
    buffers.onSlab((slab, memory) => this.#orderAll({ kind: 'slab', slab, memory }))
    for (let index = 0; index < count; index += 1) this.#start(index)
  }

  loadFiller(program: URL, settings: unknown): void {
    this.#load('filler', program, settings)
  }

  loadAnswerer(program: URL, settings: unknown): void {
    this.#load('answerer', program, settings)
  }

  share(memory: Uint8Array): boolean {
    return this.#programs.has('filler') && this.#buffers.placeOf(memory) !== undefined
  }

  async fill(
    request: unknown,
    memory: Uint8Array,
    onBytes: (bytes: number) => void,
    signal?: Signal,
  ): Promise<unknown> {
    const place = this.#buffers.placeOf(memory)
    if (place === undefined) throw new StoreError('invalid', 'this memory is not shared', { operation: 'get' })
    const end = endOf(place)
    const thread = this.#leastBusy(each => each.jobs)
    if (thread === undefined) throw new StoreError('unavailable', 'the data threads have ended', { retryable: false })
    let running: ThreadJob | undefined
    const onJob = (job: ThreadJob) => {
      running = job
      this.#jobs.set(end, job)
    }
    try {
      return await thread.fill(request, place, onBytes, signal, onJob)
    } finally {
      if (this.#jobs.get(end) === running) this.#jobs.delete(end)
    }
  }

  hand(unique: number, parts: readonly ReadPart[], whenGone: WhenGone, onEnd: OnTicketEnd): boolean {
    if (!this.#programs.has('answerer')) return false
    const places: number[] = []
    const waits: number[] = []
    let filling: DataThread | undefined
    for (const { memory, start, end, filledBytes } of parts) {
      const slab = this.#buffers.slabOf(memory)
      if (slab === undefined) return false
      const offset = memory.byteOffset
      places.push(slab, offset + start, end - start)
      if (filledBytes >= end) continue
      const job = this.#jobs.get(slab * SLAB_BYTES + offset + memory.length)
      if (job === undefined || (filling !== undefined && job.thread !== filling)) return false
      filling = job.thread
      waits.push(job.id, end - (memory.length - job.place.sizeBytes))
    }
    const thread = filling ?? this.#leastBusy(each => each.load)
    if (thread === undefined) return false
    thread.answer(unique, places, waits, waits.length > 0 ? whenGone : undefined, onEnd)
    return true
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#threads.map(thread => thread?.end()))
  }

  #load(role: 'filler' | 'answerer', program: URL, settings: unknown): void {
    const order: ThreadOrder = { kind: 'load', role, program: program.href, settings }
    this.#programs.set(role, order)
    this.#orderAll(order)
  }

  #orderAll(order: ThreadOrder): void {
    for (const thread of this.#threads) thread?.order(order)
  }

  #leastBusy(loadOf: (thread: DataThread) => number): DataThread | undefined {
    let best: DataThread | undefined
    for (let index = 0; index < this.#threads.length; index += 1) {
      const thread = this.#threads[index] ?? this.#start(index)
      if (thread !== undefined && (best === undefined || loadOf(thread) < loadOf(best))) best = thread
    }
    return best
  }

  #start(index: number): DataThread | undefined {
    if (this.#isClosed) return undefined
    const thread = new DataThread(this.#log, () => {
      this.#threads[index] = undefined
    })
    for (const [slab, memory] of this.#buffers.slabs.entries()) thread.order({ kind: 'slab', slab, memory })
    for (const program of this.#programs.values()) thread.order(program)
    this.#threads[index] = thread
    return thread
  }
}

function endOf({ slab, offset, sizeBytes }: Place): number {
  return slab * SLAB_BYTES + offset + sizeBytes
}
