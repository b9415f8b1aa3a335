import { parseDuration, parseSize } from '../../config/quantities.js'
import type { CommandContext } from './context.js'

/** For flags that may be repeated: `command.option('--x <VALUE>', '...', collect)`. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

/** A flag that is a time such as 90s, 15m, 2h or 7d. Throws a ConfigurationError for anything else. */
export function durationMs(context: CommandContext, name: string): number | undefined {
  const text = context.text(name)
  if (text === undefined) return undefined
  const value = parseDuration(text)
  if (value !== undefined) return value
  throw context.usage(`--${name}`, 'a time such as 90s, 15m, 2h or 7d', JSON.stringify(text))
}

/** A flag (`place` as it is written) that is a size such as 10M. Throws a ConfigurationError for anything else. */
export function sizeBytes(context: CommandContext, name: string, place: string): number | undefined {
  const text = context.text(name)
  if (text === undefined) return undefined
  const value = parseSize(text)
  if (value !== undefined) return value
  throw context.usage(place, 'a size such as 500K or 10M', JSON.stringify(text))
}

/** Flags of the form NAME=VALUE. Throws a ConfigurationError for one without a name. */
export function pairs(context: CommandContext, name: string): Readonly<Record<string, string>> {
  const all = context.texts(name).map(text => {
    const at = text.indexOf('=')
    if (at < 1) throw context.usage(`--${name}`, 'NAME=VALUE', JSON.stringify(text))
    return [text.slice(0, at), text.slice(at + 1)] as const
  })
  return Object.fromEntries(all)
}
