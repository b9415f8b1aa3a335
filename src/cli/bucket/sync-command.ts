import type { Command } from 'commander'
import { compareKeys } from '../../backend/keys.js'
import { isStoreError } from '../../backend/store-error.js'
import type { Bucket } from '../../bucket/bucket.js'
import { type SyncEntry, SyncError, type SyncResult } from '../../bucket/sync/sync-entry.js'
import type { SyncOptions } from '../../bucket/sync/sync-options.js'
import { formatSizeRoughly } from '../../config/quantities.js'
import { EXIT, type ExitCode } from '../exit-codes.js'
import type { CommandContext } from './context.js'
import { SyncProgress } from './sync-progress.js'

/** The flags of both directions. */
export function addSyncFlags(command: Command): Command {
  return command
    .option('--delete', 'remove what the source lacks, once all else has succeeded')
    .option('--allow-empty-source', 'let --delete remove everything when the source holds nothing')
    .option('-n, --dry-run', 'change nothing, and say what would be done')
    .option('-v, --verbose', 'say each file that is transferred or removed')
}

/** Runs a sync and says what it did. */
export async function runSync(
  context: CommandContext,
  sync: (bucket: Bucket, options: SyncOptions) => Promise<SyncResult>,
): Promise<ExitCode> {
  const { output, signal } = context
  const bucket = await context.openBucket()
  const report = new SyncReport(context)
  const progress = new SyncProgress(output)
  const options = {
    signal,
    delete: context.isOn('delete'),
    allowEmptySource: context.isOn('allowEmptySource'),
    dryRun: context.isOn('dryRun'),
    onEntry: report.take,
    onProgress: progress.report,
  }
  try {
    const result = await sync(bucket, options)
    progress.end()
    report.say(result)
    return EXIT.done
  } catch (error) {
    progress.end()
    if (!(error instanceof SyncError)) {
      if (isStoreError(error)) report.complain()
      throw error
    }
    report.complain()
    report.say(error.result)
    return EXIT.failed
  }
}

/** What is said of the entries of a sync, in the order of keys, when it has ended. */
class SyncReport {
  readonly #context: CommandContext
  readonly #isDryRun: boolean
  readonly #keepsAll: boolean
  readonly #kept: SyncEntry[] = []

  constructor(context: CommandContext) {
    this.#context = context
    this.#isDryRun = context.isOn('dryRun')
    this.#keepsAll = this.#isDryRun || context.isOn('verbose') || context.output.isJson
  }

  readonly take = (entry: SyncEntry): void => {
    if (entry.action === 'same') return
    if (this.#keepsAll || entry.action === 'fail') this.#kept.push(entry)
  }

  /** A line for each failure. */
  complain(): void {
    const failed = this.#sorted().filter(({ action }) => action === 'fail')
    this.#context.output.complain(...failed.map(({ key, reason }) => `${key}: ${reason}`))
  }

  say(result: SyncResult): void {
    const { output } = this.#context
    const entries = this.#sorted().filter(({ action }) => action !== 'fail' || output.isJson)
    if (output.isJson) {
      output.printJson({ ...totals(result), 'dry-run': this.#isDryRun, entries: entries.map(entryJson) })
      return
    }
    const lines = entries.map(entryLine)
    if (this.#isDryRun) output.print(...lines)
    else output.note(...lines)
    output.note(summary(result, this.#isDryRun))
  }

  #sorted(): SyncEntry[] {
    return this.#kept.sort((a, b) => compareKeys(a.key, b.key))
  }
}

function entryLine({ action, key, sizeBytes, reason }: SyncEntry): string {
  if (action === 'pass over') return `pass over ${key} (${reason})`
  return `${action} ${key} (${reason}, ${formatSizeRoughly(sizeBytes)})`
}

function entryJson({ action, key, path, sizeBytes, reason }: SyncEntry): unknown {
  return { action, key, path, size: sizeBytes, reason }
}

function totals({ transferred, transferredBytes, same, removed, passedOver, failed }: SyncResult) {
  return { transferred, 'transferred-bytes': transferredBytes, same, removed, 'passed-over': passedOver, failed }
}

function summary(result: SyncResult, isDryRun: boolean): string {
  const { transferred, transferredBytes, same, removed, passedOver, failed } = result
  const would = isDryRun ? 'to be ' : ''
  const parts = [
    `${transferred} ${would}transferred (${formatSizeRoughly(transferredBytes)})`,
    `${same} the same`,
    `${removed} ${would}removed`,
    ...(passedOver > 0 ? [`${passedOver} passed over (links, devices)`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ]
  return parts.join(', ')
}
