/**
 * What some stores can do beside the contract of all, found through `capabilities.powers`. A power that a store has not got
 * is absent; `requirePower` says so in one line. Layers hand powers on as they do every other call: a prefix is put before
 * the keys, a read-only store refuses what would change something or permit it, and requests are limited, counted and
 * repeated.
 */
import type { Attachments, CallOptions, Metadata, ObjectHeaders, ObjectInfo, WriteResult } from './object-store.js'
import { StoreError } from './store-error.js'

/** Amazon S3 User Guide, "Canned ACL". */
export const CANNED_ACLS = [
  'private',
  'public-read',
  'public-read-write',
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
] as const

export type CannedAcl = (typeof CANNED_ACLS)[number]

export interface AclGrant {
  /** `id="..."` or `uri="..."`, as in the headers x-amz-grant-*. */
  readonly grantee: string
  readonly permission: 'READ' | 'WRITE' | 'READ_ACP' | 'WRITE_ACP' | 'FULL_CONTROL'
}

export interface AclState {
  /** The canned ACL that these grants are; undefined when they are those of none. */
  readonly canned: CannedAcl | undefined
  /** The owner's id, where the store has one. */
  readonly owner: string | undefined
  readonly grants: readonly AclGrant[]
}

/** Who may do what with an object, or (key undefined) with the bucket. */
export interface AclPower {
  get(key: string | undefined, options?: CallOptions): Promise<AclState>
  set(key: string | undefined, acl: CannedAcl, options?: CallOptions): Promise<void>
}

/** Where objects are for those without credentials. */
export interface PublicAccessPower {
  /** Of an object, or of all below a prefix: what is behind the prefix in a key is behind this in its URL. No request. */
  url(keyOrPrefix: string, options?: CallOptions): Promise<string>
  /** Whether everybody may read the object at its URL now, by whatever rule; `not-found` where that can be told. */
  isPublic(key: string, options?: CallOptions): Promise<boolean>
}

export type SignedMethod = 'GET' | 'HEAD' | 'PUT' | 'DELETE'

export interface SignUrlOptions extends CallOptions {
  readonly method: SignedMethod
  /** From now on; whole seconds up to `maxExpiresMs`. Signed with passing credentials it ends with those at the latest. */
  readonly expiresMs: number
  /** GET and HEAD: what the reply has. PUT: what must be sent, and is kept with the object. */
  readonly contentDisposition?: string | undefined
  readonly contentType?: string | undefined
  /** Of the object, where the store keeps versions. */
  readonly versionId?: string | undefined
}

export interface SignedUrl {
  readonly url: string
  readonly method: SignedMethod
  /** What must be sent along as it is: names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly expiresAtMs: number
}

export interface SignFormOptions extends CallOptions {
  readonly expiresMs: number
  readonly minSizeBytes?: number | undefined
  /** Larger files are refused. */
  readonly maxSizeBytes?: number | undefined
  readonly headers?: Pick<ObjectHeaders, 'contentType' | 'contentDisposition' | 'cacheControl'> | undefined
  readonly metadata?: Metadata | undefined
  readonly acl?: CannedAcl | undefined
  /** Where the browser goes after the upload. */
  readonly redirect?: string | undefined
  /** What the upload is answered with, without a redirect. Default 204. */
  readonly status?: 200 | 201 | 204 | undefined
}

/** A form that uploads one file: the fields in this order, then the file as `file`, as multipart/form-data by POST. */
export interface SignedForm {
  readonly url: string
  readonly fields: Readonly<Record<string, string>>
  readonly expiresAtMs: number
}

/** Permission for others to make one request, for a while. */
export interface SigningPower {
  readonly maxExpiresMs: number
  signUrl(key: string, options: SignUrlOptions): Promise<SignedUrl>
  /** A key that ends in `${filename}` leaves the end of the name to who uploads. */
  signForm(key: string, options: SignFormOptions): Promise<SignedForm>
}

/** The content delivery network in front of a bucket: kept with the bucket, so that all who use it know. */
export interface CdnPower {
  /** The URL that a key is put behind; undefined: none is enabled. */
  base(options?: CallOptions): Promise<string | undefined>
  /** Undefined disables it. */
  setBase(url: string | undefined, options?: CallOptions): Promise<void>
  /** Of an object or prefix; undefined: none is enabled. */
  url(keyOrPrefix: string, options?: CallOptions): Promise<string | undefined>
}

/** An object of one store as another one of the same provider asks its server for it. */
export interface ForeignObject {
  /** The same for stores whose server can copy from one to the other. */
  readonly provider: string
  readonly bucket: string
  /** With the key that it has in the bucket, before any prefix was taken away. */
  readonly info: ObjectInfo
}

/** One of the parts in which an object came. */
export interface ObjectPart {
  readonly sizeBytes: number
  /** How many there are in all. */
  readonly parts: number
}

/** In which parts objects came: with it an ETag of S3 that is made of theirs can be compared with bytes. */
export interface PartsPower {
  /** Of the version with this ETag; undefined where nothing is told of it. Parts count from 1. */
  part(key: string, etag: string, number: number, options?: CallOptions): Promise<ObjectPart | undefined>
}

/** What a bucket keeps of objects that have been replaced or deleted. */
export interface VersionsPower {
  /**
   * Removes for good versions of keys below a prefix, the present ones and marks of deleted keys included: as many as a
   * request or two can, and resolves with how many; 0 when nothing is left.
   */
  removeSome(prefix: string, options?: CallOptions): Promise<number>
}

/** Copies between buckets on the server. */
export interface ForeignCopyPower {
  /** An object of this store for another one. */
  nameOf(info: ObjectInfo): ForeignObject
  /** Whether the server of this store may be asked for it; what it may read is its own to say. */
  reaches(source: ForeignObject): boolean
  /** That version. Given metadata or headers replace both of the source's; with neither, both are kept. */
  copyFrom(source: ForeignObject, to: string, options?: CallOptions & Attachments): Promise<WriteResult>
}

export interface Powers {
  readonly foreignCopy?: ForeignCopyPower | undefined
  readonly acl?: AclPower | undefined
  readonly publicAccess?: PublicAccessPower | undefined
  readonly signing?: SigningPower | undefined
  readonly cdn?: CdnPower | undefined
  readonly parts?: PartsPower | undefined
  readonly versions?: VersionsPower | undefined
}

export type PowerName = keyof Powers

const WORDS: Readonly<Record<PowerName, string>> = {
  foreignCopy: 'no copies between buckets on the server',
  acl: 'no ACLs',
  publicAccess: 'no public URLs',
  signing: 'no signed URLs and forms',
  cdn: 'no CDN',
  parts: 'no word of the parts of objects',
  versions: 'no versions',
}

/** The power of a store, or `unsupported` with the store's URL. */
export function requirePower<N extends PowerName>(
  store: { readonly url: string; readonly capabilities: { readonly powers: Powers } },
  name: N,
): NonNullable<Powers[N]> {
  const power = store.capabilities.powers[name]
  if (power === undefined) throw new StoreError('unsupported', `${store.url} has ${WORDS[name]}`)
  return power
}
