import type { GrantKind, ObjectTraits } from './object-store.js'
import type { AclGrant, AclState, CannedAcl } from './powers.js'

/** The groups of Amazon S3 ("Access control list overview", predefined groups), in the form of x-amz-grant-*. */
export const ALL_USERS = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
const AUTHENTICATED_USERS = 'uri="http://acs.amazonaws.com/groups/global/AuthenticatedUsers"'

const KINDS: Readonly<Record<GrantKind, AclGrant['permission']>> = {
  read: 'READ',
  readAcp: 'READ_ACP',
  writeAcp: 'WRITE_ACP',
  fullControl: 'FULL_CONTROL',
}

/** What a canned ACL grants beside the owner's full control. */
const OTHERS: readonly (readonly [CannedAcl, readonly AclGrant[]])[] = [
  ['private', []],
  ['public-read', [{ grantee: ALL_USERS, permission: 'READ' }]],
  [
    'public-read-write',
    [
      { grantee: ALL_USERS, permission: 'READ' },
      { grantee: ALL_USERS, permission: 'WRITE' },
    ],
  ],
  ['authenticated-read', [{ grantee: AUTHENTICATED_USERS, permission: 'READ' }]],
]

/** The canned ACL that is known by its grants alone: those that name an account's id depend on whose it is. */
export function aclState(grants: readonly AclGrant[], owner: string | undefined): AclState {
  const own = owner === undefined ? undefined : `id="${owner}"`
  const others = grants.filter(({ grantee, permission }) => grantee !== own || permission !== 'FULL_CONTROL')
  const found = OTHERS.find(([, granted]) => granted.length === others.length && granted.every(isIn(others)))
  return { canned: found?.[0], owner, grants }
}

function isIn(grants: readonly AclGrant[]): (grant: AclGrant) => boolean {
  return wanted => grants.some(grant => grant.grantee === wanted.grantee && grant.permission === wanted.permission)
}

/** An object's grants as they are handed on with its traits, of an owner who needs no name. Undefined: not known here. */
export function cannedGrants(acl: CannedAcl): ObjectTraits['grants'] {
  switch (acl) {
    case 'private':
      return {}
    case 'public-read':
    case 'public-read-write':
      return { read: [ALL_USERS] }
    case 'authenticated-read':
      return { read: [AUTHENTICATED_USERS] }
    default:
      return undefined
  }
}

export function grantsOfTraits(grants: ObjectTraits['grants'] = {}): readonly AclGrant[] {
  return Object.entries(grants).flatMap(([kind, grantees]) =>
    grantees.map(grantee => ({ grantee, permission: KINDS[kind as GrantKind] })),
  )
}

/** Whether everybody may read. */
export function areForAll(grants: ObjectTraits['grants'] = {}): boolean {
  return [...(grants.read ?? []), ...(grants.fullControl ?? [])].includes(ALL_USERS)
}
