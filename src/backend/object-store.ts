/**
 * The contract that every object store and every layer around one fulfils.
 *
 * Keys are well-formed Unicode strings of 1 to 1,024 UTF-8 bytes and are listed in UTF-8 byte order (`compareKeys` in
 * keys.ts). ETags are opaque, without the quotes of HTTP. All sizes and offsets are bytes. Every method rejects with
 * `StoreError` and nothing else.
 */

import type { Signal } from './call-signal.js'
import type { CannedAcl, Powers } from './powers.js'
import type { StoreError } from './store-error.js'

/** Who waits for the answer. Limits serve `demand` first and never give the last slot to the others. */
export type Priority = 'demand' | 'read-ahead' | 'background'

export interface CallOptions {
  /** Ends the call with kind `aborted`. */
  readonly signal?: Signal | undefined
  /** Default `demand`. */
  readonly priority?: Priority | undefined
  /** A call that still waits for its turn when a program has come to wait for the answer then is `demand`. */
  readonly urged?: Urge | undefined
  /** Told by a layer that lets the call wait. */
  readonly turn?: Turn | undefined
}

/** That a program has come to wait for what was asked for ahead of it. An AbortSignal would do, at several times the cost. */
export interface Urge {
  readonly isUrged: boolean
  /** Has `run` called once when it comes to that, at once if it has; the answered function calls it off. */
  onUrge(run: () => void): () => void
}

/** Who watches a call: while it waits for its turn, it is not the store that is silent. */
export interface Turn {
  waiting(): void
  /** The turn has come. Not told of a call that was aborted before. */
  granted(): void
}

/** What a listing tells of an object. `key` and `etag` (and `versionId`) name one version of its bytes. */
export interface ObjectVersion {
  readonly key: string
  readonly sizeBytes: number
  readonly etag: string
  readonly lastModifiedMs: number
  readonly versionId?: string | undefined
  readonly storageClass?: string | undefined
}

/** Content headers that are kept with an object and handed out with it. */
export interface ObjectHeaders {
  readonly contentType?: string | undefined
  readonly contentEncoding?: string | undefined
  readonly contentDisposition?: string | undefined
  readonly contentLanguage?: string | undefined
  readonly cacheControl?: string | undefined
  /** As in the HTTP header Expires. */
  readonly expires?: string | undefined
}

/** User metadata: names in lower case without the provider's prefix (`x-amz-meta-`). */
export type Metadata = Readonly<Record<string, string>>

/** What HEAD and GET tell. */
export interface ObjectInfo extends ObjectVersion {
  readonly metadata: Metadata
  readonly headers: ObjectHeaders
  readonly encryption?: { readonly algorithm: string; readonly keyId?: string | undefined } | undefined
  /** Encrypted with a key that only its users have, so that the ETag tells nothing of the bytes. */
  readonly hasCustomerKey?: true | undefined
  /**
   * Base64 by algorithm in lower case (`crc32`, `sha256`), where the store was asked for them (HEAD) and has them. One
   * that is of the checksums of N parts has `-N` behind it.
   */
  readonly checksums?: Readonly<Record<string, string>> | undefined
  /** How many tags the object has, where the store tells it; undefined may be none. */
  readonly tagCount?: number | undefined
}

/** Half-open in spirit: `lengthBytes` bytes from `offset`. A GET that reaches over the end is cut there. */
export interface ByteRange {
  readonly offset: number
  readonly lengthBytes: number
}

export interface ListOptions extends CallOptions {
  /** Only keys that begin with this. Default: all. */
  readonly prefix?: string | undefined
  /** Keys that hold this behind the prefix are rolled up into `prefixes`. Only `/` is used. */
  readonly delimiter?: '/' | undefined
  /** Only keys and common prefixes behind this one, in key order. */
  readonly startAfter?: string | undefined
  /** The `next` of the page before; it goes with the same prefix and delimiter. */
  readonly cursor?: string | undefined
  /** Objects and prefixes together at the most; stores may give fewer. Default and maximum 1,000. */
  readonly limit?: number | undefined
}

export interface ListPage {
  /** In key order. */
  readonly objects: readonly ObjectVersion[]
  /** Common prefixes in key order, each with its trailing delimiter. */
  readonly prefixes: readonly string[]
  /** The cursor of the next page; undefined on the last one. A page may be empty and still have a next one. */
  readonly next?: string | undefined
}

/** Bytes to store: in memory, or a source that can be opened anew for another try. */
export type Body = Uint8Array | BodySource

