import type { FlagModel, ProgramModel, WordModel } from '../command-model.js'

/** The script for bash 4 and later: `source <(bucket completion bash)`. */
export function bashScript(program: ProgramModel): string {
  const name = `_${program.name.replaceAll('-', '_')}`
  const commandNames = program.commands.flatMap(({ names }) => names)
  const cases = program.commands.flatMap(({ names, flags, words }) => [
    `    ${names.join('|')})`,
    `      flags="$flags ${flagNames(flags)}"`,
    `      words=${quoted(words.choices.join(' '))} files=${words.isFile ? 'yes' : "''"}`,
    '      ;;',
  ])
  return `${[
    `# bash completion of ${program.name}, made by: ${program.name} completion bash`,
    `${name}() {`,
    `  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" command='' i`,
    // `--flag=value` comes as three words.
    `  if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev="\${COMP_WORDS[COMP_CWORD-2]}"; fi`,
    '  for ((i = 1; i < COMP_CWORD; i++)); do',
    `    case "\${COMP_WORDS[i]}" in`,
    ...(commandNames.length === 0 ? [] : [`      ${commandNames.join('|')}) command="\${COMP_WORDS[i]}"; break ;;`]),
    '    esac',
    '  done',
    `  local flags=${quoted(flagNames(program.flags))}`,
    `  local words=${quoted(commandNames.join(' '))} files=${program.words.isFile ? 'yes' : "''"}`,
    '  case "$command" in',
    ...cases,
    '  esac',
    '  case "$prev" in',
    ...valueCases(program),
    '  esac',
    '  case "$cur" in',
    '    -*) words="$flags" files=\'\' ;;',
    '  esac',
    '  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")',
    '  if [[ $files == yes ]]; then',
    '    compopt -o filenames 2> /dev/null',
    `    mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")`,
    '  fi',
    '}',
    `complete -F ${name} ${program.name}`,
  ].join('\n')}\n`
}

function valueCases(program: ProgramModel): readonly string[] {
  const flags = [...program.flags, ...program.commands.flatMap(command => command.flags)]
  const byName = new Map<string, FlagModel>()
  for (const flag of flags) if (flag.placeholder !== undefined) for (const name of flag.names) byName.set(name, flag)
  return [...byName].map(([name, { choices, isFile }]) => {
    const words: WordModel = { choices, isFile }
    return `    ${name}) words=${quoted(words.choices.join(' '))} files=${words.isFile ? 'yes' : "''"} flags='' ;;`
  })
}

function flagNames(flags: readonly FlagModel[]): string {
  return flags.flatMap(({ names }) => names).join(' ')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
