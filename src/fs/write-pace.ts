/** Into the page cache, from where the kernel writes later, or past it to the disk at once. */
export type WriteWay = 'cached' | 'direct'

const MIB = 1024 * 1024

/** Where the page cache takes a MiB in less, nothing else is tried: what is removed soon then never reaches the disk. */
const QUICK_MS_PER_MIB = 0.4

/** So long is spent on the quicker way before the other one is tried again: sooner where the quicker one has become slow. */
const RETRY_MS = 250

/** Smaller writes tell too little. */
const LEAST_BYTES = MIB

/** A write of so much counts half, beside all that was known before; small ones differ much among each other. */
const HALF_MIB = 4

/**
 * Which way staged bytes are written quicker. The page cache mostly is, many times over; but a virtual machine whose
 * host takes back memory that is free pays for each fresh page again, and then a disk is quicker and costs less.
 */
export class WritePace {
  readonly #nowMs: () => number
  readonly #msPerMib = new Map<WriteWay, number>()
  #latest: WriteWay = 'cached'
  /** Spent on the latest way since the other one was used. */
  #msSince = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** For bytes that may be written either way. */
  choose(sizeBytes: number): WriteWay {
    const cached = this.#msPerMib.get('cached')
    const direct = this.#msPerMib.get('direct')
    if (sizeBytes < LEAST_BYTES || cached === undefined || cached <= QUICK_MS_PER_MIB) return 'cached'
    if (direct === undefined) return 'direct'
    const quicker = direct < cached ? 'direct' : 'cached'
    const slower = direct < cached ? 'cached' : 'direct'
    return this.#latest === quicker && this.#msSince >= RETRY_MS ? slower : quicker
  }

  /** Runs a write and notes how long it took; one that rejects tells nothing. */
  async measure(way: WriteWay, sizeBytes: number, write: () => Promise<void>): Promise<void> {
    const begunMs = this.#nowMs()
    await write()
    if (sizeBytes < LEAST_BYTES) return
    const ms = this.#nowMs() - begunMs
    const mib = sizeBytes / MIB
    const taken = ms / mib
    const before = this.#msPerMib.get(way) ?? taken
    this.#msPerMib.set(way, before + ((taken - before) * mib) / (mib + HALF_MIB))
    this.#msSince = way === this.#latest ? this.#msSince + ms : 0
    this.#latest = way
  }
}
