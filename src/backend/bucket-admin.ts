import type { CallOptions } from './object-store.js'
import type { CannedAcl } from './powers.js'

export interface BucketInfo {
  readonly name: string
  /** Where the store tells it. */
  readonly createdMs?: number | undefined
}

export interface CreateBucketOptions extends CallOptions {
  readonly acl?: CannedAcl | undefined
  /** Default: the region that the account is opened with. */
  readonly region?: string | undefined
}

/** The buckets of an account (S3), the folders within a folder, the buckets in this process's memory. */
export interface BucketAdmin {
  /** For messages: `s3://`, `file:///PARENT`, `mem://`. */
  readonly url: string
  /** Rejects with `exists`, whoever has it; `invalid` for a name that can't be. */
  create(name: string, options?: CreateBucketOptions): Promise<void>
  /** Rejects with `precondition-failed` while there is an object in it, `not-found` where there is none. */
  delete(name: string, options?: CallOptions): Promise<void>
  /** In the order of their names. */
  list(options?: CallOptions): Promise<readonly BucketInfo[]>
  /** Rejects with `denied` where it exists and is somebody else's. */
  exists(name: string, options?: CallOptions): Promise<boolean>
  /** Rejects with `denied` where the credentials are missing, wrong or expired, whatever they permit. */
  validateCredentials(options?: CallOptions): Promise<void>
  /** The regions that buckets can be in; `unsupported` where there are none or none are known. */
  regions(): readonly string[]
  close(): Promise<void>
}
