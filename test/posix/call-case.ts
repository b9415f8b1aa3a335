import { type Answer, type Identity, ROOT, type SystemCalls, type Word } from './system-calls.js'

export type FileType = 'regular' | 'folder' | 'fifo' | 'block' | 'char' | 'socket' | 'symlink'
export const SPECIAL_TYPES = ['fifo', 'block', 'char', 'socket'] as const
/** Whatever unlink removes. */
export const NON_FOLDERS = ['regular', ...SPECIAL_TYPES, 'symlink'] as const
/** Whatever chmod can change. */
export const NON_LINKS = ['regular', 'folder', ...SPECIAL_TYPES] as const
export const ALL_TYPES = ['regular', 'folder', ...SPECIAL_TYPES, 'symlink'] as const

export interface Status {
  readonly type: FileType
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly nlink: number
  readonly size: number
  readonly blocks: number
  readonly ino: string
  readonly device: readonly number[]
  /** Nanoseconds. */
  readonly atime: string
  readonly mtime: string
  readonly ctime: string
}

type Time = 'atime' | 'mtime' | 'ctime'

/** What a call comes to: `done`, an errno's name, or several of them with `|`. */
type Outcome = string

/** How many of a test's differences are shown. */
const MAX_SHOWN = 20

/**
 * One test by system call, in a folder of its own that belongs to root. What differs from the expectation is
 * collected, so that a table is seen whole; `run` fails the test with it.
 */
export class CallCase {
  readonly #calls: SystemCalls
  readonly #differences: string[]
  readonly #who: Identity
  readonly #umask: number
  readonly #second: () => Promise<SystemCalls>

  constructor(
    calls: SystemCalls,
    second: () => Promise<SystemCalls>,
    who: Identity = ROOT,
    umask = 0o022,
    differences: string[] = [],
  ) {
    this.#calls = calls
    this.#second = second
    this.#who = who
    this.#umask = umask
    this.#differences = differences
  }

