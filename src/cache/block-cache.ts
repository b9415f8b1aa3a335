import { LRUCache } from 'lru-cache'
import type { Priority } from '../backend/object-store.js'
import { StoreError } from '../backend/store-error.js'
import { Block } from './block.js'
import type { BlockSource, MainLane } from './lanes/main-lane.js'
import type { ReadReply } from './lanes/read-reply.js'

export interface BlockCacheOptions {
  readonly lane: MainLane
  /** Bound of all complete blocks together; as much again at the most is being filled by read-ahead. */
  readonly maxBytes: number
  readonly blockSizeBytes: number
}

/** Blocks that are being filled by one request. */
interface Span {
  readonly blocks: readonly Block[]
  readonly controller: AbortController
  /** Whose read-ahead it is; undefined when a program waits for it. */
  readonly owner: object | undefined
  /** Never rejects. */
  ended: Promise<void>
}

/**
 * Blocks of objects in memory, by version, so that they can't be stale. No block is fetched twice at the same time.
 *
 * Invariant: a block is in `#loading` from the moment it is asked for until it is complete or has failed, and in
 * `#ready` from then on until it is evicted; never in both.
 */
export class BlockCache {
  readonly blockSizeBytes: number
  readonly #lane: MainLane
  readonly #maxBytes: number
  readonly #ready: LRUCache<string, Block>
  readonly #loading = new Map<string, Block>()
  readonly #spans = new Set<Span>()
  readonly #pool: Buffer[] = []
  readonly #poolLimit: number
  #readAheadBytes = 0

