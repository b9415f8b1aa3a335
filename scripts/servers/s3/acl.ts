import type { Acl, Bucket, Grant, StoredObject } from './bucket.js'
import type { Call } from './call.js'
import { type Reply, xml } from './reply.js'
import { invalidArgument, malformedXml, noSuchKey, S3Error } from './s3-error.js'
import { bucketOf, type Service } from './service.js'
import { bodiesOf, document, element, Markup, textOf } from './xml.js'

/** All keys of the server are one account's. */
export const OWNER = 'owner'

const ALL_USERS = 'http://acs.amazonaws.com/groups/global/AllUsers'
const AUTHENTICATED_USERS = 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers'
const FULL_CONTROL: Grant = { type: 'id', grantee: OWNER, permission: 'FULL_CONTROL' }

export const PRIVATE: Acl = [FULL_CONTROL]

/** Amazon S3 User Guide, "Canned ACL"; the bucket's owner is the object's here. */
const CANNED: Readonly<Record<string, Acl>> = {
  private: PRIVATE,
  'bucket-owner-read': PRIVATE,
  'bucket-owner-full-control': PRIVATE,
  'public-read': [FULL_CONTROL, { type: 'uri', grantee: ALL_USERS, permission: 'READ' }],
  'public-read-write': [
    FULL_CONTROL,
    { type: 'uri', grantee: ALL_USERS, permission: 'READ' },
    { type: 'uri', grantee: ALL_USERS, permission: 'WRITE' },
  ],
  'authenticated-read': [FULL_CONTROL, { type: 'uri', grantee: AUTHENTICATED_USERS, permission: 'READ' }],
}
const PERMISSIONS: Readonly<Record<string, string>> = {
  'x-amz-grant-read': 'READ',
  'x-amz-grant-read-acp': 'READ_ACP',
  'x-amz-grant-write-acp': 'WRITE_ACP',
  'x-amz-grant-full-control': 'FULL_CONTROL',
}
const TYPES = { id: 'CanonicalUser', uri: 'Group', emailAddress: 'AmazonCustomerByEmail' } as const
const ELEMENTS = { id: 'ID', uri: 'URI', emailAddress: 'EmailAddress' } as const

/** What x-amz-acl or x-amz-grant-* of a request say; grants that are given are all that there are. */
export function givenAcl(service: Service, call: Call): Acl {
  const canned = call.header('x-amz-acl')
  const grants = Object.entries(PERMISSIONS).flatMap(([name, permission]) =>
    granteesOf(call.header(name)).map(grantee => ({ ...grantee, permission })),
  )
  if (canned === undefined && grants.length === 0) return PRIVATE
  if (service.knobs.bucketOwnerEnforced) {
    if (canned === 'bucket-owner-full-control' && grants.length === 0) return PRIVATE
    throw new S3Error(400, 'AccessControlListNotSupported', 'The bucket does not allow ACLs')
  }
  if (canned === undefined) return grants
  if (grants.length > 0)
    throw new S3Error(400, 'InvalidRequest', 'Specifying both Canned ACLs and Header Grants is not allowed')
  const acl = CANNED[canned]
  if (acl === undefined) throw invalidArgument(`x-amz-acl ${canned}`)
  return acl
}

/** `uri="...", id="..."` */
function granteesOf(header: string | undefined): readonly Pick<Grant, 'type' | 'grantee'>[] {
  if (header === undefined) return []
  return header.split(',').map(item => {
    const [, type, grantee] = /^\s*(id|uri|emailAddress)="?([^"]+)"?\s*$/.exec(item) ?? []
    if (type === undefined || grantee === undefined) throw invalidArgument('Argument format not recognized')
    return { type: type as Grant['type'], grantee }
  })
}

export function getAcl(service: Service, call: Call): Reply {
  const { acl } = objectOf(bucketOf(service, call.bucket), call.key)
  const shown = service.knobs.bucketOwnerEnforced ? PRIVATE : acl
  const grants = shown.map(({ type, grantee, permission }) => {
    const attributes = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="${TYPES[type]}"`
    const inner = new Markup(element('Grantee', { [ELEMENTS[type]]: grantee }, attributes))
    return { Grantee: inner, Permission: permission }
  })
  return xml(document('AccessControlPolicy', { Owner: { ID: OWNER }, AccessControlList: { Grant: grants } }))
}

/** By headers, or by a policy in the body. */
export async function putAcl(service: Service, call: Call): Promise<Reply> {
  const bucket = bucketOf(service, call.bucket)
  const { content } = await service.readBody(call)
  const body = Buffer.concat(content.pieces).toString()
  const acl = body === '' ? givenAcl(service, call) : parseAcl(body)
  if (service.knobs.bucketOwnerEnforced)
    throw new S3Error(400, 'AccessControlListNotSupported', 'The bucket does not allow ACLs')
  bucket.set(call.key, { ...objectOf(bucket, call.key), acl })
  return { status: 200 }
}

function parseAcl(body: string): Acl {
  return bodiesOf(body, 'Grant').map(grant => {
    const type = (['id', 'uri', 'emailAddress'] as const).find(each => textOf(grant, ELEMENTS[each]) !== undefined)
    const permission = textOf(grant, 'Permission')
    if (type === undefined || permission === undefined) throw malformedXml()
    return { type, grantee: textOf(grant, ELEMENTS[type]) ?? '', permission }
  })
}

export function getOwnershipControls(service: Service, call: Call): Reply {
  bucketOf(service, call.bucket)
  if (!service.knobs.bucketOwnerEnforced)
    throw new S3Error(404, 'OwnershipControlsNotFoundError', 'The bucket ownership controls were not found')
  return xml(document('OwnershipControls', { Rule: { ObjectOwnership: 'BucketOwnerEnforced' } }))
}

function objectOf(bucket: Bucket, key: string): StoredObject {
  const object = bucket.get(key)
  if (object === undefined) throw noSuchKey()
  return object
}
