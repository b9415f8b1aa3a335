import type { Log } from '../backend/log.js'
import type { Attachments } from '../backend/object-store.js'
import type { Clock } from '../cache/clock.js'
import type { Committer } from './commit.js'
import type { Loans } from './loans.js'
import type { MemoryBudget } from './memory-budget.js'
import type { PartSizes } from './part-sizes.js'
import type { PartStream } from './part-stream.js'
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
  newStream(key: string, attachments: Attachments): PartStream
}
