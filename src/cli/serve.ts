import { setFlagsFromString } from 'node:v8'
import type { Log } from '../backend/log.js'
import type { MountConfiguration } from '../config/configuration.js'
import type { RunningMount } from '../fuse/mount.js'
import { EXIT, type ExitCode } from './exit-codes.js'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Mounts, calls `onReady`, and serves until the mount has ended, by a signal or from outside. Rejects with whatever
 * keeps the mount from being made.
 */
export async function serve(configuration: MountConfiguration, log: Log, onReady: () => void): Promise<ExitCode> {
  boundGarbage()
  boundCompiling()
  const stopper = new Stopper(log)
  const mount = await make(configuration, log, stopper.signal)
  stopper.take(mount)
  if (!stopper.signal.aborted) onReady()
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
 * leaves behind would else make a driver that holds 100 MB take 300.
 */
function boundGarbage(): void {
  setFlagsFromString('--heap-growing-percent=100')
}

/**
 * Node 20 compiles for speed after little use, in threads that take the cores from programs and store while a fresh mount
 * reads its first thousand files. With its counter three times as high that costs a third less CPU, and the code that
 * matters is compiled as well soon after. Later versions count calls instead and have a tier between: nothing is won there.
 */
function boundCompiling(): void {
  if (process.versions.v8.startsWith('11.')) {
    setFlagsFromString('--interrupt-budget=400000')
    setFlagsFromString('--no-lazy-feedback-allocation')
  }
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
