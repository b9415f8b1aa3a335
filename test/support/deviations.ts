import type { Deviation } from '../stores/suite/suite-context.js'

/** Where real servers are known to do otherwise than Amazon S3, each with the reason. */

/** Ceph RGW 16.2. */
export const CEPH_DEVIATIONS: readonly Deviation[] = [
  // Only plain PUT looks at If-Match and If-None-Match.
  'complete-conditions-checked',
  'copy-conditions-checked',
  'delete-conditions-checked',
  // A PUT that loses to another one at the very same time is answered 500 UnknownError.
  'losers-of-a-race-may-fail',
  // Answered with InvalidPart unless all parts that were uploaded are named.
  'complete-wants-every-part',
  // There is STANDARD alone unless the placement of a zone has more.
  'keeps-no-storage-class',
  // Refused over plain HTTP.
  'keeps-no-encryption',
]

/** OpenStack Swift's s3api (2.30). */
export const SWIFT_DEVIATIONS: readonly Deviation[] = [
  // A conditional PUT is answered 501 NotImplemented.
  'put-conditions-checked',
  'complete-conditions-checked',
  'copy-conditions-checked',
  // 400 InvalidStorageClass, and 501 NotImplemented for the others; grants are taken and forgotten.
  'keeps-no-storage-class',
  'keeps-no-encryption',
  'keeps-no-tags',
  'keeps-no-grants',
]

/** MinIO on a folder: keys are paths of files. */
export const MINIO_DEVIATIONS: readonly Deviation[] = [
  'keys-do-not-nest',
  'refuses-empty-segments',
  'refuses-dot-segments',
  'refuses-leading-slash',
]
