import type { Hold, Lent } from './lent.js'

/** Bytes and where they go. */
export interface Placed {
  readonly offset: number
  readonly bytes: Uint8Array
}

interface Waiting extends Placed {
  readonly hold: Hold
  release(): void
}

interface Range {
  readonly start: number
  readonly end: number
}

/** The kernel takes 1,024 pieces in one write (IOV_MAX). */
const MAX_PIECES = 512

/**
 * Bytes on their way to a file: they stay where they are in memory until they are written, many with one write, while
 * those who brought them go on. What could not be written waits for another try, and is not lost meanwhile. How much
 * waits is bounded by those who lend the memory.
 */
export class WriteBehind {
  readonly #write: (pieces: readonly Uint8Array[], offset: number) => Promise<void>
  readonly #onIdle: () => void
  /** In the order in which they came: where two overlap the later one counts, and `#flying` came before. */
  #waiting: Waiting[] = []
  #flying: readonly Waiting[] = []
  /** What was cut of those that are flying. */
  #cuts: Range[] = []
  /** Never rejects. */
  #flight: Promise<void> | undefined
  #failure: { readonly cause: unknown } | undefined

  /** `write` puts all pieces behind each other at `offset`; `onIdle` is called whenever nothing is being written any more. */
  constructor(write: (pieces: readonly Uint8Array[], offset: number) => Promise<void>, onIdle: () => void) {
    this.#write = write
    this.#onIdle = onIdle
  }

  get isWriting(): boolean {
    return this.#flight !== undefined
  }

  /** The last try to write failed, and nobody has tried since. */
  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  add(offset: number, { bytes, hold }: Lent): void {
    this.#waiting.push({ offset, bytes, hold, release: hold() })
    if (!this.hasFailed) this.#begin()
  }

  /** Resolves when nothing waits; rejects with what a write failed with, and what waits goes on waiting. */
  async flush(): Promise<void> {
    this.#failure = undefined
    this.#begin()
    await this.settled()
    this.#throwFailure()
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    while (this.#flight !== undefined) await this.#flight
  }

  /** Nothing of the range is to be written any more, but for what is being written now. */
  cut(start: number, end: number): void {
    if (this.#flying.length > 0) this.#cuts.push({ start, end })
    this.#waiting = this.#waiting.flatMap(piece => cutPiece(piece, start, end))
  }

  /** What is not known to be written of the range, to be read: it stays so until `release` is called. */
  hold(start: number, end: number): { readonly pieces: readonly Placed[]; release(): void } {
    const pieces = [...this.#flying, ...this.#waiting].filter(
      ({ offset, bytes }) => offset < end && offset + bytes.length > start,
    )
    const releases = pieces.map(({ hold }) => hold())
    return {
      pieces,
      release: () => {
        for (const release of releases) release()
      },
    }
  }

  /** Gives up what waits; resolves when nothing is being written. */
  async end(): Promise<void> {
    this.cut(0, Number.POSITIVE_INFINITY)
    await this.settled()
    this.cut(0, Number.POSITIVE_INFINITY)
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.cause
  }

  #begin(): void {
    if (this.#flight !== undefined || this.#waiting.length === 0) return
    this.#flight = this.#fly()
  }

  async #fly(): Promise<void> {
    while (this.#waiting.length > 0 && !this.hasFailed) await this.#writeFirst()
    // Nothing comes between the look at what waits and this: what comes later begins anew.
    this.#flight = undefined
    this.#onIdle()
  }

  async #writeFirst(): Promise<void> {
    const run = firstRun(this.#waiting)
    this.#flying = run
    this.#waiting.splice(0, run.length)
    try {
      const [first] = run
      const pieces = run.map(({ bytes }) => bytes)
      if (first !== undefined) await this.#write(pieces, first.offset)
      for (const piece of run) piece.release()
    } catch (cause) {
      this.#failure = { cause }
      const left = this.#cuts.reduce<readonly Waiting[]>(
        (pieces, { start, end }) => pieces.flatMap(piece => cutPiece(piece, start, end)),
        run,
      )
      this.#waiting = [...left, ...this.#waiting]
    } finally {
      this.#flying = []
      this.#cuts = []
    }
  }
}

/** Pieces from the first on that follow each other. */
function firstRun(waiting: readonly Waiting[]): readonly Waiting[] {
  let next = waiting[0]?.offset
  const end = waiting.findIndex(({ offset, bytes }, index) => {
    const follows = offset === next && index < MAX_PIECES
    next = offset + bytes.length
    return !follows
  })
  return waiting.slice(0, end === -1 ? waiting.length : end)
}

/** What is left of a piece. */
function cutPiece(piece: Waiting, start: number, end: number): readonly Waiting[] {
  const { offset, bytes, hold } = piece
  const stop = offset + bytes.length
  if (stop <= start || end <= offset) return [piece]
  const left: Waiting[] = []
  if (offset < start) left.push({ offset, bytes: bytes.subarray(0, start - offset), hold, release: hold() })
  if (end < stop) left.push({ offset: end, bytes: bytes.subarray(end - offset), hold, release: hold() })
  piece.release()
  return left
}
