import { once } from 'node:events'
import { complainAs } from '../output.js'
import type { CommonFlags } from './program.js'

/** How a command says what it found and did: results on standard output, all else on standard error. */
export class CommandOutput {
  /** Results are wanted as JSON. */
  readonly isJson: boolean
  readonly isQuiet: boolean
  readonly progress: 'auto' | 'json' | 'never'

  constructor({ json, quiet, progress }: CommonFlags) {
    this.isJson = json === true
    this.isQuiet = quiet === true
    this.progress = progress ?? 'auto'
  }

  /** Lines of a result, which are also wanted of a quiet command. */
  print(...lines: readonly string[]): void {
    process.stdout.write(lines.map(line => `${line}\n`).join(''))
  }

  /** The same, once whoever reads it has taken enough of what was said before. */
  async printed(...lines: readonly string[]): Promise<void> {
    if (!process.stdout.write(lines.map(line => `${line}\n`).join(''))) await once(process.stdout, 'drain')
  }

  /** A result as one JSON value. */
  printJson(value: unknown): void {
    this.print(JSON.stringify(value, undefined, 2))
  }

  /** Lines about what was done, for a person: not wanted of a quiet command, nor beside JSON. */
  note(...lines: readonly string[]): void {
    if (!this.isQuiet && !this.isJson) this.print(...lines)
  }

  /** Lines on standard error about what is wrong. */
  complain(...lines: readonly string[]): void {
    complainAs('bucket', ...lines)
  }

  /** A line on standard error as it is, without the name of the program. */
  remark(line: string): void {
    process.stderr.write(`${line}\n`)
  }
}