export interface BodySource {
  readonly sizeBytes: number
  /** Exactly `sizeBytes` bytes, from the beginning, at every call. */
  open(): AsyncIterable<Uint8Array>
  /**
   * The same bytes, where they already are in memory: a store may send them as they are, and must not keep them once the
   * request has ended.
   */
  readonly inMemory?: readonly Uint8Array[] | undefined
  /** A store that sends `inMemory` calls it as bytes leave: a sign of progress. */
  onSent?(): void
}

/** A condition that does not hold rejects with `precondition-failed` and changes nothing. */
export interface WriteConditions {
  /** The object's present ETag must be this one. */
  readonly ifMatch?: string | undefined
  /** The object must not exist. */
  readonly ifNoneMatch?: '*' | undefined
  /**
   * An earlier call of unknown outcome may have stored just this: when the condition does not hold, who repeats calls looks
   * whether it has, and answers as that call should have.
   */
  readonly mayBeStored?: boolean | undefined
}

/**
 * What a store keeps of an object beside bytes, headers and user metadata, and what would be lost if the object were
 * written anew without it. Empty where there is nothing but the bucket's defaults.
 */
export interface ObjectTraits {
  /** Undefined: the bucket's default. */
  readonly storageClass?: string | undefined
  /** As in x-amz-server-side-encryption and -aws-kms-key-id. */
  readonly encryption?: { readonly algorithm: string; readonly keyId?: string | undefined } | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
  /**
   * Who may do what: grantees in the form of the headers x-amz-grant-*, `uri="..."`, `id="..."`. Empty: the owner alone.
   * Undefined: not known, or there are no ACLs. Where others are named the owner is, too, since grants that are given
   * are all that there are.
   */
  readonly grants?: Readonly<Partial<Record<GrantKind, readonly string[]>>> | undefined
}

export type GrantKind = 'read' | 'readAcp' | 'writeAcp' | 'fullControl'

export interface TraitsOptions extends CallOptions {
  /** What a listing, HEAD or GET told: what stands in it is not asked for again. */
  readonly listed?: ObjectVersion | undefined
  /** `grants`, or `others`: all but them. Default: both. */
  readonly only?: 'grants' | 'others' | undefined
  /** At most one request, so without what only HEAD tells (the encryption) and tags, which copies keep by themselves. */
  readonly brief?: boolean | undefined
  /** Nothing is written to find something out, not even for a moment. Default false. */
  readonly writesNothing?: boolean | undefined
}

/** What is kept beside the bytes. `traits` that are not given are the bucket's defaults; copies keep tags by themselves. */
export interface Attachments {
  readonly metadata?: Metadata | undefined
  readonly headers?: ObjectHeaders | undefined
  readonly traits?: ObjectTraits | undefined
  /** In the place of `traits.grants`. `unsupported` where the store has no such ACL. */
  readonly acl?: CannedAcl | undefined
}

export interface PutOptions extends CallOptions, WriteConditions, Attachments {}

export interface WriteResult {
  readonly etag: string
  readonly versionId?: string | undefined
  /** Where the reply tells it (copy does, S3's PUT does not). */
  readonly lastModifiedMs?: number | undefined
}

export interface GetOptions extends CallOptions {
  readonly range?: ByteRange | undefined
  /** Another version answers `precondition-failed`. */
  readonly ifMatch?: string | undefined
}

export interface GetResult {
  /** `sizeBytes` is the whole object's, also for a range. */
  readonly info: ObjectInfo
  /** The bytes. Ending the iteration early gives the connection up. A cut-off body throws, it never just ends. */
  readonly body: AsyncIterable<Uint8Array>
}

/** Where a ReadPlan puts what it receives: the memory of the blocks being filled. */
export interface ReadSink {
  /** The free part of the memory being filled: at least one byte until the plan's range is complete. */
  free(): Uint8Array
  /** The first `bytes` bytes of what `free()` gave hold the next bytes of the range. */
  advance(bytes: number): void
}

/** One ranged GET, ready to run. A lane runs it once and fills blocks with it, so that nothing is copied twice. */
export interface ReadPlan {
  readonly key: string
  readonly range: ByteRange
  /** Resolves when the whole range has been handed to the sink; a shorter or different answer rejects (`corrupt`). */
  run(sink: ReadSink, signal?: Signal): Promise<ObjectInfo>
}

export interface PrepareReadOptions extends CallOptions {
  readonly ifMatch?: string | undefined
}

