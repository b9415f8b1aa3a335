import type { Signal } from '../../backend/call-signal.js'
import type { ObjectInfo, ObjectStore, Priority, ReadSink, Urge } from '../../backend/object-store.js'
import type { Block } from '../block.js'
import { StorePace } from '../store-pace.js'

export interface FillOptions {
  readonly priority: Priority
  /** Whether a program has come to wait for the block. */
  readonly urged: Urge | undefined
  readonly signal: Signal
}

/** Fills blocks from ranged GETs in this thread: for every store, and the way where there are few cores. */
export class MainLane {
  readonly pace = new StorePace()
  readonly #store: ObjectStore
  readonly #asking: () => (info: ObjectInfo) => void
  readonly #nowMs: () => number

  /** `asking` is called before each request, and what it gives is told what the answer's headers say of the version. */
  constructor(
    store: ObjectStore,
    asking: () => (info: ObjectInfo) => void = () => () => undefined,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#store = store
    this.#asking = asking
    this.#nowMs = nowMs
  }

  /**
   * Fills the rest of a block with one request. Bytes are handed to whoever waits as they arrive. Rejects with the
   * store's error.
   */
  async fill(block: Block, options: FillOptions): Promise<void> {
    const { source, filledBytes } = block
    const range = { offset: block.offset + filledBytes, lengthBytes: block.memory.length - filledBytes }
    const plan = await this.#store.prepareRead(source.key, range, { ...options, ifMatch: source.etag })
    const tell = this.#asking()
    const sink = new BlockSink(block, this.#nowMs)
    const beganMs = this.#nowMs()
    tell(await plan.run(sink, options.signal))
    const endedMs = this.#nowMs()
    const firstByteMs = (sink.firstByteMs ?? endedMs) - beganMs
    this.pace.measured(endedMs, range.lengthBytes, firstByteMs, endedMs - beganMs)
  }
}

class BlockSink implements ReadSink {
  readonly #block: Block
  readonly #nowMs: () => number
  firstByteMs: number | undefined

  constructor(block: Block, nowMs: () => number) {
    this.#block = block
    this.#nowMs = nowMs
  }

  free(): Uint8Array {
    return this.#block.free()
  }

  advance(bytes: number): void {
    this.firstByteMs ??= this.#nowMs()
    this.#block.advance(bytes)
  }
}
