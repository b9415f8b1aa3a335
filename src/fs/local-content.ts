import { type Extent, Extents } from './extents.js'
import { FsError } from './fs-error.js'
import type { KeptRecord, Ranges, StagedFor, StoreSource } from './kept-files.js'
import type { Lent } from './lent.js'
import type { MemoryBudget } from './memory-budget.js'
import type { StagingArea } from './staging.js'
import type { StagingFile } from './staging-file.js'

export interface LocalContentOptions {
  readonly area: StagingArea
  readonly budget: MemoryBudget
  /** Content beyond this goes to a staging file. */
  readonly maxMemoryBytes: number
  readonly owner: () => StagedFor
  /** Holds the content from the beginning; it stays the caller's. */
  readonly file?: StagingFile
}

/** Small files are written in one go, and then take no more than they need. */
const FIRST_MEMORY_BYTES = 4096

/**
 * What a writer has written and the store has not: in memory while it is small and memory is left, else in a staging
 * file. `held` says which ranges there are; it knows nothing of the object's other bytes.
 */
export class LocalContent {
  readonly #options: LocalContentOptions
  readonly #memoryHeld = new Extents()
  #memory: Buffer | undefined = Buffer.alloc(0)
  #file: StagingFile | undefined
  /** While memory is being moved to a file nothing more goes into it. */
  #spilling: Promise<StagingFile> | undefined
  #readers = 0
  #isDisposed = false

  constructor(options: LocalContentOptions) {
    this.#options = options
    this.#file = options.file
  }

  get held(): Extents {
    return this.#file?.held ?? this.#memoryHeld
  }

  get isInMemory(): boolean {
    return this.#file === undefined
  }

  /** ENOSPC where neither memory nor the staging folder has room. */
  async write(offset: number, data: Uint8Array): Promise<void> {
    const end = offset + data.length
    if (this.#spilling === undefined && this.#memory !== undefined && this.#growMemory(end)) {
      this.#memory.set(data, offset)
      this.#memoryHeld.add(offset, end)
      return
    }
    const file = await this.spill()
    await file.write(offset, data)
  }

  /** Stages bytes that stay in memory until that is done; ENOSPC where there is no room for them. */
  async writeBehind(offset: number, pieces: readonly Lent[]): Promise<void> {
    const file = await this.spill()
    await file.writeBehind(offset, pieces)
  }

  /** Resolves when nothing is being written to the disk: what that needs of lent memory is given back. */
  async settled(): Promise<void> {
    await this.#file?.settled()
  }

  /** The bytes of a range where all of it is held in memory. */
  inMemory(start: number, end: number): Uint8Array | undefined {
    const isHeld = this.#file === undefined && this.#memoryHeld.covers(start, end)
    return isHeld ? this.#memory?.subarray(start, end) : undefined
  }

  /** Bytes of a range that is held. */
  async read(start: number, end: number): Promise<Uint8Array> {
    if (this.#file !== undefined) return this.#file.read(start, end - start)
    if (this.#memory === undefined) throw new FsError('EIO', 'the content is gone')
    return this.#memory.subarray(start, end)
  }

  /** Forgets all from `sizeBytes` on. */
  async truncate(sizeBytes: number): Promise<void> {
    if (this.#file !== undefined) return this.#file.truncate(sizeBytes)
    this.#memoryHeld.remove(sizeBytes, Number.MAX_SAFE_INTEGER)
  }

  /** Gives up a range: it is safe in the store by now, or nobody's any more. */
  discard(start: number, end: number): void {
    if (this.#file === undefined) this.#memoryHeld.remove(start, end)
    else if (this.#file.held.overlaps(start, end)) this.#file.drop(start, end)
  }

  /** Moves everything to a staging file, if it isn't there. ENOSPC leaves things as they are. */
  async spill(): Promise<StagingFile> {
    if (this.#file !== undefined) return this.#file
    this.#spilling ??= this.#moveToFile().finally(() => {
      this.#spilling = undefined
    })
    return this.#spilling
  }

  /**
   * Makes the bytes safe on this disk under `kept/` and gives them up here; says where they lie. `zeros` are ranges
   * without bytes that read as zeros, as the file's holes do; bytes of `lost` are not to be had, nor are those that
   * are still in memory and that the disk does not take. Where it takes none of them all are given up.
   */
  async keep(
    record: Omit<KeptRecord, 'ranges' | 'lost' | keyof StagedFor | keyof StoreSource>,
    { zeros, lost }: { readonly zeros: Extents; readonly lost: Extents },
  ): Promise<string> {
    const file = await this.spill().catch(async (error: unknown) => {
      await this.dispose()
      throw error
    })
    const gone = joined(lost.ranges, await file.forgetUnwritten())
    const all = joined(file.held.ranges, zeros.ranges)
    const { key, baseEtag } = this.#options.owner()
    const kept = { key, baseEtag, ...record, ranges: rangesOf(all), lost: rangesOf(gone) }
    const keptAt = await this.#options.area.keep(file, kept)
    this.#isDisposed = true
    return keptAt
  }

  /** The owner is another: whoever finds the staging file after a crash must know. Resolves when he would. */
  async ownerChanged(): Promise<void> {
    if (this.#file !== undefined) await this.#options.area.renew(this.#file, this.#options.owner())
  }

  /** Reads under way keep the content alive: call `done` when they are over. Undefined: there is nothing to wait for. */
  use(): { done(): Promise<void> | undefined } {
    this.#readers += 1
    return {
      done: () => {
        this.#readers -= 1
        return this.#isDisposed && this.#readers === 0 ? this.#remove() : undefined
      },
    }
  }

  /** The bytes are needed no longer. */
  async dispose(): Promise<void> {
    if (this.#isDisposed) return
    this.#isDisposed = true
    if (this.#readers === 0) await this.#remove()
  }

  async #moveToFile(): Promise<StagingFile> {
    const file = await this.#options.area.createFile(this.#options.owner())
    try {
      for (const { start, end } of this.#memoryHeld.ranges)
        await file.write(start, this.#memory?.subarray(start, end) ?? new Uint8Array(0))
    } catch (error) {
      await this.#options.area.remove(file)
      throw error
    }
    this.#file = file
    // It may have been renamed while its bytes were being moved.
    void this.ownerChanged()
    this.#freeMemory()
    return file
  }

  #growMemory(end: number): boolean {
    const memory = this.#memory
    if (memory === undefined || end > this.#options.maxMemoryBytes) return false
    if (end <= memory.length) return true
    const grown = Math.min(this.#options.maxMemoryBytes, Math.max(FIRST_MEMORY_BYTES, memory.length * 2, end))
    if (!this.#options.budget.take(grown - memory.length)) return false
    // Only what is held of it is ever looked at.
    this.#memory = Buffer.allocUnsafeSlow(grown)
    memory.copy(this.#memory)
    return true
  }

  #freeMemory(): void {
    this.#options.budget.giveBack(this.#memory?.length ?? 0)
    this.#memory = undefined
    this.#memoryHeld.clear()
  }

  async #remove(): Promise<void> {
    if (this.#memory !== undefined) this.#freeMemory()
    if (this.#file !== undefined) await this.#options.area.remove(this.#file)
    this.#file = undefined
  }
}

function joined(...sets: readonly (readonly Extent[])[]): Extents {
  const all = new Extents()
  for (const { start, end } of sets.flat()) all.add(start, end)
  return all
}

function rangesOf(extents: Extents): Ranges {
  return extents.ranges.map(range => [range.start, range.end] as const)
}
