import type { ObjectInfo, ObjectStore, Priority, ReadSink } from '../../backend/object-store.js'
import type { Block } from '../block.js'

/** The version of an object whose blocks are filled. */
export interface BlockSource {
  readonly key: string
  readonly etag: string
  readonly sizeBytes: number
}

export interface FillOptions {
  readonly priority: Priority
  readonly signal: AbortSignal
}

/** Fills blocks from ranged GETs in this thread: for every store, and the way where there are few cores. */
export class MainLane {
  readonly #store: ObjectStore
  readonly #asking: () => (info: ObjectInfo) => void

  /** `asking` is called before each request, and what it gives is told what the answer's headers say of the version. */
  constructor(store: ObjectStore, asking: () => (info: ObjectInfo) => void = () => () => undefined) {
    this.#store = store
    this.#asking = asking
  }

  /**
   * Fills consecutive blocks with one request. Bytes are handed to whoever waits as they arrive. Blocks that were
   * not filled completely fail with what went wrong, and so does the promise.
   */
  async fill(source: BlockSource, blocks: readonly Block[], options: FillOptions): Promise<void> {
    const first = blocks[0]
    const last = blocks.at(-1)
    if (first === undefined || last === undefined) return
    const range = { offset: first.offset, lengthBytes: last.offset + last.memory.length - first.offset }
    try {
      const plan = await this.#store.prepareRead(source.key, range, {
        ifMatch: source.etag,
        priority: options.priority,
        signal: options.signal,
      })
      const tell = this.#asking()
      tell(await plan.run(new BlockSink(blocks), options.signal))
    } catch (error) {
      for (const block of blocks) if (!block.isComplete) block.fail(error)
      throw error
    }
  }
}

class BlockSink implements ReadSink {
  readonly #blocks: readonly Block[]
  #index = 0

  constructor(blocks: readonly Block[]) {
    this.#blocks = blocks
  }

  free(): Uint8Array {
    return this.#blocks[this.#index]?.free() ?? new Uint8Array(0)
  }

  advance(bytes: number): void {
    const block = this.#blocks[this.#index]
    block?.advance(bytes)
    if (block?.isComplete === true) this.#index += 1
  }
}
