import type { Command } from 'commander'
import type { ExitCode } from '../exit-codes.js'
import type { CommandContext } from './context.js'

/** One command of `bucket`: a file in this folder exports it, a row of the table in commands.ts names it. */
export interface BucketCommand {
  /**
   * Adds arguments, flags, description and examples to the command's own part of the command line. Flags that every
   * command has (flags.ts) are there already and must not be taken again.
   */
  describe(command: Command): void
  /** Resolves with what to exit with. What it rejects with is told by failure.ts, in one line and with its own code. */
  run(context: CommandContext): Promise<ExitCode>
}

/** What the list of commands shows, and where the rest is: a command's code is loaded when it is called. */
export interface CommandRow {
  readonly name: string
  readonly alias?: string
  /** The arguments as usage shows them. */
  readonly usage: string
  /** What it does, in half a line. */
  readonly summary: string
  readonly group: CommandGroup
  load(): Promise<BucketCommand>
}

/** The order in which groups of commands are shown. */
export const COMMAND_GROUPS = ['Objects', 'Listing', 'Sharing', 'Buckets'] as const

export type CommandGroup = (typeof COMMAND_GROUPS)[number]
