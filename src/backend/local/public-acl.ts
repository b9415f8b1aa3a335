import type { CannedAcl } from '../powers.js'
import { StoreError } from '../store-error.js'

/** Whether an ACL lets everybody read. `unsupported`: there are no accounts to which the others could grant anything. */
export function isPublicAcl(acl: CannedAcl, operation: string, key: string): boolean {
  if (acl === 'private' || acl === 'public-read') return acl === 'public-read'
  throw new StoreError('unsupported', `${operation}: an object in a folder is private or public-read, not ${acl}`, {
    key,
    operation,
  })
}
