import type { Log } from '../backend/log.js'
import type { Attachments, BodySource, CompletedPart, ObjectStore, Upload } from '../backend/object-store.js'
import type { PartSizes } from '../backend/part-sizes.js'
import type { BufferPool } from './buffer-pool.js'
import type { Hold, Lent } from './lent.js'
import type { MemoryBudget } from './memory-budget.js'
import type { Leaver } from './operations.js'
import { PartMemory } from './part-memory.js'
import type { StagingArea } from './staging.js'

export interface PartStreamOptions {
  readonly store: ObjectStore
  readonly key: string
  readonly attachments: Attachments
  readonly sizes: PartSizes
  /** Parts under way at the same time. */
  readonly concurrency: number
  readonly budget: MemoryBudget
  /** For what is not lent. */
  readonly chunks: BufferPool
  readonly area: StagingArea
  readonly log: Log
  readonly nowMs: () => number
}

/** The part that is being filled. `memory` is undefined where no memory was left: then only staging has its bytes. */
interface Tail {
  readonly number: number
  readonly memory: PartMemory | undefined
  filledBytes: number
}

/** Parts larger than this are never held in memory: they go out from staging when the file is committed. */
const MAX_MEMORY_PART_BYTES = 16 * 1024 * 1024

/**
 * Sends a file that is written from front to back as the parts of an upload while it is being written. Which parts
 * are in the store it says in `stored`; the others are the commit's work. A part that fails is left to the commit too,
 * which then reports why; its memory is kept until then, since staging may have had no room for it.
 */
export class PartStream {
  readonly stored = new Map<number, CompletedPart>()
  readonly attachments: Attachments
  readonly key: string
  readonly #options: PartStreamOptions
  readonly #underWay = new Map<number, Promise<void>>()
  /** Parts that failed. */
  readonly #failed = new Map<number, PartMemory>()
  readonly #abort = new AbortController()
  /** Counts what made a part under way worthless, by part number. */
  readonly #stale = new Set<number>()
  #upload: Promise<Upload> | undefined
  #forget: (() => Promise<void>) | undefined
  #position = 0
  #tail: Tail | undefined

  constructor(options: PartStreamOptions) {
    this.#options = options
    this.key = options.key
    this.attachments = options.attachments
  }

  /** Where the next sequential byte goes. */
  get position(): number {
    return this.#position
  }

