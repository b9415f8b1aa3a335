import type { TransferFailure, TransferSummary } from '../../bucket/transfers.js'
import { formatSizeRoughly } from '../../config/quantities.js'
import { EXIT, type ExitCode } from '../exit-codes.js'
import type { CommandOutput } from './command-output.js'
import { bucketFailureOf } from './failure.js'

/**
 * Does `task` for each word. The failure of the only one is the command's; of several each is told, the others go on, and the
 * command exits with the code that all failures have, or with 1.
 */
export async function forEach<T>(
  output: CommandOutput,
  items: readonly T[],
  signal: AbortSignal,
  task: (item: T) => Promise<void>,
): Promise<ExitCode> {
  const codes = new Set<ExitCode>()
  for (const item of items) {
    try {
      await task(item)
    } catch (error) {
      if (items.length === 1 || signal.aborted) throw error
      codes.add(tell(output, error))
    }
  }
  return exitOf(codes)
}

/** Says what failed of many transfers, and how much went well. */
export function tellSummary(output: CommandOutput, summary: TransferSummary, done: string): ExitCode {
  const { objects, sizeBytes, failures } = summary
  const exitCode = tellFailures(output, failures)
  if (output.isJson)
    output.printJson({
      objects,
      size: sizeBytes,
      failures: failures.map(({ name, error }) => ({ name, kind: error.kind, message: error.message })),
    })
  else output.note(`${objects} ${objects === 1 ? 'object' : 'objects'} (${formatSizeRoughly(sizeBytes)}) ${done}`)
  return exitCode
}

/** Says each; what they have in common is the exit code. */
export function tellFailures(output: CommandOutput, failures: readonly TransferFailure[]): ExitCode {
  return exitOf(new Set(failures.map(({ error }) => tell(output, error))))
}

function tell(output: CommandOutput, error: unknown): ExitCode {
  const { lines, exitCode } = bucketFailureOf(error)
  output.complain(...lines)
  return exitCode
}

function exitOf(codes: ReadonlySet<ExitCode>): ExitCode {
  const [first, second] = codes
  if (first === undefined) return EXIT.done
  return second === undefined ? first : EXIT.failed
}
