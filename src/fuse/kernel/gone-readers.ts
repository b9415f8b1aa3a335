import type { Request } from './request.js'

/** How often who has asked is looked for, while anything is unanswered. */
const EVERY_MS = 1000

/**
 * Gives up READs whose reader is gone. The kernel tells nothing of the death of who waits for read-ahead (it waits for a page and
 * not for the request), and has the handle released only when all is answered. Where another program waits for the same
 * page, the kernel asks again for that one.
 */
export class GoneReaders {
  readonly #everyMs: number
  /** Unanswered READs that may be given up. */
  readonly #reads = new Set<Request>()
  /** Those that were unanswered the last time. */
  #seen: ReadonlySet<Request> = new Set()
  #timer: NodeJS.Timeout | undefined

  constructor(everyMs = EVERY_MS) {
    this.#everyMs = everyMs
  }

  add(request: Request): void {
    this.#reads.add(request)
    this.#timer ??= setInterval(() => this.#look(), this.#everyMs).unref()
  }

  delete(request: Request): void {
    this.#reads.delete(request)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#reads.clear()
  }

  #look(): void {
    if (this.#reads.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    const asked = new Map<number, boolean>()
    for (const request of this.#reads) {
      const { pid } = request
      if (!this.#seen.has(request) || pid === 0) continue
      const isGone = asked.get(pid) ?? isGoneThread(pid)
      asked.set(pid, isGone)
      if (isGone) request.abort()
    }
    this.#seen = new Set(this.#reads)
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
