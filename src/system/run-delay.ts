import { closeSync, openSync, readSync } from 'node:fs'

/** Of the thread that opens it: nanoseconds that it ran, nanoseconds that it was ready and did not run, and how often it ran. */
const SCHEDSTAT = '/proc/thread-self/schedstat'

/** How long a thread was ready to run and had no processor: always 0 where the system does not tell. For the thread that makes it. */
export class RunDelay {
  readonly #text = Buffer.alloc(64)
  #descriptor: number | undefined

  constructor(path = SCHEDSTAT) {
    try {
      this.#descriptor = openSync(path, 'r')
    } catch {
      // Another system, or a kernel that does not count it.
    }
  }

  /** Since the thread began. */
  get ms(): number {
    if (this.#descriptor === undefined) return 0
    const lengthBytes = readSync(this.#descriptor, this.#text, 0, this.#text.length, 0)
    const [, waited = '0'] = this.#text.toString('latin1', 0, lengthBytes).split(' ')
    return Number(waited) / 1e6
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}
