import { rmdirSync, statfsSync, unlinkSync } from 'node:fs'
import { makeFolder } from '../../system/make-folder.js'
import { type CacheFile, CacheFolder } from './cache-folder.js'

/** How much of the disk stays free for others: so many bytes, or a share of the whole disk, up to 1. */
export type KeepFree = { readonly bytes: number } | { readonly share: number }

export interface SweepRequest {
  /** What CacheFolder.at is given. */
  readonly place: string
  readonly maxBytes: number
  readonly keepFree: KeepFree
  /** As Date.now. */
  readonly nowMs: number
}

export interface SweepResult {
  readonly usedBytes: number
  readonly removedBytes: number
  /** What may be added now. */
  readonly roomBytes: number
}

/** Beyond this share of what it may take the cache is made smaller, to the second share. */
const FULL = 0.9
const SWEPT = 0.85

/** A file that never got into its place, left by a process that ended. */
const UNBORN_MS = 3_600_000

/**
 * Counts what the cache takes and removes what was used least recently if that is too much. It asks the disk about every
 * file, and remembers 16 bytes of each: for a thread that has nothing else to do. Throws what the disk says.
 */
export function sweep(request: SweepRequest): SweepResult {
  const folder = CacheFolder.at(request.place)
  // Somebody may have removed it all while it is in use.
  makeFolder(folder.path)
  const ages = new Ages()
  for (const file of folder.files()) {
    if (file.isUnborn && !isBeingWritten(file, request.nowMs)) removeFile(file)
    else ages.add(file.usedMs, file.usedBytes)
  }
  const allowedBytes = allowed(request, folder, ages.totalBytes)
  const excessBytes = ages.totalBytes > allowedBytes * FULL ? ages.totalBytes - allowedBytes * SWEPT : 0
  const removedBytes = excessBytes > 0 ? removeOldest(folder, ages.untilMs(excessBytes), excessBytes) : 0
  const usedBytes = ages.totalBytes - removedBytes
  return { usedBytes, removedBytes, roomBytes: Math.max(0, Math.floor(allowedBytes - usedBytes)) }
}

/** Removes every file of the cache, and answers how much of the disk that gave back. Running mounts go on. */
export function clear(place: string, nowMs: number): number {
  const folder = CacheFolder.at(place)
  let removedBytes = 0
  for (const file of folder.files()) if (!isBeingWritten(file, nowMs)) removedBytes += removeFile(file)
  for (const shelf of folder.shelves()) removeIfEmpty(shelf)
  return removedBytes
}

function isBeingWritten({ isUnborn, usedMs }: CacheFile, nowMs: number): boolean {
  return isUnborn && nowMs - usedMs <= UNBORN_MS
}

/** What the cache may take: its own bound, or less where the disk gets too full. */
function allowed(request: SweepRequest, folder: CacheFolder, usedBytes: number): number {
  const { bavail, blocks, bsize } = statfsSync(folder.path)
  const { keepFree } = request
  const keepBytes = 'bytes' in keepFree ? keepFree.bytes : keepFree.share * blocks * bsize
  return Math.max(0, Math.min(request.maxBytes, usedBytes + bavail * bsize - keepBytes))
}

function removeOldest(folder: CacheFolder, untilMs: number, excessBytes: number): number {
  let removedBytes = 0
  for (const file of folder.files()) {
    if (removedBytes >= excessBytes) break
    if (file.usedMs <= untilMs) removedBytes += removeFile(file)
  }
  return removedBytes
}

/** Answers how much of the disk that gave back: nothing where another process was first. */
function removeFile(file: CacheFile): number {
  try {
    unlinkSync(file.path)
    return file.usedBytes
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}

function removeIfEmpty(shelf: string): void {
  try {
    rmdirSync(shelf)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // A mount has added to it meanwhile, or another process has removed it.
    if (code !== 'ENOTEMPTY' && code !== 'ENOENT') throw error
  }
}

/** When files were used, and their sizes, packed: there may be a million. */
class Ages {
  #timesMs = new Float64Array(1024)
  #sizes = new Float64Array(1024)
  #count = 0
  totalBytes = 0

  add(timeMs: number, sizeBytes: number): void {
    if (this.#count === this.#timesMs.length) {
      this.#timesMs = grown(this.#timesMs)
      this.#sizes = grown(this.#sizes)
    }
    this.#timesMs[this.#count] = timeMs
    this.#sizes[this.#count] = sizeBytes
    this.#count += 1
    this.totalBytes += sizeBytes
  }

  /** Up to which time of use files together have so many bytes. */
  untilMs(sizeBytes: number): number {
    const order = new Uint32Array(this.#count).map((_, index) => index)
    order.sort((a, b) => (this.#timesMs[a] ?? 0) - (this.#timesMs[b] ?? 0))
    let sum = 0
    for (const index of order) {
      sum += this.#sizes[index] ?? 0
      if (sum >= sizeBytes) return this.#timesMs[index] ?? 0
    }
    return Number.POSITIVE_INFINITY
  }
}

function grown(values: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(values.length * 2)
  larger.set(values)
  return larger
}
