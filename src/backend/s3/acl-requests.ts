import type { Grant } from '@aws-sdk/client-s3'
import { aclState } from '../acl-grants.js'
import { checkKey } from '../keys.js'
import type { CallOptions } from '../object-store.js'
import type { AclGrant, AclPower, AclState, CannedAcl } from '../powers.js'
import type { Attempt } from './errors.js'
import type { RequestContext } from './request-context.js'
import { GetBucketAclCommand, GetObjectAclCommand, PutBucketAclCommand, PutObjectAclCommand } from './sdk.js'
import { granteeOf } from './trait-requests.js'

/** The ACLs of objects and of the bucket. */
export class AclRequests implements AclPower {
  readonly #context: RequestContext

  constructor(context: RequestContext) {
    this.#context = context
  }

  async get(key: string | undefined, { signal }: CallOptions = {}): Promise<AclState> {
    const { bucket, payer } = this.#context
    const attempt: Attempt = { operation: 'getAcl', key, reads: true, signal }
    if (key !== undefined) checkKey(key, 'getAcl')
    const { Owner, Grants } =
      key === undefined
        ? await this.#context.send(new GetBucketAclCommand({ Bucket: bucket }), attempt)
        : await this.#context.send(new GetObjectAclCommand({ Bucket: bucket, Key: key, ...payer }), attempt)
    return aclState((Grants ?? []).flatMap(grantOf), Owner?.ID)
  }

  async set(key: string | undefined, acl: CannedAcl, { signal }: CallOptions = {}): Promise<void> {
    const { bucket, payer } = this.#context
    const attempt: Attempt = {
      operation: 'setAcl',
      key,
      reads: true,
      writes: true,
      carries: () => `ACL ${acl}`,
      signal,
    }
    if (key !== undefined) checkKey(key, 'setAcl')
    if (key !== undefined)
      await this.#context.send(new PutObjectAclCommand({ Bucket: bucket, Key: key, ACL: acl, ...payer }), attempt)
    // Of a bucket S3 knows the first four only; the server refuses what it does not know.
    else await this.#context.send(new PutBucketAclCommand({ Bucket: bucket, ACL: acl as 'private' }), attempt)
  }
}

function grantOf({ Grantee, Permission }: Grant): readonly AclGrant[] {
  const grantee = granteeOf(Grantee ?? {})
  return grantee === undefined || Permission === undefined ? [] : [{ grantee, permission: Permission }]
}
