import { CallSignal } from '../backend/call-signal.js'
import { StoreError } from '../backend/store-error.js'
import { Urging } from '../backend/urge.js'
import { Block, type BlockSource } from './block.js'
import {
  answeredElsewhere,
  type Caller,
  givenUp,
  handOver,
  haveUpTo,
  isWorthHanding,
  viewsOf,
  type WantedBytes,
} from './block-answer.js'
import { OwnBuffers } from './block-buffers.js'
import type { BlockCacheOptions } from './block-cache-options.js'
import { BlockIndex, type Gap } from './block-index.js'
import type { BlockLoad } from './block-load.js'
import { BlockMemory } from './block-memory.js'
import { BlockShelves, type Need } from './block-shelves.js'
import type { AnsweringThreads } from './lanes/answering-threads.js'
import type { MainLane } from './lanes/main-lane.js'
import type { ReadReply } from './lanes/read-reply.js'
import { ReadAheadShares } from './read-ahead-shares.js'
import type { StorePace } from './store-pace.js'
import { TierOffers } from './tier-offers.js'
import type { HeldBytes } from './tier-recall.js'
import { WaitingReads } from './waiting-reads.js'

/** What read-ahead may hold unread: the rest is for programs that wait. */
const AHEAD_SHARE = 3 / 4

const DONE = Promise.resolve()

/**
 * Blocks of objects in memory, by version, so that they can't be stale. No byte is fetched twice at the same time.
 *
 * Invariant: a block is in the index from the moment it is asked for until it is given up, has failed or was cancelled;
 * in `#loads` until its request has ended, on a shelf from then on. Memory goes back when the block is dropped and nobody
 * holds it. Who waits for room holds nothing.
 */
export class BlockCache {
  readonly blockSizeBytes: number
  readonly #lane: MainLane
  readonly #threads: AnsweringThreads | undefined
  readonly #offers: TierOffers | undefined
  readonly #nowMs: () => number
  readonly #memory: BlockMemory
  readonly #index: BlockIndex
  readonly #shelves = new BlockShelves()
  readonly #shares: ReadAheadShares
  readonly #loads = new Map<Block, BlockLoad>()
  readonly #waiting = new WaitingReads((...range) => this.#hold(...range, true))
  /** How many reads have blocks pinned. */
  #holds = 0

