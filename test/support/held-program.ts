import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

/**
 * A program that tells by a line on standard error how far it is, and goes on when it is given a line. It ends with
 * the test at the latest: its standard input ends with this process.
 */
export class HeldProgram {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #lines: AsyncIterator<string>
  readonly #closed: Promise<unknown>
  #stdout = ''

  private constructor(folder: string, program: string, words: readonly string[]) {
    this.#child = spawn(program, words, { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] })
    this.#lines = createInterface(this.#child.stderr)[Symbol.asyncIterator]()
    this.#child.stdout.on('data', chunk => {
      this.#stdout += chunk
    })
    // A program that was killed reads no more.
    this.#child.stdin.on('error', () => undefined)
    this.#closed = once(this.#child, 'close')
  }

  static shell(folder: string, script: string): HeldProgram {
    return new HeldProgram(folder, '/bin/sh', ['-ec', script])
  }

  /** `os` and `sys` are imported; `hold()` tells a line and waits for one. */
  static python(folder: string, script: string): HeldProgram {
    const hold = 'def hold(): print("held", file=sys.stderr, flush=True); sys.stdin.readline()'
    return new HeldProgram(folder, '/usr/bin/python3', ['-c', `import os, sys\n${hold}\n${script}`])
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the program did not start')
    return this.#child.pid
  }

  /** Resolves when the program has told a line. */
  async line(): Promise<string> {
    const { done, value } = await this.#lines.next()
    if (done === true) throw new Error('the program ended before it was expected to')
    return value
  }

  /** Lets the program go on. */
  go(): void {
    this.#child.stdin.write('\n')
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Lets it go on; resolves when it has ended, with what it printed. */
  async finish(): Promise<string> {
    this.#child.stdin.end('\n')
    return this.ended()
  }

  /** What it printed; rejects unless it ended with 0. */
  async ended(): Promise<string> {
    await this.#closed
    const { exitCode, signalCode } = this.#child
    if (exitCode === 0) return this.#stdout
    throw new Error(`the program ended with ${exitCode ?? signalCode}: ${(await this.#lines.next()).value ?? ''}`)
  }

  /** Resolves with the exit code or the signal. */
  async end(): Promise<number | string | null> {
    await this.#closed
    return this.#child.exitCode ?? this.#child.signalCode
  }
}
