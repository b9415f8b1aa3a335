import type { Fault } from './fault.js'
import { isInMountOptions, OPTION_NAMES, type OptionName } from './option-table.js'
import { collectOptions, type GivenValue, keysOf, type WrittenOption } from './source.js'

/** What the lists behind `-o` say. */
export interface MountOptions {
  readonly values: ReadonlyMap<OptionName, GivenValue>
  /** For the kernel, the later of contradicting ones: `nosuid`, `noatime`, ... */
  readonly kernelOptions: readonly string[]
}

/** Options that mount(8) and systemd keep for themselves and hand on all the same. */
const FOR_OTHERS = /^(defaults|auto|noauto|user|nouser|users|owner|group|nofail|_netdev|comment=.*|[xX][-.].*)$/

/** Options of the kernel by what they are about: of each family the last one counts. */
const KERNEL_FAMILIES: readonly (readonly string[])[] = [
  ['suid', 'nosuid'],
  ['dev', 'nodev'],
  ['exec', 'noexec'],
  ['atime', 'noatime', 'relatime', 'norelatime', 'strictatime', 'nostrictatime'],
  ['diratime', 'nodiratime'],
  ['lazytime', 'nolazytime'],
  ['sync', 'async'],
  ['dirsync'],
  ['symfollow', 'nosymfollow'],
]

/**
 * Reads the lists of `-o` as mount(8) and mount.fuse pass them: comma-separated, `\,` for a comma within a value, our
 * own options under their names with `_` or `-`.
 */
export function readMountOptions(lists: readonly string[], faults: Fault[]): MountOptions {
  const families = new Map<readonly string[], string>()
  const own: WrittenOption[] = []
  for (const word of lists.flatMap(splitList)) {
    const family = KERNEL_FAMILIES.find(words => words.includes(word))
    if (family !== undefined) families.set(family, word)
    else if (word === 'ro' || word === 'rw')
      own.push({ written: 'read-only', text: String(word === 'ro'), place: `-o ${word}` })
    else if (!FOR_OTHERS.test(word)) own.push(writtenOption(word))
  }
  return {
    values: collectOptions(own, isInMountOptions, candidates(), faults),
    kernelOptions: [...families.values()],
  }
}

function writtenOption(word: string): WrittenOption {
  const equals = word.indexOf('=')
  const written = equals < 0 ? word : word.slice(0, equals)
  return { written, text: equals < 0 ? undefined : word.slice(equals + 1), place: `-o ${written}` }
}

function splitList(list: string): readonly string[] {
  const words = list.match(/(?:[^,\\]|\\.)+/gs) ?? []
  return words.map(word => word.replace(/\\(.)/gs, '$1'))
}

function candidates(): readonly string[] {
  const own = keysOf(OPTION_NAMES.filter(isInMountOptions)).map(key => key.replaceAll('-', '_'))
  return ['ro', 'rw', 'noauto', 'nofail', '_netdev', 'defaults', ...own, ...KERNEL_FAMILIES.flat()]
}
