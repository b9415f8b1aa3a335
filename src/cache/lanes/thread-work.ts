import type { Filler, FillerSink } from '../../backend/filling-threads.js'
import type { Place } from '../shared-buffers.js'
import type { Answerer } from './answering-threads.js'
import type { EndedJob, ThreadMessage, ThreadOrder, ThreadReport, ThreadTicket, TicketRow } from './thread-messages.js'
import { ticketsOf } from './ticket-numbers.js'

export interface ThreadWorkOptions {
  readonly loadFiller: (program: string, settings: unknown) => Promise<Filler>
  readonly loadAnswerer: (program: string, settings: unknown) => Promise<Answerer>
  readonly tell: (report: ThreadReport) => void
  /** Runs at the end of this turn of the loop, */
  readonly soon: (run: () => void) => void
  /** or a little later. */
  readonly later: (run: () => void) => void
}

/** Of so many jobs that have ended a thread still knows how far they came. */
const ENDED_JOBS = 64

/** Blocks count as read only when it is told, and so much read-ahead may wait for that. */
const UNTOLD_BYTES = 8 * 1024 * 1024

/** A job that is running, and the tickets that wait for its bytes. */
interface Job {
  readonly id: number
  readonly controller: AbortController
  filledBytes: number
  toldBytes: number
  readonly waiting: Set<Ticket>
}

interface Ticket {
  readonly order: ThreadTicket
  /** For how many jobs it waits still. */
  missing: number
}

/**
 * What a data thread does: runs the jobs that fill shared memory, and answers reads from it. A ticket is answered as soon
 * as its bytes are there, and told back when a job that it waits for ends without them. Invariant: a ticket is in
 * `#tickets` from its order until it is in a report, once, as answered or back.
 */
export class ThreadWork {
  readonly #options: ThreadWorkOptions
  readonly #slabs: SharedArrayBuffer[] = []
  readonly #jobs = new Map<number, Job>()
  /** How far jobs came that have ended, the latest last: whoever asks may not have heard of it, and holds their memory. */
  readonly #endedBytes = new Map<number, number>()
  readonly #tickets = new Map<number, Ticket>()
  #filler: Promise<Filler> | undefined
  #loadingAnswerer: Promise<Answerer> | undefined
  #answerer: Answerer | undefined
  #ended: EndedJob[] = []
  #answered: number[] = []
  #answeredBytes = 0
  #back: number[] = []
  #refused: string[] = []
  /** Whether the end of this turn, and the timer, are waited for: each once at a time. */
  #isSoon = false
  #isLater = false

  constructor(options: ThreadWorkOptions) {
    this.#options = options
  }

  /** Rejects where a program can't be loaded. */
  async take(message: ThreadMessage): Promise<void> {
    const { orders, tickets, cancels } = isTickets(message) ? { orders: [], tickets: message, cancels: [] } : message
    const begun = orders.map(order => this.#take(order))
    for (const ticket of ticketsOf(tickets)) {
      const admitted = this.#admit(ticket)
      if (admitted !== undefined) begun.push(admitted)
    }
    for (const unique of cancels) {
      const ticket = this.#tickets.get(unique)
      if (ticket !== undefined) this.#giveBack(ticket)
    }
    if (begun.length > 0) await Promise.all(begun)
  }

  async #take(order: ThreadOrder): Promise<void> {
    switch (order.kind) {
      case 'slab':
        this.#slabs[order.slab] = order.memory
        return
      case 'load':
        return this.#load(order.role, order.program, order.settings)
      case 'fill':
        return this.#fill(order.job, order.place, order.request)
      case 'abort':
        this.#jobs.get(order.job)?.controller.abort()
    }
  }

