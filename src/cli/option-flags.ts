import { type Command, Option as Flag } from 'commander'
import type { Fault } from '../config/fault.js'
import type { Option } from '../config/option.js'
import { keyOf, OPTIONS, type OptionName } from '../config/option-table.js'
import type { GivenValue } from '../config/source.js'

/** The flags of an option. A switch goes by two; help shows the one that changes something. */
export function addFlags(program: Command, name: OptionName): void {
  const option: Option = OPTIONS[name]
  if (!hasFlag(name)) return
  const key = keyOf(name)
  const group = `${option.group}:`
  const short = option.short === undefined ? '' : `${option.short}, `
  const help = `${plain(option.help)}${defaultOf(option)}`
  if (option.value.type !== 'switch') {
    program.addOption(new Flag(`${short}--${key} [${option.placeholder ?? 'VALUE'}]`, help).helpGroup(group))
    return
  }
  const isOn = option.default === 'true'
  program.addOption(new Flag(`${short}--${key}`, help).helpGroup(group).hideHelp(isOn))
  program.addOption(new Flag(`--no-${key}`, help).helpGroup(group).hideHelp(!isOn))
}

/** Secrets have none: other users of the machine can read command lines. */
export function hasFlag(name: OptionName): boolean {
  return OPTIONS[name].positional !== true && OPTIONS[name].isSecret !== true
}

/** What the flags of these options say on the command line that was parsed. */
export function readFlags(
  program: Command,
  names: readonly OptionName[],
  faults: Fault[],
): Map<OptionName, GivenValue> {
  const values = new Map<OptionName, GivenValue>()
  for (const name of names) {
    if (!hasFlag(name) || program.getOptionValueSource(name) !== 'cli') continue
    const value: unknown = program.getOptionValue(name)
    const isSwitch = OPTIONS[name].value.type === 'switch'
    const place = `--${isSwitch && value === false ? 'no-' : ''}${keyOf(name)}`
    if (isSwitch || typeof value === 'string') values.set(name, { text: String(value), place })
    else faults.push({ place, expected: 'a value', found: 'none' })
  }
  return values
}

/** Without the marks of the documentation's text. */
export function plain(text: string): string {
  return text.replaceAll('`', '')
}

function defaultOf(option: Option): string {
  if (option.value.type === 'switch') return ''
  const text = option.default ?? option.defaultNote
  return text === undefined ? '' : ` (default: ${plain(text)})`
}
