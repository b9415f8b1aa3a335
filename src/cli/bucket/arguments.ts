import { type Command, CommanderError } from 'commander'
import { BUCKET_OPTION_NAMES } from '../../config/bucket-options.js'
import { ConfigurationError, type Fault } from '../../config/fault.js'
import { perhaps } from '../../config/nearest.js'
import type { CommandLine } from '../../config/resolve.js'
import { readFlags } from '../option-flags.js'
import type { BucketCommand, CommandRow } from './command.js'
import { buildProgram, type CommonFlags } from './program.js'

/** What the command line asks for. */
export type BucketInvocation =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'run'; readonly command: BucketCommand; readonly request: CommandRequest }

/** A command with its words and flags, and what is said of the store. */
export interface CommandRequest {
  readonly name: string
  readonly words: readonly string[]
  /** The command's own flags, by their names in camel case. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly common: CommonFlags
  readonly line: CommandLine
}

/** Reads the words behind the program's name and loads the command that they name. Rejects with ConfigurationError. */
export async function parseArguments(rows: readonly CommandRow[], words: readonly string[]): Promise<BucketInvocation> {
  let text = ''
  const program = buildProgram(rows, part => {
    text += part
  })
  const child = understood('command line', () => childOf(rows, program, words))
  const command = await child?.row.load()
  let invocation: BucketInvocation | undefined
  if (child !== undefined && command !== undefined) {
    command.describe(child.part)
    child.part.action(() => {
      invocation = { kind: 'run', command, request: requestOf(program, child.part) }
    })
  }
  program.action(() => {
    if (program.opts().version === true) invocation = { kind: 'version' }
    else refuseUnknown(rows, program)
  })
  understood(child?.row.name ?? 'command line', () => {
    try {
      program.parse(words, { from: 'user' })
    } catch (error) {
      if (text === '') throw error
    }
  })
  if (invocation !== undefined) return invocation
  if (text === '') program.outputHelp()
  return { kind: 'help', text }
}

/** What commander makes of the words; its complaints become ours. */
function understood<T>(place: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    throw usageError(place, 'known words', messageOf(error), error)
  }
}

interface Child {
  readonly row: CommandRow
  /** Its part of the command line. */
  readonly part: Command
}

/** The first word that is no flag and no flag's value; of `help NAME` the name. */
function childOf(rows: readonly CommandRow[], program: Command, words: readonly string[]): Child | undefined {
  const { operands } = program.parseOptions([...words])
  const [first, second] = operands
  const name = first === 'help' ? second : first
  const row = rows.find(each => each.name === name || each.alias === name)
  const part = program.commands.find(each => each.name() === row?.name)
  return row === undefined || part === undefined ? undefined : { row, part }
}

function refuseUnknown(rows: readonly CommandRow[], program: Command): void {
  const [word] = program.args
  if (word === undefined) return
  const names = rows.flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias]))
  throw usageError('command line', `a command${perhaps(word, names)}`, JSON.stringify(word))
}

function requestOf(program: Command, child: Command): CommandRequest {
  const faults: Fault[] = []
  const values = readFlags(program, BUCKET_OPTION_NAMES, faults)
  const common = program.opts<CommonFlags>()
  if (common.bucket !== undefined) values.set('url', { text: common.bucket, place: '--bucket' })
  return {
    name: child.name(),
    words: child.args,
    flags: child.opts(),
    common,
    line: { values, mountOptions: [], faults },
  }
}

function usageError(place: string, expected: string, found: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError([{ place, expected, found }], { cause })
}

/** Commander's message in one line. */
function messageOf(error: CommanderError): string {
  return error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ')
}