  async #load(role: 'filler' | 'answerer', program: string, settings: unknown): Promise<void> {
    if (role === 'filler') {
      this.#filler = this.#options.loadFiller(program, settings)
      await this.#filler
    } else {
      this.#loadingAnswerer = this.#options.loadAnswerer(program, settings)
      this.#answerer = await this.#loadingAnswerer
    }
  }

  async #fill(id: number, place: Place, request: unknown): Promise<void> {
    const job: Job = { id, controller: new AbortController(), filledBytes: 0, toldBytes: 0, waiting: new Set() }
    this.#jobs.set(id, job)
    const memory = this.#memory(place)
    const sink: FillerSink = {
      free: () => memory.subarray(job.filledBytes),
      advance: bytes => this.#advance(job, bytes),
    }
    try {
      const filler = await this.#filler
      this.#end(job, await filler?.fill(request, sink, job.controller.signal), undefined)
    } catch (error) {
      this.#end(job, undefined, error instanceof Error ? error.message : String(error))
    }
  }

  #advance(job: Job, bytes: number): void {
    this.#report(job.filledBytes === 0 ? 'soon' : 'later')
    job.filledBytes += bytes
    for (const ticket of job.waiting) {
      const wait = ticket.order.waits.find(each => each.job === job.id)
      if (wait === undefined || wait.filledBytes > job.filledBytes) continue
      job.waiting.delete(ticket)
      ticket.missing -= 1
      if (ticket.missing === 0) this.#answer(ticket)
    }
  }

  #end(job: Job, outcome: unknown, error: string | undefined): void {
    this.#jobs.delete(job.id)
    this.#endedBytes.set(job.id, job.filledBytes)
    for (const [oldest] of this.#endedBytes) {
      if (this.#endedBytes.size <= ENDED_JOBS) break
      this.#endedBytes.delete(oldest)
    }
    this.#ended.push({ job: job.id, filledBytes: job.filledBytes, outcome, error })
    for (const ticket of job.waiting) this.#giveBack(ticket)
    this.#report('soon')
  }

  /** At once, where the program that answers is there. */
  #admit(order: ThreadTicket): Promise<void> | undefined {
    const ticket: Ticket = { order, missing: 0 }
    this.#tickets.set(order.unique, ticket)
    if (this.#answerer === undefined)
      return Promise.resolve(this.#loadingAnswerer).then(() => {
        if (this.#tickets.get(order.unique) === ticket) this.#begin(ticket)
      })
    this.#begin(ticket)
    return undefined
  }

  #begin(ticket: Ticket): void {
    for (const { job: id, filledBytes } of ticket.order.waits) {
      const job = this.#jobs.get(id)
      if ((job?.filledBytes ?? this.#endedBytes.get(id) ?? 0) >= filledBytes) continue
      // It has ended, which is or will be told: whoever asked looks anew.
      if (job === undefined) {
        this.#giveBack(ticket)
        return
      }
      job.waiting.add(ticket)
      ticket.missing += 1
    }
    if (ticket.missing === 0) this.#answer(ticket)
  }

  #answer(ticket: Ticket): void {
    const { unique, places } = ticket.order
    this.#tickets.delete(unique)
    if (this.#answerer === undefined) throw new Error('a ticket came before the program that answers')
    const refused = this.#answerer.answer(
      unique,
      places.map(place => this.#memory(place)),
    )
    if (refused !== undefined) this.#refused.push(refused)
    this.#answered.push(unique)
    for (const { sizeBytes } of places) this.#answeredBytes += sizeBytes
    this.#report(this.#answeredBytes < UNTOLD_BYTES ? 'later' : 'soon')
  }

  #giveBack(ticket: Ticket): void {
    const { unique, waits } = ticket.order
    this.#tickets.delete(unique)
    for (const { job } of waits) this.#jobs.get(job)?.waiting.delete(ticket)
    this.#back.push(unique)
    this.#report('soon')
  }

  #memory({ slab, offset, sizeBytes }: Place): Uint8Array {
    const memory = this.#slabs[slab]
    if (memory === undefined) throw new Error(`there is no slab ${slab}`)
    return new Uint8Array(memory, offset, sizeBytes)
  }

  #report(due: 'later' | 'soon'): void {
    if (this.#isSoon || (due === 'later' && this.#isLater)) return
    if (due === 'soon') {
      this.#isSoon = true
      this.#options.soon(this.#tellSoon)
    } else {
      this.#isLater = true
      this.#options.later(this.#tellLater)
    }
  }

  readonly #tellSoon = (): void => {
    this.#isSoon = false
    this.#tell()
  }

  /** What was told soon meanwhile leaves the timer to what has come since, which is told the earlier for it. */
  readonly #tellLater = (): void => {
    this.#isLater = false
    if (!this.#isSoon) this.#tell()
  }

  #tell(): void {
    const progress = [...this.#jobs.values()].filter(job => job.filledBytes > job.toldBytes)
    const count = progress.length + this.#ended.length + this.#answered.length + this.#back.length
    if (count === 0) return
    for (const job of progress) job.toldBytes = job.filledBytes
    this.#options.tell({
      progress: progress.map(({ id, filledBytes }) => ({ job: id, filledBytes })),
      ended: this.#ended,
      answered: this.#answered,
      back: this.#back,
      refused: this.#refused,
    })
    this.#ended = []
    this.#answered = []
    this.#answeredBytes = 0
    this.#back = []
    this.#refused = []
  }
}

function isTickets(message: ThreadMessage): message is TicketRow {
  return Array.isArray(message)
}
