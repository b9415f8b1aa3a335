/** Into the page cache, from where the kernel writes later, or past it to the disk at once. */
export type WriteWay = 'cached' | 'direct'

const MIB = 1024 * 1024

/** Where the page cache takes a MiB in less, nothing else is tried: what is removed soon then never reaches the disk. */
const QUICK_MS_PER_MIB = 0.4

/** After so much the way that was slower is tried again. */
const RETRY_BYTES = 256 * MIB

/** Smaller writes tell too little. */
const LEAST_BYTES = MIB

/** Of what was known before, in each new measurement. */
const OLD_SHARE = 3 / 4

/**
 * Which way staged bytes are written quicker. The page cache mostly is, many times over; but a virtual machine whose
 * host takes back memory that is free pays for each fresh page again, and then a disk is quicker and costs less.
 */
export class WritePace {
  readonly #nowMs: () => number
  readonly #msPerMib = new Map<WriteWay, number>()
  /** Since the slower way was used. */
  #bytesSince = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** For bytes that may be written either way. */
  choose(sizeBytes: number): WriteWay {
    const cached = this.#msPerMib.get('cached')
    const direct = this.#msPerMib.get('direct')
    if (sizeBytes < LEAST_BYTES || cached === undefined || cached <= QUICK_MS_PER_MIB) return 'cached'
    if (direct === undefined) return 'direct'
    const isDirectQuicker = direct < cached
    const isTimeToRetry = this.#bytesSince >= RETRY_BYTES
    return isDirectQuicker === isTimeToRetry ? 'cached' : 'direct'
  }

  /** Runs a write and notes how long it took; one that rejects tells nothing. */
  async measure(way: WriteWay, sizeBytes: number, write: () => Promise<void>): Promise<void> {
    const begunMs = this.#nowMs()
    await write()
    if (sizeBytes < LEAST_BYTES) return
    const taken = ((this.#nowMs() - begunMs) * MIB) / sizeBytes
    const before = this.#msPerMib.get(way) ?? taken
    this.#msPerMib.set(way, before * OLD_SHARE + taken * (1 - OLD_SHARE))
    const other = this.#msPerMib.get(way === 'cached' ? 'direct' : 'cached')
    const isSlower = other !== undefined && other < (this.#msPerMib.get(way) ?? 0)
    this.#bytesSince = isSlower ? 0 : this.#bytesSince + sizeBytes
  }
}
