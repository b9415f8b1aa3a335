import type { ProgressCallback } from '../../bucket/progress.js'
import { formatSizeRoughly } from '../../config/quantities.js'
import { ProgressLine } from '../progress-line.js'
import type { CommandOutput } from './command-output.js'

const EVERY_MS = 200

/** What is said behind the size of something that went on where it had stopped. */
export function fromBefore(resumedBytes: number | undefined): string {
  return resumedBytes ? `, ${formatSizeRoughly(resumedBytes)} of it from before` : ''
}

interface Moving {
  doneBytes: number
  totalBytes: number | undefined
  toldMs: number
}

/** Tells on standard error how far transfers are: a bar where that is a terminal, or lines of JSON, as was asked for. */
export class TransferProgress {
  readonly #output: CommandOutput
  readonly #line: ProgressLine | undefined
  readonly #moving = new Map<string, Moving>()
  readonly #isComplete: boolean
  #settledBytes = 0

  /** `isComplete`: what is told of first is all that there is to move. */
  constructor(output: CommandOutput, isComplete: boolean) {
    this.#output = output
    this.#isComplete = isComplete
    const hasBar = output.progress === 'auto' && !output.isQuiet
    this.#line = hasBar ? ProgressLine.onTerminal(() => this.#state(), performance.now()) : undefined
  }

  /** For the library; undefined where nobody is told. */
  get callback(): ProgressCallback | undefined {
    if (this.#line === undefined && this.#output.progress !== 'json') return undefined
    return (done, total, name) => this.#moved(done, total, name)
  }

  /** A line is at the foot of the terminal, between which nothing else should be written. */
  get hasBar(): boolean {
    return this.#line !== undefined
  }

  end(): void {
    this.#line?.end()
  }

  #moved(doneBytes: number, totalBytes: number | undefined, name: string): void {
    const nowMs = performance.now()
    const moving = this.#moving.get(name) ?? { doneBytes: 0, totalBytes, toldMs: Number.NEGATIVE_INFINITY }
    moving.doneBytes = doneBytes
    const isDone = doneBytes === totalBytes
    if (this.#output.progress === 'json' && (isDone || nowMs - moving.toldMs >= EVERY_MS)) {
      moving.toldMs = nowMs
      this.#output.remark(JSON.stringify({ name, done: doneBytes, total: totalBytes }))
    }
    if (!isDone) this.#moving.set(name, moving)
    else {
      this.#moving.delete(name)
      this.#settledBytes += doneBytes
    }
  }

  #state() {
    let [doneBytes, knownBytes] = [this.#settledBytes, this.#settledBytes]
    let isComplete = this.#isComplete
    for (const moving of this.#moving.values()) {
      doneBytes += moving.doneBytes
      knownBytes += moving.totalBytes ?? moving.doneBytes
      if (moving.totalBytes === undefined) isComplete = false
    }
    return { doneBytes, knownBytes, isComplete }
  }
}
