import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { RetryLayer } from '../../src/backend/layers/retry/retry-layer.js'
import { SILENT } from '../../src/backend/log.js'
import { MemoryBucket } from '../../src/backend/memory/memory-bucket.js'
import { MemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ObjectStore } from '../../src/backend/object-store.js'
import type { Timers } from '../../src/backend/timers.js'
import { BlockCache } from '../../src/cache/block-cache.js'
import { BufferBudget } from '../../src/cache/buffer-budget.js'
import { FolderTimes } from '../../src/cache/folder-times.js'
import { KnownVersions } from '../../src/cache/known-versions.js'
import { MainLane } from '../../src/cache/lanes/main-lane.js'
import { MetadataCache } from '../../src/cache/metadata-cache.js'
import type { Timestamp } from '../../src/fs/operations.js'
import { Harness } from '../support/filesystem-harness.js'
import { Driver } from './driver.js'
import { type Reference, timeOf } from './reference.js'
import type { ReferenceFile } from './reference-file.js'

/** What differs from one sequence to the next beside its commands. */
export interface Shape {
  readonly metadataTtlMs: number
  readonly asksAllAttributes: boolean
  /** How many versions' attributes the mount remembers. */
  readonly knownEntries: number
  /** How many names the mount remembers. */
  readonly metadataEntries: number
  /** The kernel keeps no node longer than a call. */
  readonly kernelForgets: boolean
}

export interface OpenHandle {
  readonly id: number
  readonly file: ReferenceFile
  readonly isReader: boolean
  readonly isWriter: boolean
  readonly isAppender: boolean
  readonly isSync: boolean
  readonly pid: number
}

const KIB = 1024
const LONGER_THAN_TTL_MS = 11_000
/** Longer than any wait before a repetition, and shorter than any timeout. */
const LONG_MS = 1_000_000

/** Waits before repetitions are over at once, and no call takes too long. */
const HURRIED: Timers = {
  nowMs: () => 0,
  after(delayMs, run) {
    if (delayMs < LONG_MS) {
      const timer = setImmediate(run)
      return () => clearImmediate(timer)
    }
    return () => undefined
  },
}

/** What is written in due time is written at the end. */
const STANDING: Timers = { nowMs: () => 0, after: () => () => undefined }

/** A bucket and the mounts that follow each other on it, of which one lives. */
export class World {
  readonly shape: Shape
  readonly handles: OpenHandle[] = []
  /** Of the present mount's store. */
  faults = new FaultRules([])
  /** Something was lost of what the mount knew without asking: it may show the store's times and the mount's defaults. */
  isForgetful: boolean
  readonly #bucket = new MemoryBucket()
  readonly #folder: string
  /** The way of others to the bucket. */
  readonly outside: ObjectStore
  /** What a mount that died has left on this disk is not told. */
  #hasCrashed = false
  #known: KnownVersions | undefined
  #folderTimes: FolderTimes | undefined
  #h: Harness | undefined
  #driver: Driver | undefined
  #nowMs = 1_700_000_000_000
  #writes = 0

