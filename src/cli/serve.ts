import { setFlagsFromString } from 'node:v8'
import type { Worker } from 'node:worker_threads'
import type { Log } from '../backend/log.js'
import type { MountConfiguration } from '../config/configuration.js'
import type { RunningMount } from '../fuse/mount.js'
import { EXIT, type ExitCode } from './exit-codes.js'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The V8 of Node 20 counts bytes of code that ran, up to 67,584; later ones count calls instead. */
const HAS_BUDGET = /^11\./
const FIRST_BUDGET = 250_000
const LATER_BUDGET = 50_000
/** Of the process since the mount is ready. */
const FIRST_CPU_US = 400_000
const LOOK_MS = 250

/** Threads that a thread begins have begun so long after it. */
const NEXT_THREADS_MS = 2000

/**
 * Mounts, calls `onReady`, and serves until the mount has ended, by a signal or from outside. Rejects with whatever
 * keeps the mount from being made.
 */
export async function serve(configuration: MountConfiguration, log: Log, onReady: () => void): Promise<ExitCode> {
  boundGarbage()
  compileLate()
  const stopper = new Stopper(log)
  const mount = await make(configuration, log, stopper.signal)
  stopper.take(mount)
  if (!stopper.signal.aborted) onReady()
  compileSoon()
  const end = await mount.ended
  if (!end.isAllStored) return EXIT.notStored
  return stopper.hasFailed ? EXIT.failed : EXIT.done
}

async function make(configuration: MountConfiguration, log: Log, signal: AbortSignal): Promise<RunningMount> {
  const { mountBucket } = await import('../compose.js')
  try {
    return await mountBucket(configuration, { log, signal })
  } catch (error) {
    if (!signal.aborted) throw error
    throw new Error(`ended by ${signal.reason} before anything was mounted`, { cause: error })
  }
}

/**
 * Lets the heap grow to twice what was in use before it is collected, instead of up to four times: what each request
 * leaves behind would else make a driver that holds 100 MB take 300. The room for what lives shortly stays as it is, in
 * this thread and all others: it would grow to 16 MiB twice. (Known of Node 20's V8 only.)
 */
function boundGarbage(): void {
  setFlagsFromString('--heap-growing-percent=100')
  if (!HAS_BUDGET.test(process.versions.v8)) return
  keepYoungSmall()
  process.on('worker', keepYoungSmallBeside)
}

function keepYoungSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** V8 sets the factor to 2 again, for all threads, whenever one begins: this one, and soon after it those that it begins. */
function keepYoungSmallBeside(worker: Worker): void {
  worker.once('online', () => {
    keepYoungSmall()
    setTimeout(keepYoungSmall, NEXT_THREADS_MS).unref()
  })
}

/**
 * Node 20 compiles for speed after little use, in threads that take the cores from programs and store while a fresh mount
 * reads its first thousand files. With its counter nearly four times as high these cost a third less CPU; once that much
 * has been done, a lower one sees to it that the code that matters is compiled (`compileSoon`).
 */
function compileLate(): void {
  if (!HAS_BUDGET.test(process.versions.v8)) return
  setFlagsFromString('--no-lazy-feedback-allocation')
  setFlagsFromString(`--interrupt-budget=${FIRST_BUDGET}`)
}

function compileSoon(): void {
  if (!HAS_BUDGET.test(process.versions.v8)) return
  const began = process.cpuUsage()
  const looking = setInterval(() => {
    const { user, system } = process.cpuUsage(began)
    if (user + system < FIRST_CPU_US) return
    setFlagsFromString(`--interrupt-budget=${LATER_BUDGET}`)
    clearInterval(looking)
  }, LOOK_MS).unref()
}

/** Turns signals and errors that nobody caught into the end of the mount. */
class Stopper {
  readonly #log: Log
  readonly #abort = new AbortController()
  #mount: RunningMount | undefined
  #reason: string | undefined
  hasFailed = false

  constructor(log: Log) {
    this.#log = log
    for (const signal of SIGNALS) process.on(signal, () => this.#stop(signal))
    process.on('uncaughtException', error => this.#fail(error))
    process.on('unhandledRejection', error => this.#fail(error))
  }

  /** Fires when the mount is no longer wanted, which may be before it is made. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  take(mount: RunningMount): void {
    this.#mount = mount
    if (this.#reason !== undefined) void mount.stop(this.#reason)
  }

  /** The process that asked for the mount is gone, or was told to stop. */
  #stop(reason: string): void {
    // Nothing is mounted yet and somebody insists.
    if (this.#mount === undefined && this.#reason !== undefined) process.exit(EXIT.failed)
    this.#reason ??= reason
    this.#abort.abort(reason)
    if (this.#mount !== undefined) void this.#mount.stop(reason)
  }

  /** What nobody caught may have left anything in any state: what can be stored is stored, and that is all. */
  #fail(error: unknown): void {
    this.#log.error('an error that nobody caught ends the mount', { error })
    if (this.hasFailed) return
    this.hasFailed = true
    this.#stop('an internal error')
  }
}
