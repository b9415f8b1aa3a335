/** The library: object stores behind one contract, and mounting one of them. Nothing else is public. */
export type { Log, LogFields } from './backend/log.js'
export type * from './backend/object-store.js'
export { openStore, type StoreOptions } from './backend/registry.js'
export type { S3Credentials, S3Options } from './backend/s3/options.js'
export { StoreError, type StoreErrorDetails, type StoreErrorKind } from './backend/store-error.js'
export { ConfigurationError, MountError, type MountHooks, type MountOptions, mount } from './compose.js'
