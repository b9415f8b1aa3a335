import type { Grant } from '@aws-sdk/client-s3'
import type { Signal } from '../call-signal.js'
import type { GrantKind, ObjectTraits } from '../object-store.js'
import type { Attempt } from './errors.js'
import type { RequestContext } from './request-context.js'
import {
  GetBucketOwnershipControlsCommand,
  GetObjectAclCommand,
  GetObjectTaggingCommand,
  PutObjectTaggingCommand,
} from './sdk.js'

export type Tags = NonNullable<ObjectTraits['tags']>
export type Grants = NonNullable<ObjectTraits['grants']>

/** WRITE means nothing for an object. */
const KINDS: Readonly<Record<string, GrantKind>> = {
  READ: 'read',
  READ_ACP: 'readAcp',
  WRITE_ACP: 'writeAcp',
  FULL_CONTROL: 'fullControl',
}

/** The requests about tags and ACLs, as ObjectRequests has those about objects. */
export class TraitRequests {
  readonly #context: RequestContext

  constructor(context: RequestContext) {
    this.#context = context
  }

  async tags(key: string, signal?: Signal): Promise<Tags> {
    const attempt: Attempt = { operation: 'traits', key, reads: true, signal }
    const { bucket, payer } = this.#context
    const command = new GetObjectTaggingCommand({ Bucket: bucket, Key: key, ...payer })
    const { TagSet } = await this.#context.send(command, attempt)
    return Object.fromEntries((TagSet ?? []).map(({ Key = '', Value = '' }) => [Key, Value]))
  }

  async putTags(key: string, tags: Tags, operation: string, signal?: Signal): Promise<void> {
    const attempt: Attempt = { operation, key, writes: true, reads: true, carries: () => 'tags', signal }
    const { bucket, payer } = this.#context
    const TagSet = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
    const command = new PutObjectTaggingCommand({ Bucket: bucket, Key: key, Tagging: { TagSet }, ...payer })
    await this.#context.send(command, attempt)
  }

  async grants(key: string, signal?: Signal): Promise<Grants> {
    const attempt: Attempt = { operation: 'traits', key, reads: true, signal }
    const { bucket, payer } = this.#context
    const command = new GetObjectAclCommand({ Bucket: bucket, Key: key, ...payer })
    const { Owner, Grants } = await this.#context.send(command, attempt)
    return readGrants(Grants ?? [], Owner?.ID)
  }

  /** Whether the bucket's owner owns all of its objects, so that ACLs say nothing. */
  async isOwnerEnforced(): Promise<boolean> {
    const attempt: Attempt = { operation: 'traits', reads: true }
    const command = new GetBucketOwnershipControlsCommand({ Bucket: this.#context.bucket })
    const { OwnershipControls } = await this.#context.send(command, attempt)
    return (OwnershipControls?.Rules ?? []).some(rule => rule.ObjectOwnership === 'BucketOwnerEnforced')
  }
}

/** Empty when nobody but the owner is granted anything. */
export function readGrants(grants: readonly Grant[], owner: string | undefined): Grants {
  const found: Partial<Record<GrantKind, string[]>> = {}
  let hasOthers = false
  for (const { Grantee, Permission = '' } of grants) {
    const kind = KINDS[Permission]
    const grantee = granteeOf(Grantee ?? {})
    if (kind === undefined || grantee === undefined) continue
    found[kind] = [...(found[kind] ?? []), grantee]
    if (kind !== 'fullControl' || Grantee?.ID !== owner) hasOthers = true
  }
  return hasOthers ? found : {}
}

/** In the form of the headers x-amz-grant-*. */
export function granteeOf({ ID, URI, EmailAddress }: Partial<NonNullable<Grant['Grantee']>>): string | undefined {
  if (ID !== undefined) return `id="${ID}"`
  if (URI !== undefined) return `uri="${URI}"`
  return EmailAddress === undefined ? undefined : `emailAddress="${EmailAddress}"`
}
