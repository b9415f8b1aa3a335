import type { Fault } from '../config/fault.js'
import type { CommandLine } from '../config/resolve.js'

/** What `mount-bucket recover` is to do. */
export interface RecoverTask {
  readonly action: 'list' | 'save' | 'retry' | 'discard'
  /** Ids, or the beginnings of ids; for `list`, mount points. */
  readonly ids: readonly string[]
  /** Of `save`. */
  readonly file: string
  readonly json: boolean
  readonly force: boolean
  readonly partial: boolean
  readonly all: boolean
  readonly yes: boolean
}

export interface RecoverRequest extends RecoverTask {
  readonly line: CommandLine
}

/** What belongs to each action: its flags, and its words as usage shows them. */
const ACTIONS = {
  list: { flags: ['json'], usage: 'list [MOUNTPOINT]' },
  save: { flags: ['force', 'partial'], usage: 'save ID FILE' },
  retry: { flags: ['force'], usage: 'retry ID' },
  discard: { flags: ['all', 'yes'], usage: 'discard ID... or discard --all' },
} as const

const FLAGS = ['json', 'force', 'partial', 'all', 'yes'] as const

/** Understands the words behind `recover`: an action, or the mount point of a list. */
export function readRecoverWords(
  words: readonly string[],
  flags: Readonly<Record<string, unknown>>,
  faults: Fault[],
): RecoverTask {
  const [first = 'list', ...rest] = words
  const action = isAction(first) ? first : 'list'
  const operands = isAction(first) ? rest : words
  const given = FLAGS.filter(flag => flags[flag] === true)
  for (const flag of given)
    if (!ACTIONS[action].flags.some(each => each === flag))
      faults.push({ place: 'recover', expected: `no --${flag} with ${action}`, found: `--${flag}` })
  const all = given.includes('all')
  if (!isAction(first) && !first.includes('/'))
    faults.push({ place: 'recover', expected: 'list, save, retry, discard or a mount point', found: first })
  if (!isComplete(action, operands.length, all))
    faults.push({ place: 'recover', expected: ACTIONS[action].usage, found: [action, ...operands].join(' ') })
  return {
    action,
    ids: action === 'save' ? operands.slice(0, 1) : operands,
    file: action === 'save' ? (operands[1] ?? '') : '',
    json: given.includes('json'),
    force: given.includes('force'),
    partial: given.includes('partial'),
    all,
    yes: given.includes('yes'),
  }
}

function isComplete(action: RecoverTask['action'], count: number, all: boolean): boolean {
  switch (action) {
    case 'list':
      return count <= 1
    case 'save':
      return count === 2
    case 'retry':
      return count === 1
    case 'discard':
      return all ? count === 0 : count > 0
  }
}

function isAction(word: string): word is RecoverTask['action'] {
  return Object.hasOwn(ACTIONS, word)
}
