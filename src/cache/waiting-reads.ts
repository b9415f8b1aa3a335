import { onAbort } from '../backend/call.js'
import type { Block, BlockSource } from './block.js'

interface WaitingRead {
  readonly source: BlockSource
  readonly offset: number
  readonly end: number
  readonly resolve: (blocks: readonly Block[]) => void
  readonly reject: (error: unknown) => void
  /** The reader's signal matters no more. */
  readonly forget: () => void
}

/** What is to be given up for those who wait may be old enough by then, though nobody has given anything back. */
const AGAIN_MS = 1000

/** Holds the blocks of a range, if there is room for them. */
export type Hold = (source: BlockSource, offset: number, end: number) => readonly Block[] | undefined

/** Reads for which there is no room yet, in line. */
export class WaitingReads {
  readonly #hold: Hold
  readonly #line: WaitingRead[] = []
  #isServing = false
  #again: NodeJS.Timeout | undefined

  constructor(hold: Hold) {
    this.#hold = hold
  }

  get isEmpty(): boolean {
    return this.#line.length === 0
  }

  /** Resolves with blocks that are held. Rejects with the signal's reason. */
  wait(source: BlockSource, offset: number, end: number, signal?: AbortSignal): Promise<readonly Block[]> {
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const forget = onAbort(signal, () => {
        this.#line.splice(this.#line.indexOf(waiting), 1)
        reject(signal?.reason)
        this.serve()
      })
      const waiting: WaitingRead = { source, offset, end, resolve, reject, forget }
      this.#line.push(waiting)
      this.#again ??= setInterval(() => this.serve(), AGAIN_MS).unref()
    })
  }

  /** There may be room: whoever is first gets it. */
  serve(): void {
    if (this.#isServing) return
    this.#isServing = true
    for (let first = this.#line[0]; first !== undefined; first = this.#line[0]) {
      try {
        const blocks = this.#hold(first.source, first.offset, first.end)
        if (blocks === undefined) break
        first.resolve(blocks)
      } catch (error) {
        first.reject(error)
      }
      first.forget()
      this.#line.shift()
    }
    if (this.isEmpty) {
      clearInterval(this.#again)
      this.#again = undefined
    }
    this.#isServing = false
  }
}