  /** The upload, begun at the first call. */
  upload(): Promise<Upload> {
    this.#upload ??= this.#begin().catch((error: unknown) => {
      this.#upload = undefined
      throw error
    })
    return this.#upload
  }

  /**
   * Waits while too many parts are under way for `sizeBytes` more to be taken, of this file or of all: who writes faster
   * than the store takes it waits here. The next part is filled meanwhile, and waits with the last write to it.
   */
  async room(sizeBytes: number, leaver?: Leaver): Promise<void> {
    const { budget } = this.#options
    // Better soon in memory than at once without: what is not in memory is sent at the end.
    while (!this.#mayBegin(sizeBytes) || (!this.canHold(sizeBytes) && this.#isHoldable(sizeBytes)))
      if (!(await budget.freed(leaver))) return
  }

  /** Waits until `canHold` may say something else; false when that doesn't come by itself. */
  async memoryFreed(sizeBytes: number, leaver?: Leaver): Promise<boolean> {
    return this.#isHoldable(sizeBytes) && this.#options.budget.freed(leaver)
  }

  /** Whether `append`, called at once, can hold so many bytes in memory until they are stored. */
  canHold(sizeBytes: number): boolean {
    // Memory may have come free since the part was begun.
    if (this.#tail?.filledBytes === 0 && this.#tail.memory === undefined) this.#tail = undefined
    const { number, memory } = this.#tail ?? this.#beginPart()
    return memory !== undefined && this.#options.budget.has(this.#neededBytes(number + 1, sizeBytes))
  }

  /**
   * Takes the next bytes of the file, and says where they are in memory: those that `canHold` said no to must be in
   * staging.
   */
  append(data: Uint8Array, hold?: Hold): readonly Lent[] {
    const lent: Lent[] = []
    for (let done = 0; done < data.length; ) {
      const tail = this.#tail ?? this.#beginPart()
      const taken = Math.min(data.length - done, this.#options.sizes.sizeOf(tail.number) - tail.filledBytes)
      if (tail.memory !== undefined) lent.push(...tail.memory.add(data.subarray(done, done + taken), hold))
      tail.filledBytes += taken
      this.#position += taken
      done += taken
      if (tail.filledBytes === this.#options.sizes.sizeOf(tail.number)) this.#sendTail(tail)
    }
    return lent
  }

  /** Bytes of a range changed: its parts must be sent again by the commit. Streaming ends where it was. */
  invalidate(start: number, end: number): void {
    const { sizes } = this.#options
    for (let number = sizes.at(start); sizes.startOf(number) < end; number++) {
      this.stored.delete(number)
      this.#dropFailed(number)
      if (this.#underWay.has(number)) this.#stale.add(number)
    }
    if (this.#tail !== undefined && end > sizes.startOf(this.#tail.number)) this.#dropTail()
  }

  /** The bytes of a part that is not stored, where they are held in memory. */
  heldBody(number: number, sizeBytes: number): BodySource | undefined {
    const memory = this.#failed.get(number) ?? (this.#tail?.number === number ? this.#tail.memory : undefined)
    return memory?.filledBytes === sizeBytes ? memory.body : undefined
  }

  /** Resolves when the part is not under way. */
  async settled(number: number): Promise<void> {
    await this.#underWay.get(number)
  }

  /** Waits until no part is under way. */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values())
  }

  /** The upload has become an object, or was aborted: nothing is to be remembered of it. */
  async end(): Promise<void> {
    this.#dropMemory()
    await this.#forget?.()
  }

  /** Drops the upload and its parts. */
  async abort(): Promise<void> {
    this.#abort.abort()
    // The store may take long to answer, and others need memory.
    this.#dropMemory()
    await this.settle()
    try {
      await (await this.#upload)?.abort({ priority: 'background' })
      await this.#forget?.()
    } catch (error) {
      this.#options.log.warn('an upload could not be aborted; it is tried again after --abort-after', {
        key: this.key,
        error,
      })
    }
  }

  async #begin(): Promise<Upload> {
    const upload = await this.#options.store.createUpload(this.key, this.attachments)
    const startedMs = this.#options.nowMs()
    this.#forget = await this.#options.area.recordUpload({ key: this.key, uploadId: upload.uploadId, startedMs })
    return upload
  }

  /** Not too many parts of this file are under way for one more to be sent, if these bytes end one. */
  #mayBegin(sizeBytes: number): boolean {
    const { sizes, concurrency } = this.#options
    const number = this.#tail?.number ?? sizes.at(this.#position)
    const endsPart = this.#position + sizeBytes >= sizes.startOf(number) + sizes.sizeOf(number)
    return !endsPart || this.#underWay.size < concurrency
  }

  /** Whether `canHold` can come to say yes when others give memory back. */
  #isHoldable(sizeBytes: number): boolean {
    const { sizes, budget } = this.#options
    const tail = this.#tail
    if (tail !== undefined && tail.filledBytes > 0)
      return tail.memory !== undefined && this.#neededBytes(tail.number + 1, sizeBytes) <= budget.maxBytes
    const number = sizes.at(this.#position)
    return sizes.startOf(number) === this.#position && this.#neededBytes(number, sizeBytes) <= budget.maxBytes
  }

  /** Of the parts from this one on that so many bytes begin; infinite where one is too large to be held in memory. */
  #neededBytes(from: number, sizeBytes: number): number {
    const { sizes } = this.#options
    let neededBytes = 0
    for (let number = from; sizes.startOf(number) < this.#position + sizeBytes; number++)
      neededBytes += sizes.sizeOf(number) > MAX_MEMORY_PART_BYTES ? Number.POSITIVE_INFINITY : sizes.sizeOf(number)
    return neededBytes
  }

  #beginPart(): Tail {
    const { sizes, budget, chunks } = this.#options
    const number = sizes.at(this.#position)
    const sizeBytes = sizes.sizeOf(number)
    const isAligned = sizes.startOf(number) === this.#position
    const hasMemory = isAligned && sizeBytes <= MAX_MEMORY_PART_BYTES && budget.take(sizeBytes)
    const memory = hasMemory ? new PartMemory(chunks, () => budget.giveBack(sizeBytes)) : undefined
    this.#tail = { number, memory, filledBytes: this.#position - sizes.startOf(number) }
    return this.#tail
  }

  #sendTail(tail: Tail): void {
    const { number, memory } = tail
    this.#tail = undefined
    if (memory === undefined) return
    const send = this.#send(number, memory.body).then(isStored => {
      this.#underWay.delete(number)
      const isStale = this.#stale.delete(number)
      if (isStored || isStale || this.#abort.signal.aborted) memory.release()
      else this.#failed.set(number, memory)
    })
    this.#underWay.set(number, this.#options.budget.whileLeaving(send))
  }

  async #send(number: number, body: BodySource): Promise<boolean> {
    try {
      const upload = await this.upload()
      const part = await upload.part(number, body, { priority: 'background', signal: this.#abort.signal })
      if (!this.#stale.has(number)) this.stored.set(number, part)
      return true
    } catch (error) {
      if (!this.#abort.signal.aborted)
        this.#options.log.warn('a part was not stored; the commit tries it again', { key: this.key, number, error })
      return false
    }
  }

  #dropMemory(): void {
    this.#dropTail()
    for (const number of this.#failed.keys()) this.#dropFailed(number)
  }

  #dropFailed(number: number): void {
    this.#failed.get(number)?.release()
    this.#failed.delete(number)
  }

  #dropTail(): void {
    this.#tail?.memory?.release()
    this.#tail = undefined
  }
}
