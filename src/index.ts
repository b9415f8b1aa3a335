/** The library: buckets, object stores behind one contract, and mounting one of them. Nothing else is public. */
export type { BucketAdmin, BucketInfo, CreateBucketOptions } from './backend/bucket-admin.js'
export type { Handler } from './backend/local/served/handler.js'
export {
  openFolderHandler,
  type ServedFolder,
  type ServeOptions,
  serveFolder,
} from './backend/local/served/serve-folder.js'
export type { Log, LogFields } from './backend/log.js'
export type * from './backend/object-store.js'
export type * from './backend/powers.js'
export { requirePower } from './backend/powers.js'
export { openStore, type StoreOptions } from './backend/registry.js'
export type { S3Credentials, S3Options } from './backend/s3/options.js'
export { StoreError, type StoreErrorDetails, type StoreErrorKind } from './backend/store-error.js'
export { Bucket } from './bucket/bucket.js'
export type { BucketCallOptions, BucketServices, BucketSettings } from './bucket/bucket-services.js'
export { Buckets, type DeleteBucketOptions } from './bucket/buckets.js'
export type { ObjectFormat } from './bucket/formats.js'
export type { BucketGetOptions, ObjectStream } from './bucket/get.js'
export type { GetFileResult } from './bucket/get-file.js'
export type { GetFolderOptions } from './bucket/get-folder.js'
export type { ObjectDetails } from './bucket/info.js'
export type { BucketListOptions, IterateOptions, Listing } from './bucket/listing.js'
export type { ProgressCallback } from './bucket/progress.js'
export type { BucketPutOptions, PutContent, PutFileOptions, PutResult } from './bucket/put.js'
export type { PutFolderOptions } from './bucket/put-folder.js'
export type { MakePublicOptions, PublicFacts } from './bucket/sharing.js'
export { type FormPostOptions, formHtml, type PresignOptions } from './bucket/signing.js'
export type { TransferFailure, TransferSummary } from './bucket/transfers.js'
export { type BucketHooks, type BucketOptions, openBucket, openBuckets } from './compose/open-bucket.js'
export { ConfigurationError, MountError, type MountHooks, type MountOptions, mount } from './compose.js'
