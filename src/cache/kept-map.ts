import { appendFile, open, readFile, rename, rm } from 'node:fs/promises'
import { LRUCache } from 'lru-cache'
import type { Log } from '../backend/log.js'
import { SYSTEM_TIMERS, type Timers } from '../backend/timers.js'

/** How values stand in the file. */
export interface KeptFormat<Value> {
  /** The first line of the file; a file with another one is not read. */
  readonly title: string
  /** As JSON; undefined for what is not to outlive the process. */
  write(value: Value): unknown
  /** Undefined for what is no such value. */
  read(json: unknown): Value | undefined
  /** Without it, what a process has left that did not end in order counts as any other. */
  readonly afterDeath?: AfterDeath<Value>
}

/** A process that dies takes its latest changes with it, and the file then says what was true before them. */
interface AfterDeath<Value> {
  /** What a value counts for when all that happened until `untilMs` (since 1970) stands in the file. */
  doubted(value: Value, untilMs: number): Value
  /** Once nothing has changed for so long, the file says so: whoever dies then leaves no doubts. */
  readonly withinMs: number
}

export interface KeptMapOptions<Value> {
  readonly maxEntries: number
  readonly path: string
  readonly format: KeptFormat<Value>
  readonly log: Log
  /** Default: the system's. */
  readonly timers?: Timers | undefined
  /** Milliseconds since 1970; default: the system's. */
  readonly nowMs?: (() => number) | undefined
}

/** Changes are written together after so long. */
const WRITE_DELAY_MS = 500

/** Names whose change is to be written; with more the whole map is written anew. */
const MAX_PENDING = 10_000

/** Lines that are made at a time, so that other work goes on between. */
const LINES_AT_ONCE = 1000

/** The last line of a process that ended in order. */
const END = 'end'

/** A shorter file is not worth writing anew. */
const MIN_COMPACTED_LINES = 200

/**
 * A bounded map, least recently used first out, that a file outlives the process with: a line of JSON, `[name, value]`
 * or `[name]`, for each change, written in the background. It is knowledge that can be had anew: a damaged line is
 * skipped, and a disk that fails is logged once and costs what the file held. Where the format wants to know what a death
 * left out, a line of milliseconds says until when all changes stand above it, and a last one that the process ended in order.
 *
 * Invariant: one link of `#work` at a time touches the file and none rejects; a change is in the file, in `#pending`, or `#isRewriteDue`.
 */
export class KeptMap<Value extends object> {
  readonly #entries: LRUCache<string, Value>
  readonly #file: KeptMapOptions<Value> | undefined
  readonly #timers: Timers
  readonly #pending = new Set<string>()
  #isRewriteDue = false
  #isOff = false
  #lines = 0
  #work: Promise<void> = Promise.resolve()
  #cancelTimer: (() => void) | undefined
  #cancelMark: (() => void) | undefined

  /** Without a file it lives as long as the process. */
  constructor(maxEntries: number, file?: KeptMapOptions<Value>) {
    this.#entries = new LRUCache({ max: Math.max(1, maxEntries) })
    this.#file = file
    this.#timers = file?.timers ?? SYSTEM_TIMERS
  }

  static async open<Value extends object>(options: KeptMapOptions<Value>): Promise<KeptMap<Value>> {
    const map = new KeptMap<Value>(options.maxEntries, options)
    await map.#load(options)
    return map
  }

  get size(): number {
    return this.#entries.size
  }

  get(name: string): Value | undefined {
    return this.#entries.get(name)
  }

  set(name: string, value: Value): void {
    this.#entries.set(name, value)
    this.#changed(name)
  }

  delete(name: string): void {
    if (this.#entries.delete(name)) this.#changed(name)
  }

  /** All names, in no order. */
  names(): string[] {
    return [...this.#entries.keys()]
  }

  /** Writes what is due; later changes stay in memory. */
  async close(): Promise<void> {
    this.#cancelTimer?.()
    await this.#work
    await this.#write(true)
    this.#cancelMark?.()
    this.#isOff = true
  }

  #changed(name: string): void {
    if (this.#file === undefined || this.#isOff) return
    if (this.#pending.size < MAX_PENDING) this.#pending.add(name)
    else this.#isRewriteDue = true
    this.#cancelTimer ??= this.#timers.after(WRITE_DELAY_MS, () => {
      this.#cancelTimer = undefined
      this.#writeSoon()
    })
  }

  #writeSoon(): void {
    this.#work = this.#work.then(() => this.#write())
  }