  constructor(options: BlockCacheOptions) {
    this.#lane = options.lane
    this.#maxBytes = options.maxBytes
    this.blockSizeBytes = options.blockSizeBytes
    this.#poolLimit = Math.ceil(options.maxBytes / options.blockSizeBytes / 4)
    this.#ready = new LRUCache({
      maxSize: options.maxBytes,
      sizeCalculation: block => Math.max(block.memory.length, 1024),
      dispose: block => block.drop(),
    })
  }

  /** Bytes held in complete blocks. */
  get heldBytes(): number {
    return this.#ready.calculatedSize
  }

  /**
   * Answers a read of `sizeBytes` bytes at `offset`, cut at the end of the object, with views of the blocks.
   * Rejects with the store's error, and when `signal` fires with kind `aborted`; then nothing was sent.
   */
  async read(
    source: BlockSource,
    offset: number,
    sizeBytes: number,
    reply: ReadReply,
    signal?: AbortSignal,
  ): Promise<void> {
    const end = Math.min(offset + sizeBytes, source.sizeBytes)
    if (end <= offset) return reply.send([], () => undefined)
    const blocks = this.#blocksOf(source, offset, end, undefined)
    for (const block of blocks) block.pin()
    const release = () => {
      for (const block of blocks) block.unpin()
    }
    try {
      for (const block of blocks) {
        const needed = Math.min(end - block.offset, block.memory.length)
        if (block.filledBytes < needed) await block.whenFilled(needed, signal)
      }
    } catch (error) {
      release()
      throw signal?.aborted === true
        ? new StoreError('aborted', 'the read was given up', { key: source.key, operation: 'get', cause: error })
        : error
    }
    const views = blocks.map(block =>
      block.memory.subarray(Math.max(0, offset - block.offset), Math.min(end - block.offset, block.memory.length)),
    )
    reply.send(views, release)
  }

  /** The same bytes in memory of their own, for callers that put them together with others. */
  async readBytes(source: BlockSource, offset: number, sizeBytes: number, signal?: AbortSignal): Promise<Buffer> {
    let bytes = Buffer.alloc(0)
    const reply: ReadReply = {
      send: (views, release) => {
        bytes = Buffer.concat(views)
        release()
      },
    }
    await this.read(source, offset, sizeBytes, reply, signal)
    return bytes
  }

  /** Resolves when the request that brings the block at `offset` has ended, with its headers told to whoever listens. */
  async fetch(source: BlockSource, offset: number): Promise<void> {
    const [block] = this.#blocksOf(source, offset, Math.min(offset + 1, source.sizeBytes), undefined)
    if (block === undefined || block.isComplete) return
    block.pin()
    try {
      await block.whenFilled(block.memory.length)
      await Promise.all([...this.#spans].filter(span => span.blocks.includes(block)).map(span => span.ended))
    } finally {
      block.unpin()
    }
  }

  /**
   * Begins to fetch a range for `owner` without waiting, unless read-ahead already holds its share of memory.
   * Returns the end of what is there or on its way.
   */
  readAhead(source: BlockSource, offset: number, sizeBytes: number, owner: object): number {
    const end = Math.min(offset + sizeBytes, source.sizeBytes)
    if (end <= offset) return offset
    if (this.#readAheadBytes + (end - offset) > this.#maxBytes / 2) return offset
    this.#blocksOf(source, offset, end, owner)
    return end
  }

  /** Ends the read-ahead of an owner, except what a program waits for by now. */
  cancelReadAhead(owner: object): void {
    for (const span of this.#spans) {
      if (span.owner !== owner || span.blocks.some(block => block.isPinned)) continue
      for (const block of span.blocks) this.#loading.delete(block.id)
      span.controller.abort(new StoreError('aborted', 'nobody reads on', { operation: 'get' }))
    }
  }

  #blocksOf(source: BlockSource, offset: number, end: number, owner: object | undefined): Block[] {
    const blocks: Block[] = []
    let missing: Block[] = []
    const size = this.blockSizeBytes
    const objectId = `${source.key}\0${source.etag}\0`
    for (let index = Math.floor(offset / size); index * size < end; index++) {
      const id = objectId + index
      const known = this.#ready.get(id) ?? this.#loading.get(id)
      if (known !== undefined) {
        if (missing.length > 0) this.#start(source, missing, owner)
        missing = []
        blocks.push(known)
        continue
      }
      const length = Math.min(size, source.sizeBytes - index * size)
      const block = new Block(id, index * size, this.#allocate(length), this.#recycle)
      this.#loading.set(id, block)
      missing.push(block)
      blocks.push(block)
    }
    if (missing.length > 0) this.#start(source, missing, owner)
    return blocks
  }

  #start(source: BlockSource, blocks: readonly Block[], owner: object | undefined): void {
    const span: Span = { blocks, controller: new AbortController(), owner, ended: Promise.resolve() }
    const spanBytes = blocks.reduce((sum, block) => sum + block.memory.length, 0)
    const priority: Priority = owner === undefined ? 'demand' : 'read-ahead'
    this.#spans.add(span)
    if (owner !== undefined) this.#readAheadBytes += spanBytes
    const finish = () => {
      this.#spans.delete(span)
      if (owner !== undefined) this.#readAheadBytes -= spanBytes
      for (const block of blocks) {
        const isCurrent = this.#loading.get(block.id) === block
        if (isCurrent) this.#loading.delete(block.id)
        if (isCurrent && block.isComplete) this.#ready.set(block.id, block)
        else block.drop()
      }
    }
    // A failure reaches whoever waits for the blocks; read-ahead that nobody waits for may fail unheard.
    const filled = this.#lane.fill(source, blocks, { priority, signal: span.controller.signal })
    span.ended = filled.then(finish, finish)
  }

  #allocate(length: number): Buffer {
    if (length === this.blockSizeBytes) return this.#pool.pop() ?? Buffer.allocUnsafeSlow(length)
    return Buffer.allocUnsafeSlow(length)
  }

  readonly #recycle = (memory: Buffer): void => {
    if (memory.length === this.blockSizeBytes && this.#pool.length < this.#poolLimit) this.#pool.push(memory)
  }
}
