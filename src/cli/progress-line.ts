import { formatSizeRoughly } from '../config/quantities.js'

const EVERY_MS = 200
const BAR_WIDTH = 24
const MAX_SHOWN_SECONDS = 99 * 3600

/** How far a piece of work is that moves bytes. */
export interface BytesMoved {
  readonly doneBytes: number
  /** Of all that is known so far. */
  readonly knownBytes: number
  /** No more will be found. */
  readonly isComplete: boolean
}

/** One line at the foot of a terminal that is written anew while the work goes on. */
export class ProgressLine {
  readonly #timer: NodeJS.Timeout

  private constructor(line: () => string) {
    this.#timer = setInterval(() => process.stderr.write(`\r${line()}\x1b[K`), EVERY_MS)
  }

  /** Undefined where standard error is no terminal. `startedMs` is of performance.now. */
  static onTerminal(progress: () => BytesMoved, startedMs: number): ProgressLine | undefined {
    if (!process.stderr.isTTY) return undefined
    return new ProgressLine(() => progressText(progress(), performance.now() - startedMs))
  }

  /** Takes the line away. */
  end(): void {
    clearInterval(this.#timer)
    process.stderr.write('\r\x1b[K')
  }
}

/** `[######------]  50%  1.0G of 2.0G  512M/s  0:02 left`; while files are still being found, how much is not known. */
export function progressText(progress: BytesMoved, elapsedMs: number): string {
  const { doneBytes, knownBytes, isComplete } = progress
  const perSecond = doneBytes / Math.max(0.001, elapsedMs / 1000)
  const rate = `${formatSizeRoughly(Math.round(perSecond))}/s`
  if (!isComplete) return `${formatSizeRoughly(doneBytes)} of at least ${formatSizeRoughly(knownBytes)}  ${rate}`
  const share = knownBytes === 0 ? 1 : Math.min(1, doneBytes / knownBytes)
  const done = Math.round(share * BAR_WIDTH)
  const bar = `[${'#'.repeat(done)}${'-'.repeat(BAR_WIDTH - done)}]`
  const percent = `${Math.floor(share * 100)}%`.padStart(4)
  const sizes = `${formatSizeRoughly(doneBytes)} of ${formatSizeRoughly(knownBytes)}`
  return `${bar} ${percent}  ${sizes}  ${rate}  ${timeLeft((knownBytes - doneBytes) / perSecond)}`
}

function timeLeft(seconds: number): string {
  if (!(seconds >= 0 && seconds < MAX_SHOWN_SECONDS)) return ''
  const whole = Math.ceil(seconds)
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  const tail = String(whole % 60).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail} left` : `${minutes}:${tail} left`
}
