import { isStoreError } from '../../backend/store-error.js'
import { EXIT } from '../exit-codes.js'

/** As of a program that SIGPIPE ends: what was left to do is not done. */
const NOBODY_READS = 141

/** So long what runs may take to end in order. */
const LAST_MS = 10_000

/**
 * Stops the command when what it says can be said no more: nobody reads it (`bucket list | head`), or the disk that it goes
 * to is full. What still runs after ten seconds is ended as it stands.
 */
export class UnreadOutput {
  #fault: NodeJS.ErrnoException | undefined

  constructor(streams: readonly NodeJS.WriteStream[], stop: (reason: Error) => void) {
    for (const stream of streams)
      stream.on('error', (error: NodeJS.ErrnoException) => {
        if (this.#fault !== undefined) return
        this.#fault = error
        setTimeout(() => process.exit(this.exitCode), LAST_MS).unref()
        stop(error)
      })
  }

  /** Undefined as long as all could be said. */
  get exitCode(): number | undefined {
    if (this.#fault === undefined) return undefined
    return this.#fault.code === 'EPIPE' ? NOBODY_READS : EXIT.failed
  }

  /** Whether a failure is only that the command was stopped because of this. */
  explains(error: unknown): boolean {
    if (this.#fault === undefined) return false
    return isStoreError(error, 'aborted') || (error as NodeJS.ErrnoException).code === this.#fault.code
  }

  /** What is to be said of it: nothing where a reader has seen enough. */
  get lines(): readonly string[] {
    if (this.#fault === undefined || this.#fault.code === 'EPIPE') return []
    return [`the output could not be written: ${this.#fault.message}`]
  }
}
