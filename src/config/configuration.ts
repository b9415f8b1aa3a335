import type { KeepFree } from './keep-free.js'
import type { OptionValues } from './option-table.js'

export const S3_NAMES = [
  'endpoint',
  'region',
  'profile',
  'accessKeyId',
  'secretAccessKey',
  'sessionToken',
  'signRequest',
  'requesterPays',
  'sse',
  'sseKmsKeyId',
  'sseCKeyFile',
  'storageClass',
  'acl',
  'pathStyle',
  'checksums',
  'signPayload',
] as const

export const MOUNT_NAMES = [
  'readOnly',
  'allowOther',
  'allowRoot',
  'defaultPermissions',
  'transport',
  'exclusiveCreate',
] as const

/** How to reach an S3 store and what to store with its objects. */
export type S3Settings = Pick<OptionValues, (typeof S3_NAMES)[number]>

/** How the mount is made. */
export interface MountSettings extends Pick<OptionValues, (typeof MOUNT_NAMES)[number]> {
  /** For the kernel: `nosuid`, `noatime`, ... */
  readonly kernelOptions: readonly string[]
  readonly kernelReadAheadBytes: number
  /** Signals that end a program with nothing published of what it was writing. */
  readonly keptSignals: readonly number[]
}

/** What files and folders show that carry no attributes of their own. Modes without type bits. */
export interface OwnerSettings {
  readonly uid: number
  readonly gid: number
  readonly fileMode: number
  readonly dirMode: number
}

/** The bounds of caches, requests and uploads. */
export interface DataSettings {
  /** Of all buffers of reading and writing together. */
  readonly memoryBytes: number
  readonly blockSizeBytes: number
  /** The largest window of the driver's own read-ahead. */
  readonly readAheadBytes: number
  readonly metadataTtlMs: number
  readonly metadataEntries: number
  readonly attributes: 'listing' | 'full'
  /** Requests on the wire at once. */
  readonly requests: number
  /** Threads that receive and hand out what is read; 0: the main one does. */
  readonly dataThreads: number
  /** Time without progress. */
  readonly timeoutMs: number
  /** Tries of one request in all. */
  readonly attempts: number
  readonly partSizeBytes: number
  /** Parts of one file on the wire at once. */
  readonly uploadConcurrency: number
  readonly stagingSizeBytes: number
  /** Of what could not be stored; beyond it the log warns. */
  readonly keptSizeBytes: number
  readonly abortAfterMs: number
  /** What statfs shows. */
  readonly volumeSizeBytes: number
}

/** Blocks on the local disk. */
export interface DiskCacheSettings {
  /** Absolute; it need not exist yet. */
  readonly dir: string
  readonly maxBytes: number
  readonly keepFree: KeepFree
}

/** Absolute paths; none of them need exist yet. */
export interface PlaceSettings {
  /** What is known of endpoints, shared by all mounts. */
  readonly endpointsDir: string
  /** This mount's own: the same store at the same mount point finds it again. */
  readonly stateDir: string
}

export interface LogSettings {
  readonly level: OptionValues['logLevel']
  /** Undefined: standard error. */
  readonly file: string | undefined
  readonly maxBytes: number
}

/** Everything that is needed to reach a store, checked and with every default in its place. Plain data. */
export interface StoreConfiguration {
  /** Without secrets and without a slash at the end. */
  readonly url: string
  /** Nobody named a store: `url` is the embedded one, whose folder may not exist yet. */
  readonly isEmbedded: boolean
  /** Where a folder is served; undefined: it is asked who serves it. */
  readonly publicUrl?: string | undefined
  readonly s3: S3Settings
  readonly mount: Pick<MountSettings, 'readOnly'>
  readonly data: DataSettings
  readonly places: { readonly endpointsDir: string | undefined }
}

/** What `bucket` and the library's Bucket need to know. */
export interface BucketConfiguration extends StoreConfiguration {
  readonly places: {
    /** Undefined: this user has no place for state, and what is found out of an endpoint is found out again. */
    readonly endpointsDir: string | undefined
    /** Below which folder state is kept. Absolute; it need not exist yet. */
    readonly stateRoot: string | undefined
    readonly cacheRoot: string | undefined
  }
  readonly log: { readonly level: OptionValues['logLevel'] }
}

/** Everything that a mount needs to know. */
export interface MountConfiguration extends StoreConfiguration {
  /** Absolute. */
  readonly mountPoint: string
  readonly foreground: boolean
  readonly mount: MountSettings
  readonly owner: OwnerSettings
  /** Undefined: none is asked for, or the store has no use for one. */
  readonly diskCache: DiskCacheSettings | undefined
  readonly places: PlaceSettings
  readonly log: LogSettings
  /** Where systemd waits for READY=1 ($NOTIFY_SOCKET). */
  readonly notifySocket: string | undefined
}
