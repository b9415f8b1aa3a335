/** Amazon S3 User Guide, "Amazon S3 multipart upload limits"; its GB are GiB. Other servers keep to the same. */
const MIB = 1024 ** 2
const GIB = 1024 ** 3

export const MULTIPART_LIMITS = { minPartBytes: 5 * MIB, maxPartBytes: 5 * GIB, maxParts: 10_000 } as const
export const MAX_PUT_BYTES = 5 * GIB
export const MAX_COPY_BYTES = 5 * GIB
export const MAX_METADATA_BYTES = 2048
/** Keys of one DeleteObjects. */
export const MAX_DELETE_KEYS = 1000
