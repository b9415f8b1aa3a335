import type { Place } from '../shared-buffers.js'

/** What a data thread is told at once. Plain data. Mostly it is tickets alone, which cost less as they are. */
export type ThreadMessage = ThreadOrders | TicketRow

/** As `addTicket` puts them. */
export type TicketRow = readonly number[]

/** In this order. */
export interface ThreadOrders {
  readonly orders: readonly ThreadOrder[]
  readonly tickets: TicketRow
  /** The uniques of tickets whose caller is gone: they come back, unless they are answered already. */
  readonly cancels: readonly number[]
}

export type ThreadOrder =
  | { readonly kind: 'slab'; readonly slab: number; readonly memory: SharedArrayBuffer }
  | {
      readonly kind: 'load'
      readonly role: 'filler' | 'answerer'
      readonly program: string
      readonly settings: unknown
    }
  | { readonly kind: 'fill'; readonly job: number; readonly place: Place; readonly request: unknown }
  /** The job is of no use any more: it still ends with an `EndedJob`. */
  | { readonly kind: 'abort'; readonly job: number }

/** A read to be answered with what lies at `places`, once the jobs have brought so many bytes. */
export interface ThreadTicket {
  readonly unique: number
  readonly places: readonly Place[]
  readonly waits: readonly { readonly job: number; readonly filledBytes: number }[]
}

/** What a data thread tells: first how far jobs have come, then what has ended, then what became of tickets. */
export interface ThreadReport {
  readonly progress: readonly JobProgress[]
  readonly ended: readonly EndedJob[]
  readonly answered: readonly number[]
  /** Not answered. */
  readonly back: readonly number[]
  /** Errno names of answers that the kernel refused. */
  readonly refused: readonly string[]
}

export interface JobProgress {
  readonly job: number
  readonly filledBytes: number
}

export interface EndedJob extends JobProgress {
  /** What the program gave; undefined where it failed. */
  readonly outcome: unknown
  /** What the program threw, which it should not. */
  readonly error: string | undefined
}
