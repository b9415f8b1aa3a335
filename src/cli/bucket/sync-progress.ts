import { ProgressLine } from '../progress-line.js'
import type { CommandOutput } from './command-output.js'

const JSON_EVERY_MS = 500

/** How far a sync is, as its user wants to be told: a bar, lines of JSON on standard error, or nothing. */
export class SyncProgress {
  readonly #line: ProgressLine | undefined
  readonly #timer: NodeJS.Timeout | undefined
  #doneBytes = 0
  #totalBytes: number | undefined
  #name = ''
  #isNew = false

  constructor({ progress, isQuiet }: CommandOutput) {
    const isBar = progress === 'auto' && !isQuiet
    this.#line = isBar ? ProgressLine.onTerminal(() => this.#shown, performance.now()) : undefined
    this.#timer = progress === 'json' ? setInterval(() => this.#writeJson(), JSON_EVERY_MS) : undefined
  }

  /** For `onProgress` of the library. */
  readonly report = (doneBytes: number, totalBytes: number | undefined, name: string): void => {
    this.#doneBytes = doneBytes
    this.#totalBytes = totalBytes
    this.#name = name
    this.#isNew = true
  }

  end(): void {
    this.#line?.end()
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    this.#writeJson()
  }

  get #shown() {
    const [doneBytes, totalBytes] = [this.#doneBytes, this.#totalBytes]
    return { doneBytes, knownBytes: totalBytes ?? doneBytes, isComplete: totalBytes !== undefined }
  }

  #writeJson(): void {
    if (!this.#isNew) return
    this.#isNew = false
    const line = { name: this.#name, done: this.#doneBytes, total: this.#totalBytes }
    process.stderr.write(`${JSON.stringify(line)}\n`)
  }
}
