import type { BucketAdmin } from '../../bucket-admin.js'
import type { CallOptions } from '../../object-store.js'
import type { Attempt } from './attempt.js'
import { type RetriedCall, retried } from './retry-loop.js'
import { type RetryOptions, retryPolicy } from './retry-policy.js'

/** The buckets of an account, with the patience of RetryLayer. */
export function retriedBuckets(admin: BucketAdmin, options: RetryOptions = {}): BucketAdmin {
  const policy = retryPolicy(options)
  const call = <T>(
    operation: string,
    given: CallOptions,
    run: (attempt: Attempt) => Promise<T>,
    more: Partial<RetriedCall<T>> = {},
  ) => retried<T>(policy, { operation, signal: given.signal, run, ...more })
  /** What an earlier try of unknown outcome has done is no failure of a later one. */
  const done = { writes: true, settle: async () => {} }
  return {
    url: admin.url,
    create: (name, given = {}) =>
      call('createBucket', given, attempt => admin.create(name, { ...given, ...attempt.options }), done),
    delete: (name, given = {}) =>
      call('deleteBucket', given, attempt => admin.delete(name, { ...given, ...attempt.options }), {
        writes: true,
        settle: async error => {
          if (error.kind !== 'not-found') throw error
        },
      }),
    list: (given = {}) => call('listBuckets', given, attempt => admin.list({ ...given, ...attempt.options })),
    exists: (name, given = {}) =>
      call('headBucket', given, attempt => admin.exists(name, { ...given, ...attempt.options })),
    validateCredentials: (given = {}) =>
      call('validateCredentials', given, attempt => admin.validateCredentials({ ...given, ...attempt.options })),
    regions: () => admin.regions(),
    close: () => admin.close(),
  }
}