  constructor(options: BlockCacheOptions) {
    this.#lane = options.lane
    this.#threads = options.threads
    this.#offers = options.tier && new TierOffers(options.tier, block => this.#offered(block))
    this.#nowMs = options.nowMs ?? (() => performance.now())
    this.blockSizeBytes = options.blockSizeBytes
    this.#memory = new BlockMemory(options.memory, options.buffers ?? new OwnBuffers(options.blockSizeBytes))
    this.#index = new BlockIndex(options.blockSizeBytes)
    this.#shares = new ReadAheadShares(() => Math.floor(this.#memory.maxBytes * AHEAD_SHARE))
    options.memory.join({ yield: missingBytes => this.#yield(missingBytes), onRoom: () => this.#waiting.serve() })
  }

  /** Bytes held in blocks, those that are being filled included. */
  get heldBytes(): number {
    return this.#memory.usedBytes
  }

  /** Threads receive what is large, and answer with it. */
  get hasThreads(): boolean {
    return this.#threads !== undefined
  }

  /** How long requests to the store take. */
  get pace(): StorePace {
    return this.#lane.pace
  }

  /**
   * Answers a read of `sizeBytes` bytes at `offset`, cut at the end of the object, with views of the blocks. Rejects with
   * the store's error, and when the caller's signal fires with kind `aborted`; then nothing was sent.
   */
  read(source: BlockSource, offset: number, sizeBytes: number, reply: ReadReply, caller?: Caller): Promise<void> {
    const end = Math.min(offset + sizeBytes, source.sizeBytes)
    if (end <= offset) {
      reply.send([], () => undefined)
      return DONE
    }
    const blocks = this.#hold(source, offset, end, this.#waiting.isEmpty)
    if (blocks === undefined) return this.#readWithRoom(source, offset, end, reply, caller)
    return this.#answer({ blocks, offset, end }, reply, caller)
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
    await this.read(source, offset, sizeBytes, reply, signal && { signal })
    return bytes
  }

  /**
   * Resolves when the requests that bring `sizeBytes` bytes from `offset` have ended, with their headers told to whoever
   * listens.
   */
  async fetch(source: BlockSource, offset: number, sizeBytes: number, signal?: AbortSignal): Promise<void> {
    const end = Math.min(offset + sizeBytes, source.sizeBytes)
    if (end <= offset) return
    const blocks =
      this.#hold(source, offset, end, this.#waiting.isEmpty) ?? (await this.#waiting.wait(source, offset, end, signal))
    try {
      this.#urge(blocks)
      for (const block of blocks) await block.whenFilled(block.memory.length, signal)
      for (const block of blocks) await this.#loads.get(block)?.ended
    } finally {
      this.#release(blocks)
      if (signal?.aborted === true) this.#leave(blocks)
    }
  }

  /** Resolves when the tier below has put away what is in memory, and when it gets no further. */
  async settled(): Promise<void> {
    await this.#offers?.settled()
  }

  /** Where the tier's bytes are looked for that it had no time for while they were in memory. */
  recallFrom(held: HeldBytes): void {
    this.#offers?.recallFrom(held)
  }

  /** How much more may be brought ahead for an owner. */
  aheadRoom(owner: object): number {
    return this.#shares.room(owner)
  }

  /**
   * Begins to fetch a range for `owner` without waiting, with one request where nothing of it is there, unless read-ahead
   * already holds its share of memory. Returns the end of what is there or on its way.
   */
  readAhead(source: BlockSource, offset: number, sizeBytes: number, owner: object): number {
    const end = Math.min(offset + sizeBytes, source.sizeBytes)
    if (end <= offset) return offset
    const gaps = this.#index.find(source, offset, end).filter(part => !(part instanceof Block))
    const cost = gaps.reduce((sum, gap) => sum + this.#memory.costOf(gap.end - gap.offset), 0)
    if (cost > this.#shares.room(owner)) this.#giveUpStale()
    if (cost > this.#shares.room(owner) || !this.#waiting.isEmpty || !this.#makeRoom(cost, 'read-ahead')) return offset
    for (const gap of gaps) this.#begin(source, gap, owner)
    return end
  }

  /** What was brought of a version for one owner is another's from now on. */
  handOver(source: BlockSource, from: object, to: object): void {
    if (!this.#shares.has(from)) return
    for (const part of this.#index.find(source, 0, source.sizeBytes))
      if (part instanceof Block && part.owner === from) this.#shares.hand(part, to)
  }

  /** Ends the read-ahead of an owner, except what a program waits for by now. */
  cancelReadAhead(owner: object): void {
    if (!this.#shares.has(owner)) return
    for (const [block, load] of this.#loads) {
      if (block.owner !== owner) continue
      this.#shares.give(block)
      this.#cancel(block, load)
    }
    for (const block of this.#shelves.aheadOf(owner)) {
      this.#shares.give(block)
      this.#shelve(block)
    }
  }

  /** Ends a request, unless a program waits for it. */
  #cancel(block: Block, load: BlockLoad): void {
    if (block.isPinned || load.isCancelled) return
    load.isCancelled = true
    this.#index.remove(block)
    load.signal.abort(new StoreError('aborted', 'nobody reads on', { operation: 'get' }))
  }

  async #readWithRoom(
    source: BlockSource,
    offset: number,
    end: number,
    reply: ReadReply,
    caller: Caller | undefined,
  ): Promise<void> {
    let blocks: readonly Block[]
    try {
      blocks = await this.#waiting.wait(source, offset, end, caller?.signal)
    } catch (error) {
      throw givenUp(error, source, caller)
    }
    await this.#answer({ blocks, offset, end }, reply, caller)
  }

  /** Answers with blocks that are held: at once, by a thread, or here as soon as the bytes have come. */
  #answer(wanted: WantedBytes, reply: ReadReply, caller: Caller | undefined): Promise<void> {
    const { blocks, offset, end } = wanted
    const isThere = haveUpTo(blocks, end)
    if (!isThere) this.#urge(blocks)
    if (this.#threads !== undefined && (!isThere || isWorthHanding(reply, end - offset)))
      return this.#answerByThread(wanted, reply, caller)
    if (!isThere) return this.#answerLater(wanted, reply, caller)
    this.#send(wanted, reply)
    return DONE
  }

  /** Has a thread answer, where one can. */
  #answerByThread(wanted: WantedBytes, reply: ReadReply, caller: Caller | undefined): Promise<void> {
    return new Promise(resolve => {
      const later = () => resolve(this.#answerLater(wanted, reply, caller))
      const onEnd = (isAnswered: boolean) => (isAnswered ? resolve(this.#answered(wanted, reply)) : later())
      if (handOver(this.#threads, wanted, reply, caller, onEnd)) return
      if (haveUpTo(wanted.blocks, wanted.end)) resolve(this.#send(wanted, reply))
      else later()
    })
  }

  /** No thread has answered. */
  async #answerLater(wanted: WantedBytes, reply: ReadReply, caller: Caller | undefined): Promise<void> {
    const { blocks } = wanted
    let isAnswered = false
    try {
      isAnswered = await answeredElsewhere(this.#threads, wanted, reply, caller)
    } catch (error) {
      this.#release(blocks)
      if (caller?.signal.aborted === true) this.#leave(blocks)
      throw givenUp(error, blocks[0]?.source, caller)
    }
    if (isAnswered) this.#answered(wanted, reply)
    else this.#send(wanted, reply)
  }

  /** Who has waited for the blocks is gone. What read-ahead has asked for is its owner's. */
  #leave(blocks: readonly Block[]): void {
    for (const block of blocks) {
      const load = block.owner === undefined ? this.#loads.get(block) : undefined
      if (load !== undefined) this.#cancel(block, load)
    }
  }

  /** A program waits for the held blocks. */
  #urge(blocks: readonly Block[]): void {
    for (const block of blocks) this.#loads.get(block)?.urged?.urge()
  }

  /** The held blocks have the bytes. */
  #send(wanted: WantedBytes, reply: ReadReply): void {
    const views = viewsOf(wanted)
    for (const block of wanted.blocks) this.#countRead(block, wanted)
    reply.send(views, () => this.#release(wanted.blocks))
  }

  /** A thread has sent them. */
  #answered(wanted: WantedBytes, reply: ReadReply): void {
    reply.ticket?.answered()
    for (const block of wanted.blocks) this.#countRead(block, wanted)
    this.#release(wanted.blocks)
  }

  #countRead(block: Block, { offset, end }: WantedBytes): void {
    block.readBytes += Math.min(end, block.end) - Math.max(offset, block.offset)
    if (block.readBytes >= block.memory.length) this.#shares.give(block)
    if (this.#shelves.isDueAfterRead(block, this.#nowMs())) this.#shelve(block)
    if (block.isOwed) this.#offers?.offer(block)
  }

  /** The blocks of a range, pinned, those that are missing on their way; undefined while there is no room for them. */
  #hold(source: BlockSource, offset: number, end: number, mayTake: boolean): readonly Block[] | undefined {
    const found = this.#index.find(source, offset, end)
    let cost = 0
    for (const part of found) {
      if (part instanceof Block) part.pin()
      else cost += this.#memory.costOf(part.end - part.offset)
    }
    if (cost > 0 && (!mayTake || !this.#makeRoom(cost, 'demand'))) {
      for (const part of found) if (part instanceof Block) part.unpin()
      return undefined
    }
    this.#holds += 1
    return found.map(part => {
      if (part instanceof Block) return part
      const block = this.#begin(source, part, undefined)
      block.pin()
      return block
    })
  }

  #release(blocks: readonly Block[]): void {
    this.#holds -= 1
    for (const block of blocks) block.unpin()
    this.#waiting.serve()
  }

  /** Gives blocks up until others of that cost fit. */
  #makeRoom(cost: number, need: Need): boolean {
    while (this.#memory.missingBytes(cost) > 0) {
      const isAlone = this.#holds === 0 && this.#loads.size === 0
      const block = this.#shelves.next(need, isAlone ? Number.POSITIVE_INFINITY : this.#nowMs())
      // What is alone may go beyond the bound: there is nothing to wait for.
      if (block === undefined) return need === 'demand' && isAlone
      this.#giveUp(block)
    }
    return true
  }

  /** For others who draw from the same memory: nobody has asked for these blocks lately, or at all. */
  #yield(missingBytes: number): void {
    const wanted = this.#memory.freeBytes + missingBytes
    this.#giveUpStale()
    this.#makeRoom(wanted, 'read-ahead')
    this.#memory.yield(wanted - this.#memory.freeBytes)
  }

  #giveUp(block: Block): void {
    this.#shelves.remove(block)
    this.#index.remove(block)
    this.#shares.give(block)
    this.#offers?.forget(block)
    block.drop()
  }

  #giveUpStale(): void {
    const nowMs = this.#nowMs()
    for (let block = this.#shelves.nextStale(nowMs); block !== undefined; block = this.#shelves.nextStale(nowMs))
      this.#giveUp(block)
  }

  #begin(source: BlockSource, gap: Gap, owner: object | undefined): Block {
    const memory = this.#memory.take(gap.end - gap.offset)
    const block = new Block(source, gap.offset, memory, owner, this.#onFree)
    const urged = owner === undefined ? undefined : new Urging()
    const load: BlockLoad = { signal: new CallSignal(), urged, isCancelled: false, ended: DONE }
    this.#index.add(block)
    this.#shares.take(block)
    this.#loads.set(block, load)
    // A failure reaches whoever waits for the block; read-ahead that nobody waits for may fail unheard.
    load.ended = this.#fill(block, load)
      .catch((error: unknown) => block.fail(error))
      .then(() => this.#finish(block, load))
    return block
  }

  async #fill(block: Block, { signal, urged }: BlockLoad): Promise<void> {
    const tier = this.#offers?.tier
    const priority = urged === undefined ? 'demand' : 'read-ahead'
    const options = { priority, urged, signal } as const
    if (tier === undefined) return this.#lane.fill(block, options)
    const hadBytes = await tier.read(block.source, block.offset, block.free())
    if (hadBytes > 0) block.advance(hadBytes)
    if (block.isComplete) return
    await this.#lane.fill(block, options)
    this.#offers?.offer(block)
  }

  /** What the tier has refused has another place among the passed. */
  #offered(block: Block): void {
    if (this.#shelves.isMisplaced(block)) this.#shelve(block)
  }

  #finish(block: Block, load: BlockLoad): void {
    this.#loads.delete(block)
    if (block.isComplete && !load.isCancelled) this.#shelve(block)
    else {
      this.#shares.give(block)
      if (!load.isCancelled) this.#index.remove(block)
      block.drop()
    }
    this.#waiting.serve()
  }

  #shelve(block: Block): void {
    this.#shelves.put(block, this.#nowMs())
    const next = () => this.#shelves.nextExcess(this.#memory.maxBytes)
    for (let excess = next(); excess !== undefined; excess = next()) this.#giveUp(excess)
  }

  readonly #onFree = (block: Block): void => {
    if (block.isDropped) this.#memory.giveBack(block.memory)
    this.#waiting.serve()
  }
}
