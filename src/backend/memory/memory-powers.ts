import { aclState, cannedGrants, grantsOfTraits } from '../acl-grants.js'
import { throwIfAborted } from '../call.js'
import type { Signal } from '../call-signal.js'
import { cdnUrl, checkedBaseUrl } from '../cdn-url.js'
import type { AclState, CannedAcl, Powers } from '../powers.js'
import { StoreError } from '../store-error.js'
import type { MemoryBucket, StoredObject } from './memory-bucket.js'

/** ACLs and the CDN's URL are kept as they are given: nothing acts by them, since nobody reaches this memory. */
export function memoryPowers(
  bucket: MemoryBucket,
  find: (key: string, operation: string, signal: Signal | undefined) => StoredObject,
): Powers {
  const base = async (options: { readonly signal?: Signal | undefined } = {}) => {
    throwIfAborted(options.signal, 'getCdn')
    return bucket.cdnBase
  }
  return {
    acl: {
      get: async (key, options = {}): Promise<AclState> => {
        throwIfAborted(options.signal, 'getAcl', key)
        const grants = key === undefined ? cannedGrants(bucket.acl) : find(key, 'getAcl', options.signal).traits.grants
        return aclState(grantsOfTraits(grants), undefined)
      },
      set: async (key, acl, options = {}) => {
        throwIfAborted(options.signal, 'setAcl', key)
        const grants = checkedGrants(acl, 'setAcl', key)
        if (key === undefined) {
          bucket.acl = acl
          return
        }
        const object = find(key, 'setAcl', options.signal)
        bucket.set(key, { ...object, traits: { ...object.traits, grants } })
      },
    },
    cdn: {
      base,
      setBase: async (url, options = {}) => {
        throwIfAborted(options.signal, 'setCdn')
        bucket.cdnBase = url === undefined ? undefined : checkedBaseUrl(url, "the CDN's URL")
      },
      url: async (keyOrPrefix, options) => cdnUrl(await base(options), keyOrPrefix),
    },
  }
}

/** There are no accounts here to which the other ACLs could grant anything. */
export function checkedGrants(acl: CannedAcl, operation: string, key?: string) {
  const grants = acl === 'public-read-write' ? undefined : cannedGrants(acl)
  if (grants !== undefined) return grants
  throw new StoreError('unsupported', `${operation}: a store in memory has no ACL ${acl}`, {
    operation,
    ...(key !== undefined && { key }),
  })
}
