import type { Log } from '../backend/log.js'
import type { Attachments, CompletedPart, ObjectStore, Upload } from '../backend/object-store.js'
import type { MemoryBudget } from './memory-budget.js'
import { abandonable } from './mutex.js'
import type { PartSizes } from './part-sizes.js'
import type { StagingArea } from './staging.js'

export interface PartStreamOptions {
  readonly store: ObjectStore
  readonly key: string
  readonly attachments: Attachments
  readonly sizes: PartSizes
  /** Parts under way at the same time. */
  readonly concurrency: number
  readonly budget: MemoryBudget
  readonly area: StagingArea
  readonly log: Log
  readonly nowMs: () => number
}

/** The part that is being filled. `memory` is undefined where no memory was left: then only staging has its bytes. */
interface Tail {
  readonly number: number
  readonly memory: Buffer | undefined
  filledBytes: number
}

/** Parts larger than this are never held in memory: they go out from staging when the file is committed. */
const MAX_MEMORY_PART_BYTES = 16 * 1024 * 1024

/**
 * Sends a file that is written from front to back as the parts of an upload while it is being written. Which parts
 * are in the store it says in `stored`; the others are the commit's work. A part that fails is left to the commit too,
 * which then reports why.
 */
export class PartStream {
  readonly stored = new Map<number, CompletedPart>()
  readonly attachments: Attachments
  readonly key: string
  readonly #options: PartStreamOptions
  readonly #underWay = new Map<number, Promise<void>>()
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

  /** Waits while too many parts are under way: who writes faster than the store takes it waits here. */
  async room(signal?: AbortSignal): Promise<void> {
    while (this.#underWay.size >= this.#options.concurrency) {
      const any = Promise.race(this.#underWay.values())
      await (signal === undefined ? any : abandonable(any, signal))
    }
  }

  /** Takes the next bytes of the file. False: a part of them is not held here, so they must be in staging. */
  append(data: Uint8Array): boolean {
    let isHeld = true
    for (let done = 0; done < data.length; ) {
      const tail = this.#tail ?? this.#beginPart()
      const taken = Math.min(data.length - done, this.#options.sizes.sizeOf(tail.number) - tail.filledBytes)
      tail.memory?.set(data.subarray(done, done + taken), tail.filledBytes)
      if (tail.memory === undefined) isHeld = false
      tail.filledBytes += taken
      this.#position += taken
      done += taken
      if (tail.filledBytes === this.#options.sizes.sizeOf(tail.number)) this.#sendTail(tail)
    }
    return isHeld
  }

  /** Bytes of a range changed: its parts must be sent again by the commit. Streaming ends where it was. */
  invalidate(start: number, end: number): void {
    const { sizes } = this.#options
    for (let number = sizes.at(start); sizes.startOf(number) < end; number++) {
      this.stored.delete(number)
      if (this.#underWay.has(number)) this.#stale.add(number)
    }
    if (this.#tail !== undefined && end > sizes.startOf(this.#tail.number)) this.#dropTail()
  }

  /** Everything from `sizeBytes` on is gone; sequential writing may go on there only in a new part. */
  truncate(sizeBytes: number): void {
    if (sizeBytes < this.#position) this.invalidate(sizeBytes, this.#position)
  }

  /** The bytes of the unfinished last part, where they are held in memory. */
  tailBytes(number: number, sizeBytes: number): Uint8Array | undefined {
    const tail = this.#tail
    if (tail?.number !== number || tail.filledBytes !== sizeBytes) return undefined
    return tail.memory?.subarray(0, sizeBytes)
  }

  /** Waits until no part is under way. */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values())
  }

  /** The upload has become an object, or was aborted: nothing is to be remembered of it. */
  async end(): Promise<void> {
    this.#dropTail()
    await this.#forget?.()
  }

  /** Drops the upload and its parts. */
  async abort(): Promise<void> {
    this.#abort.abort()
    await this.settle()
    try {
      await (await this.#upload)?.abort({ priority: 'background' })
      await this.end()
    } catch (error) {
      this.#dropTail()
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

  #beginPart(): Tail {
    const number = this.#options.sizes.at(this.#position)
    const sizeBytes = this.#options.sizes.sizeOf(number)
    const isAligned = this.#options.sizes.startOf(number) === this.#position
    const hasMemory = isAligned && sizeBytes <= MAX_MEMORY_PART_BYTES && this.#options.budget.take(sizeBytes)
    const filledBytes = this.#position - this.#options.sizes.startOf(number)
    this.#tail = { number, memory: hasMemory ? Buffer.allocUnsafeSlow(sizeBytes) : undefined, filledBytes }
    return this.#tail
  }

  #sendTail(tail: Tail): void {
    const { number, memory } = tail
    this.#tail = undefined
    if (memory === undefined) return
    const sent = this.#send(number, memory).finally(() => {
      this.#underWay.delete(number)
      this.#stale.delete(number)
      this.#options.budget.giveBack(memory.length)
    })
    this.#underWay.set(number, sent)
  }

  async #send(number: number, memory: Buffer): Promise<void> {
    try {
      const upload = await this.upload()
      const part = await upload.part(number, memory, { priority: 'background', signal: this.#abort.signal })
      if (!this.#stale.has(number)) this.stored.set(number, part)
    } catch (error) {
      if (!this.#abort.signal.aborted)
        this.#options.log.warn('a part was not stored; the commit tries it again', { key: this.key, number, error })
    }
  }

  #dropTail(): void {
    if (this.#tail?.memory !== undefined) this.#options.budget.giveBack(this.#tail.memory.length)
    this.#tail = undefined
  }
}