  async #write(isEnd = false): Promise<void> {
    if (this.#file === undefined || this.#isOff) return
    const { path, log } = this.#file
    try {
      const mark = this.#mark(isEnd)
      const names = [...this.#pending]
      this.#pending.clear()
      if (this.#lines + names.length > Math.max(2 * this.#entries.size, MIN_COMPACTED_LINES)) this.#isRewriteDue = true
      if (this.#isRewriteDue) await this.#rewrite(path, mark)
      else await this.#append(path, names, mark)
      if (names.length > 0) this.#markLater()
    } catch (error) {
      this.#isOff = true
      this.#pending.clear()
      log.warn('what is known of the bucket can not be kept for the next mount', { path, error })
      // Half of the changes would be untrue.
      for (const left of [path, `${path}.new`])
        await rm(left, { force: true }).catch((cause: unknown) =>
          log.debug('not removed', { path: left, error: cause }),
        )
    }
  }

  /** The line that says until when all changes stand above it: what changes from here on may not. */
  #mark(isEnd: boolean): string {
    const { format, nowMs = Date.now } = this.#file ?? {}
    return format?.afterDeath === undefined ? '' : `${JSON.stringify(isEnd ? END : nowMs())}\n`
  }

  #markLater(): void {
    const { afterDeath } = this.#file?.format ?? {}
    if (afterDeath === undefined) return
    this.#cancelMark?.()
    this.#cancelMark = this.#timers.after(afterDeath.withinMs, () => this.#writeSoon())
  }

  async #append(path: string, names: readonly string[], mark: string): Promise<void> {
    for (const text of this.#texts(names, mark)) await appendFile(path, text, { mode: 0o600 })
    this.#lines += names.length + (mark === '' ? 0 : 1)
  }

  async #rewrite(path: string, mark: string): Promise<void> {
    this.#isRewriteDue = false
    // Least recently used first, as they were written: so the bound drops the right ones when the file is read.
    const names = [...this.#entries.rkeys()]
    const temporary = `${path}.new`
    await rm(temporary, { force: true })
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(this.#file?.format.title)}\n`)
      for (const text of this.#texts(names, mark)) await file.appendFile(text)
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    this.#lines = names.length
  }

  *#texts(names: readonly string[], mark: string): Generator<string> {
    for (let at = 0; at < names.length; at += LINES_AT_ONCE) yield this.#text(names.slice(at, at + LINES_AT_ONCE))
    if (mark !== '') yield mark
  }

  /** The lines that say what is true of these names now. */
  #text(names: readonly string[]): string {
    return names
      .map(name => {
        const value = this.#entries.peek(name)
        const json = value === undefined ? undefined : this.#file?.format.write(value)
        return `${JSON.stringify(json === undefined ? [name] : [name, json])}\n`
      })
      .join('')
  }

  async #load({ path, format, log }: KeptMapOptions<Value>): Promise<void> {
    const lines = (await readText(path, log)).split('\n')
    const isWhole = lines.pop() === ''
    this.#isRewriteDue = !isWhole || parse(lines[0] ?? '') !== format.title
    if (parse(lines[0] ?? '') !== format.title) return
    let untilMs = Number.NEGATIVE_INFINITY
    let isEnd = false
    for (const line of lines.slice(1)) {
      const json = parse(line)
      isEnd = json === END && isWhole
      if (typeof json === 'number') untilMs = json
      const [name, value] = Array.isArray(json) ? (json as unknown[]) : []
      if (typeof name !== 'string') continue
      const read = value === undefined ? undefined : format.read(value)
      if (read === undefined) this.#entries.delete(name)
      else this.#entries.set(name, read)
    }
    this.#lines = lines.length - 1
    if (!isEnd) this.#doubt(format.afterDeath, untilMs)
    // From here on it is this process that may die.
    else await this.#write()
  }

  #doubt(afterDeath: AfterDeath<Value> | undefined, untilMs: number): void {
    if (afterDeath === undefined) return
    for (const name of [...this.#entries.rkeys()]) {
      const value = this.#entries.peek(name)
      const doubted = value && afterDeath.doubted(value, untilMs)
      if (doubted !== undefined && doubted !== value) this.set(name, doubted)
    }
  }
}

async function readText(path: string, log: Log): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      log.warn('what the last mount knew of the bucket can not be read', { path, error })
    return ''
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    // Cut off or damaged: nothing is known by it.
    return undefined
  }
}
