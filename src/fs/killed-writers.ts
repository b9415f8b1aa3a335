import { constants } from 'node:os'
import type { FileHandle } from './handles.js'
import type { CallContext, HolderProbe } from './operations.js'

const NAMES = new Map(Object.entries(constants.signals).map(([name, signal]) => [signal as number, name]))

/** `SIGKILL`, or the number of a signal without a name. */
export function signalName(signal: number): string {
  return NAMES.get(signal) ?? `signal ${signal}`
}

/**
 * Whether a program closes a file because a signal ends it, so that what it wrote is no version that anybody meant. The
 * rule is `--killed-writer`.
 */
export class KilledWriters {
  readonly #holders: HolderProbe
  readonly #keptSignals: ReadonlySet<number>

  /** A program that one of `keptSignals` ends publishes nothing; one that another signal ends has finished. */
  constructor(holders: HolderProbe, keptSignals: ReadonlySet<number>) {
    this.#holders = holders
    this.#keptSignals = keptSignals
  }

  /**
   * The signal that is the reason for this close and for storing nothing. Appending is made of writes that each count
   * by themselves; who is not known (pid 0) counts as finished.
   */
  signalOf(handle: FileHandle, context: CallContext): number | undefined {
    if (context.pid === 0 || handle.flags.append || this.#keptSignals.size === 0) return undefined
    const signal = this.#holders.killedBy(context.pid)
    return signal !== undefined && this.#keptSignals.has(signal) ? signal : undefined
  }
}
