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
}

export interface KeptMapOptions<Value> {
  readonly maxEntries: number
  readonly path: string
  readonly format: KeptFormat<Value>
  readonly log: Log
  /** Default: the system's. */
  readonly timers?: Timers | undefined
}

/** Changes are written together after so long. */
const WRITE_DELAY_MS = 500

/** Names whose change is to be written; with more the whole map is written anew. */
const MAX_PENDING = 10_000

/** Lines that are made at a time, so that other work goes on between. */
const LINES_AT_ONCE = 1000

/** A shorter file is not worth writing anew. */
const MIN_COMPACTED_LINES = 200

/**
 * A bounded map, least recently used first out, that a file outlives the process with: a line of JSON, `[name, value]`
 * or `[name]`, for each change, written in the background. It is knowledge that can be had anew: a damaged line is
 * skipped, and a disk that fails is logged once and costs what the file held.
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
    await this.#write()
    this.#isOff = true
  }

  #changed(name: string): void {
    if (this.#file === undefined || this.#isOff) return
    if (this.#pending.size < MAX_PENDING) this.#pending.add(name)
    else this.#isRewriteDue = true
    this.#cancelTimer ??= this.#timers.after(WRITE_DELAY_MS, () => {
      this.#cancelTimer = undefined
      this.#work = this.#work.then(() => this.#write())
    })
  }

  async #write(): Promise<void> {
    if (this.#file === undefined || this.#isOff) return
    const { path, log } = this.#file
    try {
      const names = [...this.#pending]
      this.#pending.clear()
      if (this.#lines + names.length > Math.max(2 * this.#entries.size, MIN_COMPACTED_LINES)) this.#isRewriteDue = true
      if (this.#isRewriteDue) await this.#rewrite(path)
      else if (names.length > 0) await this.#append(path, names)
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

  async #append(path: string, names: readonly string[]): Promise<void> {
    for (let at = 0; at < names.length; at += LINES_AT_ONCE)
      await appendFile(path, this.#text(names.slice(at, at + LINES_AT_ONCE)), { mode: 0o600 })
    this.#lines += names.length
  }

  async #rewrite(path: string): Promise<void> {
    this.#isRewriteDue = false
    // Least recently used first, as they were written: so the bound drops the right ones when the file is read.
    const names = [...this.#entries.rkeys()]
    const temporary = `${path}.new`
    await rm(temporary, { force: true })
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(this.#file?.format.title)}\n`)
      for (let at = 0; at < names.length; at += LINES_AT_ONCE)
        await file.appendFile(this.#text(names.slice(at, at + LINES_AT_ONCE)))
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    this.#lines = names.length
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
    for (const line of lines.slice(1)) {
      const json = parse(line)
      const [name, value] = Array.isArray(json) ? (json as unknown[]) : []
      if (typeof name !== 'string') continue
      const read = value === undefined ? undefined : format.read(value)
      if (read === undefined) this.#entries.delete(name)
      else this.#entries.set(name, read)
    }
    this.#lines = lines.length - 1
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
