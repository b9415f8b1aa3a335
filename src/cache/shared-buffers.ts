import { ALIGNMENT_BYTES, alignedView } from '../system/aligned-memory.js'
import { type BlockBuffers, costOf } from './block-buffers.js'

/** Memory is handed out in units of it. */
export const UNIT_BYTES = 64 * 1024
/** As large as the largest request. */
const SLAB_UNITS = 256
export const SLAB_BYTES = SLAB_UNITS * UNIT_BYTES

/** What is in a unit: nothing, so that it takes no memory; what is kept for the next block; a block. */
const EMPTY = 0
const SPARE = 1
const USED = 2

interface Slab {
  /** Begins where a page does: the system takes pages back, and disks want them. */
  readonly memory: Uint8Array<SharedArrayBuffer>
  readonly units: Uint8Array
  /** How many units are in use, and how many are kept. */
  used: number
  spare: number
}

/** Where memory lies that other threads know, too. */
export interface Place {
  readonly slab: number
  readonly offset: number
  readonly sizeBytes: number
}

export interface SharedBuffersOptions {
  /** Slabs may be so much together, most of it empty: what is beyond is not shared. */
  readonly maxBytes: number
  /** Gives the pages of memory back to the system. */
  readonly discard: (memory: Uint8Array) => boolean
}

/**
 * Memory that data threads fill and answer from, and the thread of the disk cache writes from, in slabs that are never freed: nobody collects shared memory in time,
 * since each thread holds on to it. What is given up is discarded instead, page by page, and then takes no memory.
 * Blocks that are smaller than a unit are not worth a message to another thread, and stay in memory of this one.
 */
export class SharedBuffers implements BlockBuffers {
  readonly #maxSlabs: number
  readonly #discard: SharedBuffersOptions['discard']
  readonly #slabs: Slab[] = []
  readonly #numbers = new Map<ArrayBufferLike, number>()
  readonly #onSlab: ((slab: number, memory: SharedArrayBuffer) => void)[] = []
  #spareBytes = 0

  constructor(options: SharedBuffersOptions) {
    this.#maxSlabs = Math.ceil(options.maxBytes / SLAB_BYTES)
    this.#discard = options.discard
  }

  get spareBytes(): number {
    return this.#spareBytes
  }

  /** All slabs there are, by their numbers. */
  get slabs(): readonly SharedArrayBuffer[] {
    return this.#slabs.map(slab => slab.memory.buffer)
  }

  onSlab(listener: (slab: number, memory: SharedArrayBuffer) => void): void {
    this.#onSlab.push(listener)
  }

  /** By its number; undefined: it is not shared. */
  slabOf(memory: Uint8Array): number | undefined {
    return this.#numbers.get(memory.buffer)
  }

  /** Undefined: it is not shared. */
  placeOf(memory: Uint8Array): Place | undefined {
    const slab = this.#numbers.get(memory.buffer)
    return slab === undefined ? undefined : { slab, offset: memory.byteOffset, sizeBytes: memory.byteLength }
  }

  costOf(sizeBytes: number): number {
    return isShared(sizeBytes) ? unitsOf(sizeBytes) * UNIT_BYTES : costOf(sizeBytes)
  }

  take(sizeBytes: number): { readonly memory: Buffer; readonly freshBytes: number } {
    const count = unitsOf(sizeBytes)
    const found = isShared(sizeBytes)
      ? (this.#find(count, SPARE) ?? this.#find(count, EMPTY) ?? this.#make())
      : undefined
    if (found === undefined) return { memory: Buffer.allocUnsafeSlow(sizeBytes), freshBytes: this.costOf(sizeBytes) }
    const { slab, first } = found
    const spare = slab.spare === 0 ? 0 : spareAmong(slab, first, first + count)
    slab.units.fill(USED, first, first + count)
    slab.used += count
    slab.spare -= spare
    this.#spareBytes -= spare * UNIT_BYTES
    const memory = Buffer.from(slab.memory.buffer, slab.memory.byteOffset + first * UNIT_BYTES, sizeBytes)
    return { memory, freshBytes: (count - spare) * UNIT_BYTES }
  }

  giveBack(memory: Buffer, mayKeep: boolean): number {
    const slab = this.#slabs[this.#numbers.get(memory.buffer) ?? -1]
    if (slab === undefined) return 0
    const first = (memory.byteOffset - slab.memory.byteOffset) / UNIT_BYTES
    const count = unitsOf(memory.length)
    slab.used -= count
    if (mayKeep || !this.#empty(slab, first, count)) {
      slab.units.fill(SPARE, first, first + count)
      slab.spare += count
      this.#spareBytes += count * UNIT_BYTES
      return count * UNIT_BYTES
    }
    return 0
  }

  drop(bytes: number): number {
    let dropped = 0
    for (const slab of this.#slabs)
      for (
        let first = slab.units.indexOf(SPARE);
        first >= 0 && dropped < bytes;
        first = slab.units.indexOf(SPARE, first)
      ) {
        const wanted = Math.ceil((bytes - dropped) / UNIT_BYTES)
        let count = 1
        while (count < wanted && slab.units[first + count] === SPARE) count += 1
        if (!this.#empty(slab, first, count)) return dropped
        slab.spare -= count
        this.#spareBytes -= count * UNIT_BYTES
        dropped += count * UNIT_BYTES
      }
    return dropped
  }

  /** False: the system keeps them as they are. */
  #empty(slab: Slab, first: number, count: number): boolean {
    if (!this.#discard(slab.memory.subarray(first * UNIT_BYTES, (first + count) * UNIT_BYTES))) return false
    slab.units.fill(EMPTY, first, first + count)
    return true
  }

  /** The first place for so many units, all spare, or none in use. */
  #find(count: number, most: typeof SPARE | typeof EMPTY): { readonly slab: Slab; readonly first: number } | undefined {
    for (const slab of this.#slabs) {
      // Most slabs are full, or one block's: those are not looked through.
      if ((most === SPARE ? slab.spare : SLAB_UNITS - slab.used) < count) continue
      let first = 0
      for (let at = 0; at < SLAB_UNITS; at += 1) {
        const unit = slab.units[at]
        if (unit === USED || (most === SPARE && unit === EMPTY)) first = at + 1
        else if (at + 1 - first === count) return { slab, first }
      }
    }
    return undefined
  }

  #make(): { readonly slab: Slab; readonly first: number } | undefined {
    if (this.#slabs.length >= this.#maxSlabs) return undefined
    const shared = new SharedArrayBuffer(SLAB_BYTES + ALIGNMENT_BYTES)
    const slab = { memory: alignedView(shared, SLAB_BYTES), units: new Uint8Array(SLAB_UNITS), used: 0, spare: 0 }
    const number = this.#slabs.push(slab) - 1
    this.#numbers.set(shared, number)
    for (const listener of this.#onSlab) listener(number, shared)
    return { slab, first: 0 }
  }
}

function spareAmong({ units }: Slab, first: number, end: number): number {
  let spare = 0
  for (let at = first; at < end; at += 1) if (units[at] === SPARE) spare += 1
  return spare
}

function isShared(sizeBytes: number): boolean {
  return sizeBytes >= UNIT_BYTES && sizeBytes <= SLAB_BYTES
}

function unitsOf(sizeBytes: number): number {
  return Math.ceil(sizeBytes / UNIT_BYTES)
}