  /** The same test, in another user's name. */
  as(who: Identity): CallCase {
    return new CallCase(this.#calls, this.#second, who, this.#umask, this.#differences)
  }

  /** A second process, for what only happens between two. */
  async other(): Promise<CallCase> {
    return new CallCase(await this.#second(), this.#second, this.#who, this.#umask, this.#differences)
  }

  umask(umask: number): CallCase {
    return new CallCase(this.#calls, this.#second, this.#who, umask, this.#differences)
  }

  /** Makes a call, expects how it ends and resolves with what it gave, if it was done. */
  async gives(outcome: Outcome, name: string, ...words: readonly Word[]): Promise<unknown> {
    const answer = await this.#call(name, words)
    const got = 'done' in answer ? 'done' : answer.errno
    if (!outcome.split('|').includes(got)) this.differs(this.#described(name, words), outcome, got)
    return 'done' in answer ? answer.done : undefined
  }

  /** Makes a call and expects what it gives. */
  async equals(value: unknown, name: string, ...words: readonly Word[]): Promise<void> {
    const answer = await this.#call(name, words)
    const got = 'done' in answer ? answer.done : answer.errno
    if (JSON.stringify(got) !== JSON.stringify(value))
      this.differs(this.#described(name, words), excerpt(value), excerpt(got))
  }

  /** Makes a call that is no subject of the test and must succeed. */
  async does(name: string, ...words: readonly Word[]): Promise<unknown> {
    const answer = await this.#call(name, words)
    if (!('done' in answer)) throw new Error(`${this.#described(name, words)}: ${answer.errno}`)
    return answer.done
  }

  /** Opens a file that must open; a descriptor. */
  async open(path: string, flags: string, mode = 0o644): Promise<number> {
    return Number(await this.does('open', path, flags, mode))
  }

  /** Makes a file of a type, which belongs to `owner` if there is one. */
  async make(type: FileType, path: string, options: { mode?: number; owner?: Identity } = {}): Promise<void> {
    await this.does('make', type, path, options.mode ?? null)
    if (options.owner === undefined) return
    await this.does('lchown', path, options.owner.uid, options.owner.gid)
    if (options.mode !== undefined && type !== 'symlink') await this.does('chmod', path, options.mode)
  }

  async remove(...paths: readonly string[]): Promise<void> {
    for (const path of paths) await this.does('remove', path)
  }

  async status(path: string | number): Promise<Status> {
    return (await this.does(typeof path === 'number' ? 'fstat' : 'lstat', path)) as Status
  }

  /** Expects some of what lstat (or fstat of a descriptor) shows; `gone` where there is nothing. */
  async shows(path: string | number, wanted: Partial<Status> | 'gone'): Promise<void> {
    const answer = await this.#call(typeof path === 'number' ? 'fstat' : 'lstat', [path])
    if (wanted === 'gone') {
      if (!('errno' in answer) || answer.errno !== 'ENOENT') this.differs(path, 'nothing', 'something')
      return
    }
    const found = 'done' in answer ? (answer.done as Status) : undefined
    for (const [field, value] of Object.entries(wanted)) {
      const got = found?.[field as keyof Status]
      if (JSON.stringify(got) !== JSON.stringify(value))
        this.differs(`${field} of ${path}`, shown(field, value), shown(field, got))
    }
  }

  /**
   * What of the times of some files an action moves, and nothing else. `?` behind a time leaves it open, as mtime does
   * with atime: a table of its own holds that.
   */
  async moves(wanted: Readonly<Record<string, readonly (Time | `${Time}?`)[]>>, action: () => Promise<unknown>) {
    const paths = Object.keys(wanted)
    const before = new Map<string, Answer>()
    for (const path of paths) before.set(path, await this.#call('lstat', [path]))
    await this.does('tick')
    await action()
    for (const path of paths)
      this.#compareTimes(path, wanted[path] ?? [], before.get(path), await this.#call('lstat', [path]))
  }

  differs(what: unknown, wanted: unknown, got: unknown): void {
    this.#differences.push(`${what}: ${wanted} expected, ${got} seen`)
  }

  /** Runs the test and fails where anything differed. */
  async run(test: (t: CallCase) => Promise<void>): Promise<void> {
    await test(this).catch(error => {
      this.#differences.push(`and then ${error instanceof Error ? error.message : String(error)}`)
    })
    const all = this.#differences
    if (all.length === 0) return
    const more = all.length > MAX_SHOWN ? [`and ${all.length - MAX_SHOWN} more`] : []
    throw new Error([`${all.length} differences`, ...all.slice(0, MAX_SHOWN), ...more].join('\n'))
  }

  #compareTimes(path: string, wanted: readonly string[], before: Answer | undefined, after: Answer): void {
    for (const time of ['atime', 'mtime', 'ctime'] as const) {
      if (wanted.includes(`${time}?`) || (time === 'atime' && wanted.includes('mtime') && !wanted.includes(time)))
        continue
      const [old, now] = [before, after].map(one => BigInt(one && 'done' in one ? (one.done as Status)[time] : 0))
      const got = old === now ? 'unmoved' : now !== undefined && old !== undefined && now > old ? 'moved' : 'back'
      const expected = wanted.includes(time) ? 'moved' : 'unmoved'
      if (got !== expected) this.differs(`${time} of ${path}`, expected, got)
    }
  }

  #call(name: string, words: readonly Word[]): Promise<Answer> {
    return this.#calls.make({ who: this.#who, umask: this.#umask, name, words })
  }

  #described(name: string, words: readonly Word[]): string {
    return `${name} ${words.map(excerpt).join(' ')} as ${this.#who.uid}`
  }
}

function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 57)}... of ${text.length}` : text
}

function shown(field: string, value: unknown): unknown {
  return field === 'mode' && typeof value === 'number' ? `0${value.toString(8)}` : JSON.stringify(value)
}

export type CallTests = Readonly<Record<string, (t: CallCase) => Promise<void>>>
