import type { Fault } from './fault.js'
import { OPTION_NAMES, OPTIONS, type OptionName } from './option-table.js'
import { type GivenValue, LEVELS, type Level } from './source.js'

/** A value with the source that it comes from. */
export interface ChosenValue extends GivenValue {
  readonly level: Level
}

export type ChosenValues = Map<OptionName, ChosenValue>

/** One of two options that can't both hold; without a value, any value of it but that of a switch turned off. */
interface Side {
  readonly name: OptionName
  readonly is?: RegExp
}

const OFF = /^(false|no|off|0)$/i
const ON = /^(true|yes|on|1)$/i
const SOME = /[1-9]/

/** What only writing has a use for. */
const WRITING: readonly OptionName[] = [
  'acl',
  'storageClass',
  'sse',
  'sseKmsKeyId',
  'signPayload',
  'killedWriter',
  'exclusiveCreate',
]

/** Pairs that contradict each other, with what to do instead. */
const PAIRS: readonly (readonly [Side, Side, string])[] = [
  [{ name: 'allowOther' }, { name: 'allowRoot' }, 'only one of the two (--allow-other includes root)'],
  [{ name: 'signRequest', is: OFF }, { name: 'profile' }, 'no --profile where requests are not signed'],
  [{ name: 'signRequest', is: OFF }, { name: 'requesterPays' }, 'signed requests with --requester-pays'],
  [{ name: 'signRequest', is: OFF }, { name: 'signPayload' }, 'no --sign-payload where requests are not signed'],
  [{ name: 'accessKeyId' }, { name: 'profile' }, 'only one of access-key-id and --profile'],
  [{ name: 'signRequest', is: OFF }, { name: 'accessKeyId' }, 'no access-key-id where requests are not signed'],
  [{ name: 'sseCKeyFile' }, { name: 'sse' }, 'only one kind of encryption'],
  [{ name: 'sseCKeyFile' }, { name: 'sseKmsKeyId' }, 'only one kind of encryption'],
  [{ name: 'sse', is: /^AES256$/ }, { name: 'sseKmsKeyId' }, '--sse aws:kms with --sse-kms-key-id'],
  [
    { name: 'transport', is: /^fuse-native$/ },
    { name: 'kernelReadAhead' },
    "the kernel's own read-ahead, which --transport fuse-native can't change",
  ],
  [
    { name: 'transport', is: /^fuse-native$/ },
    { name: 'killedWriter', is: /^(?!publish$)/i },
    "--killed-writer publish, since --transport fuse-native can't tell who closes a file",
  ],
  [
    { name: 'transport', is: /^fuse-native$/ },
    { name: 'dataThreads', is: SOME },
    'no --data-threads, since --transport fuse-native answers in one thread only',
  ],
  [{ name: 'cacheDir' }, { name: 'dataThreads', is: SOME }, 'no --data-threads with --cache-dir'],
  ...WRITING.map(name => [{ name: 'readOnly' }, { name }, 'nothing about writing with --read-only'] as const),
]

/**
 * Settles pairs that can't both hold. From one level (both flags, both variables, both of one profile) they are a fault; of
 * different levels the nearer one counts, as everywhere, and the other is taken out of `chosen`.
 */
export function settleContradictions(chosen: ChosenValues, faults: Fault[]): void {
  for (const [one, other, expected] of PAIRS) {
    const a = holding(chosen, one)
    const b = holding(chosen, other)
    if (a === undefined || b === undefined) continue
    if (a.level === b.level) faults.push({ place: `${a.place} and ${b.place}`, expected, found: 'both' })
    else chosen.delete(LEVELS.indexOf(a.level) < LEVELS.indexOf(b.level) ? other.name : one.name)
  }
}

/** Options that the store's scheme has no use for: a fault on the command line, of no account elsewhere. */
export function checkScheme(chosen: ChosenValues, scheme: string, isEmbedded: boolean, faults: Fault[]): void {
  for (const name of OPTION_NAMES) {
    const value = chosen.get(name)
    const schemes = OPTIONS[name].schemes
    if (value === undefined || schemes === undefined || schemes.includes(scheme)) continue
    if (value.level !== 'command line') continue
    const urls = schemes.map(each => `${each}://`).join(' or ')
    faults.push({
      place: value.place,
      expected: `a ${urls} URL with it`,
      found: isEmbedded ? 'no URL' : `${scheme}://`,
    })
  }
}

function holding(chosen: ChosenValues, side: Side): ChosenValue | undefined {
  const value = chosen.get(side.name)
  if (value === undefined) return undefined
  if (side.is !== undefined) return side.is.test(value.text) ? value : undefined
  return OPTIONS[side.name].value.type !== 'switch' || ON.test(value.text) ? value : undefined
}
