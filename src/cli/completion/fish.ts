import type { FlagModel, ProgramModel, WordModel } from '../command-model.js'

/** The script for fish: `bucket completion fish | source`. */
export function fishScript(program: ProgramModel): string {
  const names = program.commands.flatMap(command => command.names)
  const none = `not __fish_seen_subcommand_from ${names.join(' ')}`
  const complete = `complete -c ${program.name}`
  const lines = [
    `# fish completion of ${program.name}, made by: ${program.name} completion fish`,
    `${complete} -f`,
    ...(program.words.isFile ? [`${complete} -n ${quoted(none)} -F`] : []),
    ...program.flags.map(flag => `${complete} ${flagOf(flag)}`),
  ]
  for (const command of program.commands) {
    for (const name of command.names)
      lines.push(`${complete} -n ${quoted(none)} -a ${quoted(name)} -d ${quoted(command.summary)}`)
    const within = `${complete} -n ${quoted(`__fish_seen_subcommand_from ${command.names.join(' ')}`)}`
    lines.push(...command.flags.map(flag => `${within} ${flagOf(flag)}`), ...wordsOf(within, command.words))
  }
  return `${lines.join('\n')}\n`
}

function wordsOf(within: string, { choices, isFile }: WordModel): readonly string[] {
  if (choices.length > 0) return [`${within} -a ${quoted(choices.join(' '))}`]
  return isFile ? [`${within} -F`] : []
}

function flagOf(flag: FlagModel): string {
  const names = flag.names.map(name => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  return [...names, ...completionOf(flag), `-d ${quoted(flag.help.replaceAll(/\s+/g, ' '))}`].join(' ')
}

function completionOf({ placeholder, choices, isFile }: FlagModel): readonly string[] {
  if (placeholder === undefined) return []
  if (choices.length > 0) return [`-x -a ${quoted(choices.join(' '))}`]
  return [isFile ? '-r -F' : '-x']
}

function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`
}
