import type { Fault } from './fault.js'
import { perhaps } from './nearest.js'
import { findOption, keyOf, OPTIONS, type OptionName } from './option-table.js'

/** The text of one option, with the place that a message about it names. */
export interface GivenValue {
  readonly text: string
  readonly place: string
}

/** The nearer first. Sources of one level are equally near: what contradicts within a level is a fault. */
export const LEVELS = ['command line', 'environment', 'profile', 'file'] as const

export type Level = (typeof LEVELS)[number]

/** All that one place says. Of several, the nearer one counts. */
export interface Source {
  readonly level: Level
  readonly values: ReadonlyMap<OptionName, GivenValue>
}

/** An option as somebody wrote it: `read-only`, `no_read_only`, with or without a value. */
export interface WrittenOption {
  readonly written: string
  /** Undefined: the name stands alone, which only a switch may. */
  readonly text: string | undefined
  readonly place: string
}

/** Understands written options one by one, the later before the earlier, and notes what is wrong with them. */
export function collectOptions(
  writtenOptions: Iterable<WrittenOption>,
  isAllowed: (name: OptionName) => boolean,
  candidates: Iterable<string>,
  faults: Fault[],
): Map<OptionName, GivenValue> {
  const values = new Map<OptionName, GivenValue>()
  for (const { written, text, place } of writtenOptions) {
    const option = findOption(written)
    if (option === undefined || !isAllowed(option.name)) {
      faults.push({ place, expected: `a known option${perhaps(written, candidates)}`, found: JSON.stringify(written) })
      continue
    }
    const isSwitch = OPTIONS[option.name].value.type === 'switch'
    if (text === undefined && !isSwitch) {
      faults.push({ place, expected: `${written}=VALUE`, found: 'no value' })
      continue
    }
    const value = text ?? 'true'
    values.set(option.name, { text: option.negated ? inverted(value) : value, place })
  }
  return values
}

/** The opposite of a switch's text; what is no switch's text stays and is found out when it is checked. */
function inverted(text: string): string {
  if (/^(true|yes|on|1)$/i.test(text)) return 'false'
  return /^(false|no|off|0)$/i.test(text) ? 'true' : text
}

export function keysOf(names: readonly OptionName[]): readonly string[] {
  return names.map(keyOf)
}
