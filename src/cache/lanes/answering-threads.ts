/** Threads that answer reads from memory which they share with this one. */
export interface AnsweringThreads {
  /** Has every thread load the program that answers: a module that exports `openAnswerer` (AnswererModule). */
  loadAnswerer(program: URL, settings: unknown): void
  /**
   * Hands a read over, unless no thread can answer it as things stand: then false. Until `onEnd` is called, later and
   * once, the thread owns the answer, and the memory must stay as it is.
   */
  hand(unique: number, parts: readonly ReadPart[], whenGone: WhenGone, onEnd: OnTicketEnd): boolean
}

/**
 * Not answered: the caller is gone, the bytes did not come, or the thread ended, and whoever asked owns the answer again.
 * Must not throw.
 */
export type OnTicketEnd = (isAnswered: boolean) => void

/** Has `run` called once when the caller is gone; gives how to call that off. */
export type WhenGone = (run: () => void) => () => void

/** Bytes of one block that belong to an answer: those from `start` to `end` of `memory`, of which so many are there. */
export interface ReadPart {
  readonly memory: Uint8Array
  readonly start: number
  readonly end: number
  readonly filledBytes: number
}

/** What the module of a program exports. */
export interface AnswererModule {
  /** Called once in each thread. */
  openAnswerer(settings: unknown): Answerer
}

export interface Answerer {
  /** Sends the bytes of `views`, in order, as the whole answer. Gives the errno's name where the kernel refused it. */
  answer(unique: number, views: readonly Uint8Array[]): string | undefined
}