export interface CompletedPart {
  /** 1 to `multipart.maxParts`; parts go into the object in this order. */
  readonly number: number
  readonly etag: string
  readonly sizeBytes: number
}

/** An unfinished multipart upload: nothing of it is visible until `complete`. */
export interface Upload {
  readonly key: string
  readonly uploadId: string
  /** Stores one part; a number used again replaces the earlier one. */
  part(number: number, body: Body, options?: CallOptions): Promise<CompletedPart>
  /** Fills one part with a range of a stored object, on the server. `unsupported` without `capabilities.copyPart`. */
  copyPart(number: number, source: CopyPartSource, options?: CallOptions): Promise<CompletedPart>
  /** Makes the object of these parts, all or nothing. */
  complete(parts: readonly CompletedPart[], options?: CallOptions & WriteConditions): Promise<WriteResult>
  /** Drops the parts. An upload that is gone already is no error. */
  abort(options?: CallOptions): Promise<void>
}

export interface CopyPartSource {
  readonly key: string
  readonly range: ByteRange
  readonly sourceIfMatch?: string | undefined
  /** The source is what the upload will replace if it is still that version then: so here the condition may cost no request. */
  readonly isAskedAgain?: boolean | undefined
}

export interface PendingUpload {
  readonly key: string
  readonly uploadId: string
  readonly startedMs: number
}

export interface CopyOptions extends CallOptions, WriteConditions, Attachments {
  /** The source must be this version. Given metadata or headers replace both; with neither, both are kept. */
  readonly sourceIfMatch?: string | undefined
  /** The size of the source, if known: a large one is given more time, and may be copied by parts at once. */
  readonly sizeBytes?: number | undefined
}

export interface DeleteEntry {
  readonly key: string
  readonly ifMatch?: string | undefined
}

export interface DeleteResult {
  readonly key: string
  /** Why this key is still there. Deleting what does not exist is no error. */
  readonly error?: StoreError | undefined
}

/**
 * How a condition is kept: `atomic` by the store itself; `checked` by a HEAD just before, since the server is known to
 * ignore it (a narrow window stays open); `unknown` until the first use has probed it; `none` rejects as `unsupported`.
 */
export type ConditionSupport = 'atomic' | 'checked' | 'unknown' | 'none'

export interface Capabilities {
  /** Live: probing changes them. */
  readonly conditions: {
    readonly put: ConditionSupport
    readonly complete: ConditionSupport
    readonly copy: ConditionSupport
    readonly delete: ConditionSupport
  }
  readonly multipart: {
    /** The least size of every part but the last. */
    readonly minPartBytes: number
    readonly maxPartBytes: number
    readonly maxParts: number
  }
  readonly copyPart: boolean
  readonly maxPutBytes: number
  /** Larger sources are copied by parts. */
  readonly maxCopyBytes: number
  /** Names and values of user metadata together. */
  readonly maxMetadataBytes: number
  /** False where `a` and `a/b` can't both be objects. */
  readonly keysMayNest: boolean
  /** What else it can do: powers.ts. */
  readonly powers: Powers
}

/** One bucket (or a part of one). */
export interface ObjectStore {
  /** The URL it was opened with, for messages; without secrets. */
  readonly url: string
  readonly capabilities: Capabilities
  head(key: string, options?: CallOptions): Promise<ObjectInfo>
  list(options?: ListOptions): Promise<ListPage>
  get(key: string, options?: GetOptions): Promise<GetResult>
  prepareRead(key: string, range: ByteRange, options?: PrepareReadOptions): Promise<ReadPlan>
  put(key: string, body: Body, options?: PutOptions): Promise<WriteResult>
  createUpload(key: string, options?: CallOptions & Attachments): Promise<Upload>
  /** An upload begun earlier, by its id; costs no request. */
  resumeUpload(key: string, uploadId: string): Upload
  /** Unfinished uploads below a prefix. */
  listUploads(options?: CallOptions & { readonly prefix?: string }): Promise<readonly PendingUpload[]>
  listParts(key: string, uploadId: string, options?: CallOptions): Promise<readonly CompletedPart[]>
  copy(from: string, to: string, options?: CopyOptions): Promise<WriteResult>
  /** What must be handed on to whatever replaces the object. What the store does not tell or know is left out. */
  traits(key: string, options?: TraitsOptions): Promise<ObjectTraits>
  /** Any number of keys; one result for each, in order. Rejects only when nothing could be asked. */
  delete(entries: readonly DeleteEntry[], options?: CallOptions): Promise<readonly DeleteResult[]>
  close(): Promise<void>
}
