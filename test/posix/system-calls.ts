import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const PROGRAM = join(import.meta.dirname, 'system-calls.py')

/** Who calls. `groups` are the supplementary ones. */
export interface Identity {
  readonly uid: number
  readonly gid: number
  readonly groups?: readonly number[]
}

export const ROOT: Identity = { uid: 0, gid: 0 }
/** What a file belongs to in most tests, somebody else in its group, and anybody. */
export const OWNER: Identity = { uid: 1501, gid: 1601 }
export const MEMBER: Identity = { uid: 1502, gid: 1602, groups: [1601] }
export const OTHER: Identity = { uid: 1503, gid: 1603 }

/** An address that no memory has. */
export const BAD_ADDRESS = { bad: true }

export type Word = string | number | null | typeof BAD_ADDRESS | readonly (number | string)[]

export interface Call {
  readonly who: Identity
  readonly umask: number
  readonly name: string
  readonly words: readonly Word[]
}

export type Answer = { readonly done: unknown } | { readonly errno: string }

interface Waiting {
  readonly resolve: (line: string) => void
  readonly reject: (error: Error) => void
}

/** A process that makes system calls for tests, one after the other, as whoever a test wants it to be. */
export class SystemCalls {
  readonly #child: ChildProcess
  readonly #waiting: Waiting[] = []
  #ended: Error | undefined

  constructor() {
    this.#child = spawn('/usr/bin/python3', [PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child.once('error', error => this.#end(error))
    this.#child.once('close', code => this.#end(new Error(`system-calls.py ended with ${code}`)))
    if (this.#child.stdout !== null)
      createInterface(this.#child.stdout).on('line', line => this.#waiting.shift()?.resolve(line))
  }

  async make(call: Call): Promise<Answer> {
    const { who, umask, name, words } = call
    const request = { who: [who.uid, who.gid, who.groups ?? []], umask, call: name, words }
    const line = await new Promise<string>((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended)
      this.#waiting.push({ resolve, reject })
      this.#child.stdin?.write(`${JSON.stringify(request)}\n`)
    })
    return JSON.parse(line) as Answer
  }

  /** A call of a test that gave up has not ended: nothing else can be asked of this process. */
  get isStuck(): boolean {
    return this.#waiting.length > 0 || this.#ended !== undefined
  }

  async stop(): Promise<void> {
    if (this.#ended !== undefined) return
    if (this.isStuck) this.#child.kill('SIGKILL')
    else this.#child.stdin?.end()
    await once(this.#child, 'close')
  }

  #end(error: Error): void {
    this.#ended ??= error
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
