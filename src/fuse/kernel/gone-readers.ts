import { Opcode } from '../protocol/opcodes.js'
import type { Request } from './request.js'

/** How often who has asked is looked for, while anything is unanswered. */
const EVERY_MS = 1000

/**
 * Gives up READs whose reader is gone. The kernel tells nothing of the death of who waits for read-ahead (it waits for a page and
 * not for the request), and has the handle released only when all is answered. Where another program waits for the same
 * page, the kernel asks again for that one.
 */
export class GoneReaders {
  readonly #unfinished: ReadonlyMap<number, Request>
  readonly #everyMs: number
  /** Those READs that were unanswered the last time. */
  #seen: ReadonlySet<Request> = new Set()
  #timer: NodeJS.Timeout | undefined

  /** `unfinished`: all requests that are unanswered, READs among them, at any time. */
  constructor(unfinished: ReadonlyMap<number, Request>, everyMs = EVERY_MS) {
    this.#unfinished = unfinished
    this.#everyMs = everyMs
  }

  /** There are READs to be looked after. */
  watch(): void {
    this.#timer ??= setInterval(() => this.#look(), this.#everyMs).unref()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    const reads = [...this.#unfinished.values()].filter(({ opcode }) => opcode === Opcode.READ)
    if (reads.length === 0) this.close()
    const asked = new Map<number, boolean>()
    for (const request of reads) {
      const { pid } = request
      if (!this.#seen.has(request) || pid === 0) continue
      const isGone = asked.get(pid) ?? isGoneThread(pid)
      asked.set(pid, isGone)
      if (isGone) request.abort()
    }
    this.#seen = new Set(reads)
  }
}

/** Also where /proc does not show the processes of others. */
function isGoneThread(tid: number): boolean {
  try {
    process.kill(tid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
