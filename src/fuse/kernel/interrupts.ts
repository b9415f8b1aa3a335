import { readFile } from 'node:fs/promises'
import type { Replies } from './replies.js'
import type { Request } from './request.js'

/** SIGKILL's bit in the masks of /proc/TID/status. The kernel turns most fatal signals into it, but not all at once. */
const SIGKILL = bits([9])
/** SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH: the default action of all others is death. */
const HARMLESS = bits([17, 18, 19, 20, 21, 22, 23, 28])

/** How long after an INTERRUPT the kernel is asked to send it again. */
const AGAIN_AFTER_MS = 100

/**
 * Decides what an INTERRUPT means. The kernel sends one for any signal, also for those that a program handles and that
 * disturb no call on a local disk. So a call is aborted only if its program is being killed; otherwise the INTERRUPT
 * itself is answered with EAGAIN after a while, which makes the kernel send it again, so that a later SIGKILL shows.
 * Where the pid is unknown (0, another pid namespace) nobody counts as killed.
 */
export class Interrupts {
  readonly #replies: Replies
  readonly #againAfterMs: number
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor(replies: Replies, againAfterMs = AGAIN_AFTER_MS) {
    this.#replies = replies
    this.#againAfterMs = againAfterMs
  }

  /** `request` is unfinished; `interruptUnique` is the INTERRUPT's own. */
  take(request: Request, interruptUnique: number, isUnfinished: () => boolean): void {
    void isBeingKilled(request.pid).then(killed => {
      if (!isUnfinished()) return
      if (killed) request.abort()
      else this.#askAgain(interruptUnique, isUnfinished)
    })
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  #askAgain(interruptUnique: number, isUnfinished: () => boolean): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      if (isUnfinished()) this.#replies.error(interruptUnique, 'EAGAIN')
    }, this.#againAfterMs)
    timer.unref()
    this.#timers.add(timer)
  }
}

async function isBeingKilled(tid: number): Promise<boolean> {
  if (tid === 0) return false
  try {
    return showsDeath(await readFile(`/proc/${tid}/status`, 'latin1'))
  } catch {
    // The thread's status is not ours to read (hidepid, another namespace): it does not count as killed.
    return false
  }
}

/**
 * Whether /proc/TID/status shows a pending signal that ends the program. A fatal signal that arrives while another is
 * pending (a handled one, which made the kernel send the INTERRUPT) stays what it is and is not turned into SIGKILL.
 */
export function showsDeath(status: string): boolean {
  const pending = maskOf(status, 'SigPnd') | maskOf(status, 'ShdPnd')
  if (pending & SIGKILL) return true
  const survived = HARMLESS | maskOf(status, 'SigBlk') | maskOf(status, 'SigIgn') | maskOf(status, 'SigCgt')
  return (pending & ~survived) !== 0n
}

function maskOf(status: string, field: string): bigint {
  const digits = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1]
  return digits === undefined ? 0n : BigInt(`0x${digits}`)
}

function bits(signals: readonly number[]): bigint {
  return signals.reduce((mask, signal) => mask | (1n << BigInt(signal - 1)), 0n)
}
