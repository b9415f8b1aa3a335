import type { BucketCallOptions } from '../bucket-services.js'
import type { ProgressCallback } from '../progress.js'
import type { SyncEntry } from './sync-entry.js'

export interface SyncOptions extends BucketCallOptions {
  /**
   * Removes what the source lacks, once all else has succeeded: after a failure nothing is removed. Default false.
   * What is a symbolic link or device on the local disk, and what stands below one, counts as there.
   */
  readonly delete?: boolean | undefined
  /** Lets `delete` remove everything when the source holds nothing; else that is refused as a likely mistake. */
  readonly allowEmptySource?: boolean | undefined
  /** Changes nothing, and tells what would be done. Default false. */
  readonly dryRun?: boolean | undefined
  /** Told of every name once it is settled, in no order. */
  readonly onEntry?: ((entry: SyncEntry) => void) | undefined
  /** Of the whole sync. The total grows while files are found, and bytes that turn out to be the same leave it. */
  readonly onProgress?: ProgressCallback | undefined
  /** Of each file by itself. */
  readonly onFileProgress?: ProgressCallback | undefined
}
