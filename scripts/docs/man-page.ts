import type { CommandModel, FlagModel, ProgramModel } from '../../src/cli/command-model.js'

/** Files that the page tells of beside the command line. */
const SEE_ALSO: Readonly<Record<string, string>> = {
  bucket: 'mount-bucket',
  'mount-bucket': 'bucket',
}

/** A page of section 1 in the language of man(7). */
export function manPage(program: ProgramModel): string {
  const [first = '', ...more] = paragraphs(program.description)
  const lines = [
    `.TH ${program.name.toUpperCase()} 1 "" "mount-bucket" "User Commands"`,
    '.SH NAME',
    `${text(program.name)} \\- ${text(first.replace(/\.$/, '').replace(/^[A-Z]/, letter => letter.toLowerCase()))}`,
    '.SH SYNOPSIS',
    `.B ${text(program.name)}`,
    text(program.usage),
    '.SH DESCRIPTION',
    ...[first, ...more].flatMap(part => ['.PP', text(part)]),
    '.SH OPTIONS',
    ...flagLines(program.flags),
    '.SH COMMANDS',
    ...program.commands.flatMap(command => commandLines(program, command)),
    '.SH NOTES',
    ...verbatim(program.after),
    '.SH SEE ALSO',
    `.BR ${text(SEE_ALSO[program.name] ?? '')} (1),`,
    '.BR mount (8)',
  ]
  return `${lines.join('\n')}\n`
}

function commandLines(program: ProgramModel, command: CommandModel): readonly string[] {
  const usage = text(`${program.name} ${command.names.join('|')} ${command.usage}`)
  const flags = command.flags.filter(flag => !flag.names.includes('--help'))
  return [
    `.SS ${usage}`,
    ...paragraphs(command.description)
      .flatMap(part => [text(part), '.PP'])
      .slice(0, -1),
    ...flagLines(flags, false),
    ...(command.after === '' ? [] : verbatim(command.after)),
  ]
}

/** The groups of flags in the order of their first ones. */
function flagLines(flags: readonly FlagModel[], hasGroups = true): readonly string[] {
  const groups = [...new Set(flags.map(flag => flag.group))]
  return groups.flatMap(group => [
    ...(hasGroups ? [`.SS ${text(group)}`] : []),
    ...flags.filter(flag => flag.group === group).flatMap(flag => ['.TP', `.B ${termOf(flag)}`, text(flag.help)]),
  ])
}

function termOf({ names, placeholder }: FlagModel): string {
  return text(`${names.join(', ')}${placeholder === undefined ? '' : ` ${placeholder}`}`)
}

function paragraphs(written: string): readonly string[] {
  return written.split(/\n\s*\n/).map(part => part.replaceAll(/\s*\n\s*/g, ' ').trim())
}

function verbatim(written: string): readonly string[] {
  return ['.PP', '.nf', ...written.split('\n').map(line => (line === '' ? '.sp' : text(line))), '.fi']
}

/** One line of text, of which nothing is taken as a request or an escape. */
function text(line: string): string {
  const escaped = line
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('`', '\\(ga')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped
}
