import { abandonable, leavable, leaverOf } from './mutex.js'
import type { Leaver } from './operations.js'

/** Asked anew after every wait, since a move changes the paths of what it moves. */
type Paths = () => readonly string[]

interface Move {
  readonly paths: readonly string[]
  readonly ended: Promise<void>
}

/**
 * Keeps changes of the bucket out of folders that are being moved. Reading, and writing what isn't stored yet, goes on.
 *
 * Lock order: first a place here, then locks of nodes. Nobody who holds a node's lock, or has a place here already, may
 * ask for a place: so a move, which waits for all changes in its folders to end and then takes locks of nodes in them,
 * never waits for somebody who waits for it. Only a move takes the locks of several nodes below its folder, and whoever
 * else takes two (removing, renaming) has a place here, so that their order does not matter within the folder.
 * Invariant: no change and no other move is under way at, above or below a path of a move that has begun.
 */
export class Moving {
  readonly #moves = new Set<Move>()
  readonly #changes = new Set<Paths>()
  #departures: (() => void)[] = []

  /** Runs a change of what is stored at these paths, behind a move that concerns them. EINTR if it never began. */
  async change<T>(paths: Paths, task: () => Promise<T>, leaver?: Leaver): Promise<T> {
    if (this.#moves.size > 0) await this.#behindMoves(paths, leaver)
    this.#changes.add(paths)
    try {
      return await task()
    } finally {
      this.#changes.delete(paths)
      this.#departed()
    }
  }

  /**
   * Runs `task` while nothing else changes at or below these paths, which are prefixes without their trailing slash.
   * `closed` is called as soon as no further change begins: changes under way may be asked to hurry. EINTR if it never
   * began.
   */
  async move<T>(
    paths: Paths,
    task: () => Promise<T>,
    { closed, signal }: { readonly closed: () => void; readonly signal: AbortSignal },
  ): Promise<T> {
    await this.#behindMoves(paths, leaverOf(signal))
    let end = () => {}
    const ended = new Promise<void>(resolve => {
      end = resolve
    })
    const move: Move = { paths: paths(), ended }
    this.#moves.add(move)
    try {
      closed()
      while ([...this.#changes].some(change => overlap(change(), move.paths)))
        await abandonable(new Promise<void>(resolve => this.#departures.push(resolve)), signal)
      return await task()
    } finally {
      this.#moves.delete(move)
      end()
    }
  }

  async #behindMoves(paths: Paths, leaver: Leaver | undefined): Promise<void> {
    for (;;) {
      if (this.#moves.size === 0) return
      const move = [...this.#moves].find(other => overlap(paths(), other.paths))
      if (move === undefined) return
      await (leaver === undefined ? move.ended : leavable(move.ended, leaver))
    }
  }

  #departed(): void {
    const departures = this.#departures
    this.#departures = []
    for (const resolve of departures) resolve()
  }
}

/** One of them is, or is above, one of the others. */
function overlap(paths: readonly string[], others: readonly string[]): boolean {
  return paths.some(path => others.some(other => isWithin(path, other) || isWithin(other, path)))
}

function isWithin(path: string, folder: string): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`)
}
