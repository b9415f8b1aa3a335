import { constants } from 'node:os'

const SIGNALS: ReadonlyMap<string, number> = new Map(Object.entries(constants.signals))

/** One name of a signal, with or without SIG. */
const NAME = `(?:SIG)?(?:${[...SIGNALS.keys()].map(name => name.slice('SIG'.length)).join('|')})`

/** What `--killed-writer` takes. */
export const KILLED_WRITER = new RegExp(`^(?:keep|publish|${NAME}(?:,${NAME})*)$`, 'i')

/** wait(2) tells of a death by a signal in seven bits. */
const LAST_SIGNAL = 127

/**
 * The signals after which nothing is published. `keep` is every one but SIGPIPE, which ends programs that have done their
 * work. A rule that was found wrong comes here as undefined, and its fault is told all the same.
 */
export function keptSignals(rule: string | undefined): readonly number[] {
  if (rule === undefined) return []
  if (/^publish$/i.test(rule)) return []
  if (/^keep$/i.test(rule))
    return Array.from({ length: LAST_SIGNAL }, (_, index) => index + 1).filter(each => each !== SIGNALS.get('SIGPIPE'))
  return rule.split(',').flatMap(name => SIGNALS.get(`SIG${name.toUpperCase().replace(/^SIG/, '')}`) ?? [])
}
