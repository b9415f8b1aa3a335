import { Worker } from 'node:worker_threads'
import { onAbort } from '../../backend/call.js'
import type { Signal } from '../../backend/call-signal.js'
import type { Log } from '../../backend/log.js'
import { StoreError } from '../../backend/store-error.js'
import type { Place } from '../shared-buffers.js'
import type { OnTicketEnd, WhenGone } from './answering-threads.js'
import type { EndedJob, ThreadMessage, ThreadOrder, ThreadReport } from './thread-messages.js'
import { addTicket } from './ticket-numbers.js'

/** A request that the thread is carrying out. */
export interface ThreadJob {
  readonly id: number
  readonly thread: DataThread
  readonly place: Place
}

interface RunningJob extends ThreadJob {
  readonly onBytes: (bytes: number) => void
  readonly resolve: (outcome: unknown) => void
  readonly reject: (error: unknown) => void
  /** The caller's signal matters no more. */
  forget: () => void
  filledBytes: number
}

const DONE = Promise.resolve()

interface RunningTicket {
  readonly onEnd: OnTicketEnd
  forget: (() => void) | undefined
}

/**
 * One worker thread, seen from the main one. Orders of one callback of the loop go out together, at its end: a turn of the
 * loop for each would cost more than it saves. Invariant: a job or a ticket is here from its order until the thread has
 * told its end, or has ended itself; until then its memory is the thread's.
 */
export class DataThread {
  readonly #worker: Worker
  readonly #log: Log
  readonly #jobs = new Map<number, RunningJob>()
  readonly #tickets = new Map<number, RunningTicket>()
  readonly #onEnd: () => void
  #orders: ThreadOrder[] = []
  #ticketRow: number[] = []
  #cancels: number[] = []
  #isPosting = false
  #nextJob = 1
  #isAlive = true
  #isHeld = false

  /** `onEnd`: it takes nothing any more. */
  constructor(log: Log, onEnd: () => void) {
    this.#log = log
    this.#onEnd = onEnd
    this.#worker = new Worker(new URL('./thread-program.js', import.meta.url))
    this.#worker.unref()
    this.#worker.on('message', (report: ThreadReport) => this.#hear(report))
    this.#worker.on('error', error => {
      this.#leave()
      log.error('a data thread failed; another takes its place', { error })
    })
    // What the thread owned is free only now.
    this.#worker.on('exit', () => this.#lose())
  }

  /** How much it has to do. */
  get load(): number {
    return this.#jobs.size + this.#tickets.size
  }

  get jobs(): number {
    return this.#jobs.size
  }

  order(order: ThreadOrder): void {
    this.#orders.push(order)
    this.#postSoon()
  }

  /** `onJob` hears of the job while it runs. */
  fill(
    request: unknown,
    place: Place,
    onBytes: (bytes: number) => void,
    signal: Signal | undefined,
    onJob: (job: ThreadJob) => void,
  ): Promise<unknown> {
    const id = this.#nextJob++
    return new Promise((resolve, reject) => {
      const job: RunningJob = { id, thread: this, place, onBytes, resolve, reject, forget: () => {}, filledBytes: 0 }
      this.#jobs.set(id, job)
      this.#hold()
      this.order({ kind: 'fill', job: id, place, request })
      job.forget = onAbort(signal, () => this.order({ kind: 'abort', job: id }))
      onJob(job)
    })
  }

  /** Places and waits as `addTicket` takes them. Without `whenGone` nothing takes it back: it has all that it needs. */
  answer(
    unique: number,
    places: readonly number[],
    waits: readonly number[],
    whenGone: WhenGone | undefined,
    onEnd: OnTicketEnd,
  ): void {
    const running: RunningTicket = { onEnd, forget: undefined }
    this.#tickets.set(unique, running)
    addTicket(this.#ticketRow, unique, places, waits)
    this.#postSoon()
    if (whenGone !== undefined) running.forget = whenGone(() => this.#cancel(unique))
  }

  /** What it owns fails. */
  async end(): Promise<void> {
    this.#leave()
    await this.#worker.terminate()
  }

  #cancel(unique: number): void {
    this.#cancels.push(unique)
    this.#postSoon()
  }

  #postSoon(): void {
    if (this.#isPosting) return
    this.#isPosting = true
    void DONE.then(this.#post)
  }

  readonly #post = (): void => {
    const orders = this.#orders
    const tickets = this.#ticketRow
    const cancels = this.#cancels
    const message: ThreadMessage = orders.length === 0 && cancels.length === 0 ? tickets : { orders, tickets, cancels }
    this.#isPosting = false
    this.#ticketRow = []
    if (message !== tickets) {
      this.#orders = []
      this.#cancels = []
    }
    if (this.#isAlive) this.#worker.postMessage(message)
  }

  #hear({ progress, ended, answered, back, refused }: ThreadReport): void {
    for (const { job: id, filledBytes } of progress) {
      const job = this.#jobs.get(id)
      if (job !== undefined) advance(job, filledBytes)
    }
    for (const end of ended) this.#end(end)
    for (const unique of answered) this.#settle(unique, true)
    for (const unique of back) this.#settle(unique, false)
    if (refused.length > 0) this.#log.error('the kernel refused answers', { codes: refused })
  }

  #end({ job: id, filledBytes, outcome, error }: EndedJob): void {
    const job = this.#jobs.get(id)
    if (job === undefined) return
    this.#forget(job)
    advance(job, filledBytes)
    if (error === undefined) job.resolve(outcome)
    else job.reject(lost(`a data thread failed: ${error}`))
  }

  #settle(unique: number, isAnswered: boolean): void {
    const ticket = this.#tickets.get(unique)
    if (ticket === undefined) return
    this.#tickets.delete(unique)
    ticket.forget?.()
    ticket.onEnd(isAnswered)
  }

  #forget(job: RunningJob): void {
    this.#jobs.delete(job.id)
    job.forget()
    this.#hold()
  }

  /** The process lives as long as a request is under way. Who has asked for an answer lives by itself. */
  #hold(): void {
    if (this.jobs > 0 === this.#isHeld) return
    this.#isHeld = this.jobs > 0
    if (this.#isHeld) this.#worker.ref()
    else this.#worker.unref()
  }

  #leave(): void {
    if (!this.#isAlive) return
    this.#isAlive = false
    this.#onEnd()
  }

  #lose(): void {
    this.#leave()
    for (const job of [...this.#jobs.values()]) {
      this.#forget(job)
      job.reject(lost('the data thread ended'))
    }
    for (const unique of [...this.#tickets.keys()]) this.#settle(unique, false)
  }
}

function advance(job: RunningJob, filledBytes: number): void {
  const bytes = filledBytes - job.filledBytes
  if (bytes <= 0) return
  job.filledBytes = filledBytes
  job.onBytes(bytes)
}

function lost(message: string): StoreError {
  return new StoreError('unavailable', message, { operation: 'get', code: 'ThreadLost' })
}
