import type { Log } from '../backend/log.js'
import type { ObjectStore } from '../backend/object-store.js'
import type { Clock } from '../cache/clock.js'
import type { StagingArea } from './staging.js'

export interface LeftUploadsOptions {
  /** Younger ones stay: what they hold may still be recovered. */
  readonly olderThanMs: number
  readonly clock: Clock
  readonly log: Log
}

/** Aborts the uploads that earlier drivers of this mount began and never ended, so that nobody pays for their parts. */
export async function abortLeftUploads(
  store: ObjectStore,
  area: StagingArea,
  options: LeftUploadsOptions,
): Promise<void> {
  const { olderThanMs, clock, log } = options
  const failed = 'an unfinished upload of an earlier mount could not be aborted; the next mount tries again'
  const recorded = await area.recordedUploads().catch((error: unknown) => {
    log.warn(failed, { error })
    return []
  })
  for (const { key, uploadId, startedMs, forget } of recorded) {
    if (startedMs + olderThanMs > clock.nowMs()) continue
    try {
      await store.resumeUpload(key, uploadId).abort({ priority: 'background' })
      await forget()
      log.info('an upload that nobody finished was aborted', { key, uploadId })
    } catch (error) {
      log.warn(failed, { key, uploadId, error })
    }
  }
}
