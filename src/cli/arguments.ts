import { type Command, CommanderError } from 'commander'
import { ConfigurationError, type Fault } from '../config/fault.js'
import { perhaps } from '../config/nearest.js'
import { keyOf, OPTION_NAMES } from '../config/option-table.js'
import type { CommandLine } from '../config/resolve.js'
import type { CacheRequest } from './cache.js'
import { completionScript, SHELLS } from './completion/completion.js'
import { hasFlag, readFlags } from './option-flags.js'
import type { PrefetchRequest } from './prefetch.js'
import { buildProgram, mountModel } from './program.js'
import { type RecoverRequest, readRecoverWords } from './recover-request.js'

/** What the command line asks for. */
export type Invocation =
  | { readonly command: 'help'; readonly text: string }
  | { readonly command: 'version' }
  | { readonly command: 'mount'; readonly line: CommandLine }
  | { readonly command: 'unmount'; readonly line: CommandLine; readonly lazy: boolean; readonly mountPoint: string }
  | ({ readonly command: 'recover' } & RecoverRequest)
  | ({ readonly command: 'cache' } & CacheRequest)
  | ({ readonly command: 'prefetch' } & PrefetchRequest)
  | { readonly command: 'completion'; readonly script: string }

/** Reads the words behind the program's name. Throws a ConfigurationError where they can't be told apart. */
export function parseArguments(words: readonly string[]): Invocation {
  let text = ''
  const program = buildProgram(part => {
    text += part
  })
  let invocation: Invocation | undefined
  program.action(() => {
    invocation = program.opts().version === true ? { command: 'version' } : mountInvocation(program)
  })
  for (const command of program.commands) {
    const invoke = COMMANDS.get(command.name())
    command.action(() => {
      invocation = invoke?.(program, command)
    })
  }
  try {
    program.parse(words, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (text !== '') return { command: 'help', text }
    throw new ConfigurationError([{ place: 'command line', expected: 'known words', found: error.message }], {
      cause: error,
    })
  }
  return invocation ?? { command: 'help', text: program.helpInformation() }
}

function mountInvocation(program: Command): Invocation {
  const { operands, faults } = readOperands(program)
  const values = readFlags(program, OPTION_NAMES, faults)
  const [first, second, ...more] = operands
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//.test(first ?? '')
  const [url, mountPoint] = second === undefined && !isUrl ? [undefined, first] : [first, second]
  // `none` is what a line of fstab says that leaves the store to its options.
  if (url !== undefined && url !== 'none') values.set('url', { text: url, place: 'URL' })
  if (mountPoint !== undefined) values.set('mountPoint', { text: mountPoint, place: 'MOUNTPOINT' })
  if (more.length > 0 && faults.length === 0)
    faults.push({ place: 'command line', expected: '[URL] MOUNTPOINT', found: `also ${more.join(' ')}` })
  return { command: 'mount', line: { values, mountOptions: readLists(program, faults), faults } }
}

function unmountInvocation(program: Command, unmount: Command): Invocation {
  const { operands, faults } = readOperands(unmount)
  const values = readFlags(program, OPTION_NAMES, faults)
  const [mountPoint, ...more] = operands
  if (mountPoint === undefined || more.length > 0)
    faults.push({ place: 'unmount', expected: 'one MOUNTPOINT', found: operands.join(' ') || 'none' })
  const line = { values, mountOptions: [], faults }
  return { command: 'unmount', line, lazy: unmount.opts().lazy === true, mountPoint: mountPoint ?? '' }
}

function recoverInvocation(program: Command, recover: Command): Invocation {
  const { operands, faults } = readOperands(recover)
  const values = readFlags(program, OPTION_NAMES, faults)
  const task = readRecoverWords(operands, recover.opts(), faults)
  return { command: 'recover', line: { values, mountOptions: readLists(program, faults), faults }, ...task }
}

function cacheInvocation(program: Command, cache: Command): Invocation {
  const { operands, faults } = readOperands(cache)
  const values = readFlags(program, OPTION_NAMES, faults)
  const [action = 'usage', ...more] = operands
  if ((action !== 'usage' && action !== 'clear') || more.length > 0)
    faults.push({ place: 'cache', expected: 'usage or clear', found: operands.join(' ') })
  const json = cache.opts().json === true
  if (json && action === 'clear') faults.push({ place: 'cache', expected: 'no --json with clear', found: '--json' })
  const line = { values, mountOptions: [], faults }
  return { command: 'cache', line, action: action === 'clear' ? 'clear' : 'usage', json }
}

function prefetchInvocation(program: Command, prefetch: Command): Invocation {
  const { operands, faults } = readOperands(prefetch)
  const values = readFlags(program, OPTION_NAMES, faults)
  if (operands.length === 0) faults.push({ place: 'prefetch', expected: 'PATH...', found: 'none' })
  const line = { values, mountOptions: [], faults }
  return { command: 'prefetch', line, paths: operands, quiet: prefetch.opts().quiet === true }
}

function completionInvocation(_: Command, completion: Command): Invocation {
  const shell = SHELLS.find(each => each === completion.args[0])
  if (shell === undefined || completion.args.length > 1)
    throw new ConfigurationError([
      { place: 'completion', expected: SHELLS.join(', '), found: completion.args.join(' ') },
    ])
  return { command: 'completion', script: completionScript(shell, mountModel()) }
}

const COMMANDS: ReadonlyMap<string, (program: Command, command: Command) => Invocation> = new Map([
  ['unmount', unmountInvocation],
  ['recover', recoverInvocation],
  ['cache', cacheInvocation],
  ['prefetch', prefetchInvocation],
  ['completion', completionInvocation],
])

/** Words that are no known flag and no flag's value; those that look like flags are faults. */
function readOperands(command: Command): { readonly operands: readonly string[]; readonly faults: Fault[] } {
  const isFlag = (word: string) => word.length > 1 && word.startsWith('-')
  const flags = OPTION_NAMES.filter(hasFlag).map(name => `--${keyOf(name)}`)
  const faults = command.args.filter(isFlag).map(word => {
    const flag = word.replace(/=.*/s, '')
    return { place: 'command line', expected: `a known flag${perhaps(flag, flags)}`, found: flag }
  })
  return { operands: command.args.filter(word => !isFlag(word)), faults }
}

function readLists(program: Command, faults: Fault[]): readonly string[] {
  const lists: unknown = program.getOptionValue('o')
  if (Array.isArray(lists)) return lists.filter(list => typeof list === 'string')
  if (lists === true) faults.push({ place: '-o', expected: 'a list of options', found: 'none' })
  return []
}
