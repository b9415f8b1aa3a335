import type { Argument, Command, Option as Flag } from 'commander'
import { OPTIONS, type OptionName } from '../config/option-table.js'

/** A program as its command line is declared, in plain data: what shell completion and man pages are made of. */
export interface ProgramModel {
  readonly name: string
  readonly description: string
  readonly usage: string
  /** What help says behind the lists. */
  readonly after: string
  readonly flags: readonly FlagModel[]
  readonly words: WordModel
  readonly commands: readonly CommandModel[]
}

export interface CommandModel {
  /** The name, and others that do as well. */
  readonly names: readonly string[]
  readonly summary: string
  readonly description: string
  readonly usage: string
  readonly after: string
  readonly flags: readonly FlagModel[]
  readonly words: WordModel
}

export interface FlagModel {
  /** `-q`, `--quiet`. */
  readonly names: readonly string[]
  readonly help: string
  readonly group: string
  /** What stands for the value; undefined: it takes none. */
  readonly placeholder: string | undefined
  readonly choices: readonly string[]
  readonly isFile: boolean
}

/** The words behind a command. */
export interface WordModel {
  readonly choices: readonly string[]
  readonly isFile: boolean
}

const FILE_NAMES = /FILE|FOLDER|DIR|PATH|MOUNTPOINT/

/** The model of a program with all flags of all its commands. */
export function modelOf(program: Command): ProgramModel {
  const { name, ...rest } = { name: program.name(), ...partOf(program) }
  return { name, ...rest, commands: program.commands.map(commandOf) }
}

function commandOf(command: Command): CommandModel {
  return { names: [command.name(), ...command.aliases()], summary: command.summary(), ...partOf(command) }
}

function partOf(command: Command) {
  const visible = command.createHelp().visibleOptions(command)
  const words = command.registeredArguments
  return {
    description: command.description(),
    usage: command.usage(),
    after: afterTextOf(command),
    flags: visible.map(flagOf),
    words: {
      choices: [...new Set(words.flatMap(choicesOf).concat(wordsOf(command)))],
      isFile: FILE_NAMES.test(command.usage()),
    },
  }
}

/** Words that usage has in small letters are to be written as they are: `[list | save ID FILE]`. */
function wordsOf(command: Command): readonly string[] {
  return command.usage().match(/(?<![\w-])[a-z][a-z-]+/g) ?? []
}

function choicesOf(word: Argument): readonly string[] {
  return word.argChoices ?? []
}

function flagOf(flag: Flag): FlagModel {
  const placeholder = /[<[]([^\]>]+)[\]>]/.exec(flag.flags)?.[1]
  const names = [flag.short, flag.long].filter(name => name !== undefined)
  const option = OPTIONS[flag.attributeName() as OptionName] as (typeof OPTIONS)[OptionName] | undefined
  const known = option?.value.type === 'choice' ? option.value.choices : []
  return {
    names,
    help: flag.description,
    group: flag.helpGroupHeading?.replace(/:$/, '') ?? 'Options',
    placeholder,
    choices: placeholder === undefined ? [] : (flag.argChoices ?? known),
    isFile: placeholder !== undefined && FILE_NAMES.test(placeholder),
  }
}

/** Whatever `addHelpText('after', ...)` adds: commander tells it only as a part of the whole help. */
function afterTextOf(command: Command): string {
  let text = ''
  command.configureOutput({
    ...command.configureOutput(),
    writeOut: part => {
      text += part
    },
  })
  command.outputHelp()
  return text.startsWith(command.helpInformation()) ? text.slice(command.helpInformation().length).trim() : ''
}
