import type { FlagModel, ProgramModel, WordModel } from '../command-model.js'

/** The script for zsh: a file `_bucket` in a folder of `fpath`, or `source <(bucket completion zsh)`. */
export function zshScript(program: ProgramModel): string {
  const name = `_${program.name}`
  const described = program.commands.flatMap(({ names, summary }) =>
    names.map(each => `    ${quoted(`${each}:${summary.replaceAll(':', '\\:')}`)}`),
  )
  const cases = program.commands.flatMap(({ names, flags, words }) => [
    `        ${names.join('|')})`,
    `          _arguments -S ${[...flags, ...program.flags].flatMap(specsOf).join(' ')} ${wordsSpec(words)}`,
    '          ;;',
  ])
  return `${[
    `#compdef ${program.name}`,
    `# zsh completion of ${program.name}, made by: ${program.name} completion zsh`,
    `${name}() {`,
    '  local curcontext="$curcontext" state line ret=1',
    '  local -a commands=(',
    ...described,
    '  )',
    `  _arguments -C -S ${program.flags.flatMap(specsOf).join(' ')} '1: :->command' '*:: :->words' && ret=0`,
    '  case $state in',
    '    command)',
    '      _describe -t commands command commands && ret=0',
    ...(program.words.isFile ? ['      _files && ret=0'] : []),
    '      ;;',
    '    words)',
    '      case $words[1] in',
    ...cases,
    ...(program.words.isFile ? ['        *) _files ;;'] : []),
    '      esac && ret=0',
    '      ;;',
    '  esac',
    '  return ret',
    '}',
    `if [[ $funcstack[1] == ${name} ]]; then ${name} "$@"; else compdef ${name} ${program.name}; fi`,
  ].join('\n')}\n`
}

function specsOf(flag: FlagModel): readonly string[] {
  const help = flag.help.replaceAll(/[[\]\\:]/g, '\\$&').replaceAll(/\s+/g, ' ')
  const value =
    flag.placeholder === undefined ? '' : `:${flag.placeholder.replaceAll(':', '\\:')}:${completionOf(flag)}`
  return flag.names.map(name => {
    const takes = flag.placeholder !== undefined && name.startsWith('--') ? '=' : ''
    return quoted(`*${name}${takes}[${help}]${value}`)
  })
}

function completionOf({ choices, isFile }: WordModel): string {
  if (choices.length > 0) return `(${choices.map(each => each.replaceAll(':', '\\:')).join(' ')})`
  return isFile ? '_files' : ' '
}

function wordsSpec(words: WordModel): string {
  // With the action ' ' (a message) beside it, zsh would put no flag in, though there be but one.
  return quoted(`*:word:${words.choices.length === 0 && !words.isFile ? '()' : completionOf(words)}`)
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
