import type { BucketAdmin } from '../bucket-admin.js'
import { throwIfAborted } from '../call.js'
import { StoreError } from '../store-error.js'
import { MemoryBucket } from './memory-bucket.js'
import { checkedGrants } from './memory-powers.js'

/** The buckets of this process by name; they live as long as it does. A bucket that is opened is there. */
export const buckets = new Map<string, MemoryBucket>()

export const MEMORY_BUCKETS: BucketAdmin = {
  url: 'mem://',
  create: async (name, { acl = 'private', signal } = {}) => {
    throwIfAborted(signal, 'createBucket')
    checkedGrants(acl, 'createBucket')
    if (buckets.has(name)) throw new StoreError('exists', `mem://${name} exists`, { operation: 'createBucket' })
    const bucket = new MemoryBucket()
    bucket.acl = acl
    buckets.set(name, bucket)
  },
  delete: async (name, { signal } = {}) => {
    throwIfAborted(signal, 'deleteBucket')
    const bucket = buckets.get(name)
    const operation = 'deleteBucket'
    if (bucket === undefined) throw new StoreError('not-found', `there is no bucket mem://${name}`, { operation })
    if (!bucket.isEmpty)
      throw new StoreError('precondition-failed', `mem://${name} is not empty`, { operation, code: 'BucketNotEmpty' })
    buckets.delete(name)
  },
  list: async ({ signal } = {}) => {
    throwIfAborted(signal, 'listBuckets')
    return [...buckets.keys()].sort().map(name => ({ name }))
  },
  exists: async (name, { signal } = {}) => {
    throwIfAborted(signal, 'headBucket')
    return buckets.has(name)
  },
  validateCredentials: async () => {},
  regions: () => {
    throw new StoreError('unsupported', 'mem:// has no regions', { operation: 'regions' })
  },
  close: async () => {},
}
