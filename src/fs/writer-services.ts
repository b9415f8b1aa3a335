import { randomUUID } from 'node:crypto'
import type { Log } from '../backend/log.js'
import type { Attachments, ObjectStore } from '../backend/object-store.js'
import { PartSizes } from '../backend/part-sizes.js'
import type { Clock } from '../cache/clock.js'
import { BufferPool } from './buffer-pool.js'
import { Committer } from './commit.js'
import { Loans } from './loans.js'
import type { MemoryBudget } from './memory-budget.js'
import { PartStream } from './part-stream.js'
import type { StagingArea } from './staging.js'

/** What writers share. */
export interface WriterServices {
  readonly committer: Committer
  readonly area: StagingArea
  readonly budget: MemoryBudget
  readonly sizes: PartSizes
  readonly loans: Loans
  readonly clock: Clock
  readonly log: Log
  newId(): string
  newStream(key: string, attachments: Attachments): PartStream
}

/** What is not lent to writers is copied into pieces of this size, or of a part where that is smaller. */
const CHUNK_BYTES = 1024 * 1024

export interface WriterOptions {
  readonly store: ObjectStore
  readonly area: StagingArea
  readonly partSizeBytes: number
  /** Parts of one file under way at the same time. */
  readonly uploadConcurrency: number
  /** What all writers together may hold in memory. */
  readonly writeMemory: MemoryBudget
  readonly clock: Clock
  readonly log: Log
  /** Random words. */
  readonly newId?: () => string
}

export function writerServices(options: WriterOptions): WriterServices {
  const { store, area, clock, log, uploadConcurrency: concurrency, writeMemory: budget } = options
  const sizes = new PartSizes(options.partSizeBytes)
  const chunks = new BufferPool(Math.min(CHUNK_BYTES, sizes.firstBytes))
  const nowMs = () => clock.nowMs()
  return {
    committer: new Committer({ store, area, sizes, concurrency, nowMs }),
    newStream: (key, attachments) =>
      new PartStream({ store, key, attachments, sizes, concurrency, budget, chunks, area, log, nowMs }),
    area,
    budget,
    sizes,
    loans: new Loans(log),
    clock,
    log,
    newId: options.newId ?? randomUUID,
  }
}