  private constructor(folder: string, shape: Shape) {
    this.#folder = folder
    this.shape = shape
    this.isForgetful = shape.knownEntries < 100
    this.outside = new MemoryStore('mem://model', this.#bucket, { nowMs: () => this.nowMs, minPartBytes: 1 })
  }

  static async open(shape: Shape): Promise<World> {
    const world = new World(await mkdtemp(join(tmpdir(), 'mount-bucket-model-')), shape)
    await world.mount()
    return world
  }

  get h(): Harness {
    assert(this.#h)
    return this.#h
  }

  get driver(): Driver {
    assert(this.#driver)
    return this.#driver
  }

  get nowMs(): number {
    return this.#h?.nowMs ?? this.#nowMs
  }

  now(): Timestamp {
    return timeOf(this.nowMs)
  }

  tick(ms: number): void {
    this.h.nowMs += ms
  }

  waitForTtl(): void {
    this.tick(LONGER_THAN_TTL_MS)
  }

  /** Bytes that no other write has. */
  newBytes(sizeBytes: number): Buffer {
    this.#writes += 1
    const seed = this.#writes
    return Buffer.from(
      Array.from({ length: sizeBytes }, (_, i) => 1 + ((seed * 41 + i * 7 + (i >> 8) + (seed >> 3)) % 255)),
    )
  }

  async mount(): Promise<void> {
    const { metadataTtlMs, asksAllAttributes, knownEntries, metadataEntries, kernelForgets } = this.shape
    const kept = { maxEntries: knownEntries, folder: this.#folder, log: SILENT, timers: STANDING }
    const known = await KnownVersions.open({ ...kept, nowMs: () => this.nowMs, ttlMs: metadataTtlMs })
    const folderTimes = await FolderTimes.open(kept)
    this.faults = new FaultRules([])
    const retry = { timeoutMs: 1e9, maxAttempts: 3, timers: HURRIED, random: () => 0.5 }
    const store = new RetryLayer(new FaultLayer(this.outside, this.faults), retry)
    const lane = new MainLane(store, () => known.asking())
    const clock = { nowMs: () => this.nowMs }
    this.#known = known
    this.#folderTimes = folderTimes
    this.#h = await Harness.open({
      store,
      known,
      folderTimes,
      folder: this.#folder,
      startMs: this.nowMs,
      metadata: new MetadataCache({ store, clock, ttlMs: metadataTtlMs, maxEntries: metadataEntries }),
      blocks: new BlockCache({ lane, memory: new BufferBudget(4 * KIB), blockSizeBytes: KIB / 2 }),
      metadataTtlMs,
      asksAllAttributes,
      partSizeBytes: KIB,
      writeMemoryBytes: 256 * KIB,
      maxReadAheadBytes: 2 * KIB,
    })
    this.#driver = new Driver(this.#h, { forgets: kernelForgets })
  }

  /** The mount ends in order. */
  async unmount(): Promise<void> {
    const { kept } = await this.h.filesystem.shutdown()
    assert.deepEqual(kept, [])
    await this.#known?.close()
    await this.#folderTimes?.close()
    this.#nowMs = this.nowMs
    this.#h = undefined
  }

  /** The driver dies: no request of it comes through any more. What it knew of versions has been written by then. */
  async crash(): Promise<void> {
    this.faults.add({ fault: { kind: 'denied' } })
    // Nobody hears of it any more; this process would keep its open files for ever.
    for (const { id } of this.handles) await this.h.filesystem.release(id)
    await this.h.filesystem.shutdown()
    this.handles.length = 0
    this.#nowMs = this.nowMs
    this.#h = undefined
    this.#hasCrashed = true
    await this.#known?.close()
    await this.#folderTimes?.close()
    await this.mount()
  }

  async end(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }

  get bucket(): MemoryBucket {
    return this.#bucket
  }

  /** Compares what the bucket holds with the reference, which learns the ETags. */
  check(model: Reference): void {
    const { objects } = this.#bucket.list({})
    assert.deepEqual(objects.map(({ key }) => key).sort(), [...model.bucket.keys()].sort(), 'the keys of the bucket')
    for (const [key, stored] of model.bucket) {
      const object = this.#bucket.get(key)
      if (stored.etag !== undefined && object?.etag === stored.etag) continue
      assert(
        object && stored.bytes.equals(object.bytes),
        `${key} holds other bytes: ${object?.bytes.length} instead of ${stored.bytes.length}`,
      )
      stored.etag = object.etag
    }
  }

  /** Nothing is left behind on this disk but what could not be stored. */
  async checkTidy(model: Reference): Promise<void> {
    if (this.#hasCrashed) return
    assert.deepEqual(await readdir(join(this.#folder, 'staging')), [], 'staging')
    const kept = await readdir(join(this.#folder, 'kept'))
    const count = kept.filter(name => name.endsWith('.data')).length
    assert(count <= model.keptFiles && count >= model.keptFiles - model.perhapsFound, `${count} kept`)
    assert.deepEqual(await readdir(join(this.#folder, 'uploads')), [], 'uploads')
    assert.deepEqual([...this.#bucket.uploads], [], 'uploads in the store')
  }
}
