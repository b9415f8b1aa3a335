import type { DeleteResult, ObjectStore, ObjectVersion, WriteResult } from '../backend/object-store.js'
import { type AclPower, type CdnPower, requirePower, type SignedForm, type SignedUrl } from '../backend/powers.js'
import { BackgroundUploads } from './background-uploads.js'
import type { BucketCallOptions, BucketServices } from './bucket-services.js'
import {
  type BucketCopyOptions,
  type CopyFolderOptions,
  type CopyResult,
  copyAcross,
  copyFolder,
  copyObject,
  moveAcross,
  moveObject,
  refuseWithin,
} from './copy.js'
import { type BucketGetOptions, getBytes, getStream, getValue, type ObjectStream } from './get.js'
import { type GetFileResult, getFile } from './get-file.js'
import { type GetFolderOptions, getFolder } from './get-folder.js'
import { type ObjectDetails, objectExists, objectInfo } from './info.js'
import { type BucketListOptions, type IterateOptions, iterateObjects, type Listing, listObjects } from './listing.js'
import { type MetadataChanges, type SetMetadataOptions, setMetadata } from './metadata.js'
import {
  type BucketPutOptions,
  type PutContent,
  type PutFileOptions,
  type PutResult,
  putContent,
  putFile,
} from './put.js'
import { type PutFolderOptions, putFolder } from './put-folder.js'
import { type RemoveOptions, type RemovePrefixOptions, removeObjects, removePrefix } from './remove.js'
import { BucketSearch, type SearchOptions } from './search/bucket-search.js'
import type { SearchIndex } from './search/search-index.js'
import type { SearchQuery, SearchResult } from './search/search-query.js'
import { isPublic, type MakePublicOptions, makePrivate, makePublic, publicUrl, publicUrlFolder } from './sharing.js'
import { type FormPostOptions, formPost, type PresignOptions, presign } from './signing.js'
import { syncFiles, syncFrom, syncTo } from './sync/sync.js'
import type { SyncResult } from './sync/sync-entry.js'
import type { SyncOptions } from './sync/sync-options.js'
import type { TransferSummary } from './transfers.js'
import { type FolderUsage, usageOf } from './usage.js'

/** A key of another bucket. */
export interface ForeignKey {
  readonly bucket: Bucket
  readonly key: string
}

/**
 * A bucket, or the part of one below a prefix, by keys. Every method rejects with StoreError, also for what is wrong with
 * arguments (`invalid`) or files of the local disk (`not-found`, `denied`, ...), and takes an AbortSignal. Iterating it
 * gives all its objects in key order.
 */
export class Bucket implements AsyncIterable<ObjectVersion>, AsyncDisposable {
  /** Uploads that a program need not wait for; `flush` does. */
  readonly queue: BackgroundUploads
  readonly #services: BucketServices
  readonly #search: BucketSearch

  constructor(services: BucketServices) {
    this.#services = services
    this.#search = new BucketSearch(services)
    this.queue = new BackgroundUploads(services)
  }

  /** The URL that it was opened with. */
  get url(): string {
    return this.store.url
  }

  /** What lies below, for what has no call here. */
  get store(): ObjectStore {
    return this.#services.store
  }

  /** One listing of up to `maxKeys` objects and folders, which says whether there are more. */
  list(options: BucketListOptions = {}): Promise<Listing> {
    return listObjects(this.store, options)
  }

  /** All objects with a prefix in key order, fetched as they are asked for. */
  iterate(options: IterateOptions = {}): AsyncIterableIterator<ObjectVersion> {
    return iterateObjects(this.store, options)
  }

  [Symbol.asyncIterator](): AsyncIterator<ObjectVersion> {
    return this.iterate()
  }

  /** How many objects there are: lists all of them. */
  async size(options: IterateOptions = {}): Promise<number> {
    let count = 0
    for await (const _ of this.iterate(options)) count += 1
    return count
  }

  has(key: string, options: BucketCallOptions = {}): Promise<boolean> {
    return objectExists(this.store, key, options)
  }

  info(key: string, options: BucketCallOptions = {}): Promise<ObjectDetails> {
    return objectInfo(this.store, key, options)
  }

  /** Lets everybody read an object; resolves with its URL. */
  makePublic(key: string, options: MakePublicOptions = {}): Promise<string> {
    return makePublic(this.store, key, options)
  }

  makePrivate(key: string, options: BucketCallOptions = {}): Promise<void> {
    return makePrivate(this.store, key, options)
  }

  /** Whether everybody may read an object, by whatever rule. */
  isPublic(key: string, options: BucketCallOptions = {}): Promise<boolean> {
    return isPublic(this.store, key, options)
  }

  /** Where an object is for everybody, when it is public. */
  publicUrl(key: string, options: BucketCallOptions = {}): Promise<string> {
    return publicUrl(this.store, key, options)
  }

  /** What stands before the keys (that begin with `prefix`) in public URLs. */
  publicUrlFolder(prefix = '', options: BucketCallOptions = {}): Promise<string> {
    return publicUrlFolder(this.store, prefix, options)
  }

  /** A URL with which whoever has it makes one kind of request for a while. */
  presign(key: string, options: PresignOptions = {}): Promise<SignedUrl> {
    return presign(this.store, key, options)
  }

  /** A form with which a browser uploads one file without credentials; `formHtml` makes a page of it. */
  formPost(key: string, options: FormPostOptions = {}): Promise<SignedForm> {
    return formPost(this.store, key, options)
  }

  /** The ACLs of objects and of the bucket. Throws `unsupported` where there are none. */
  get acl(): AclPower {
    return requirePower(this.store, 'acl')
  }

  /** The CDN in front of the bucket. Throws `unsupported` where there can be none. */
  get cdn(): CdnPower {
    return requirePower(this.store, 'cdn')
  }

  /**
   * Stores text or bytes as they are, a stream of either (of any length, in bounded memory), or any other value as its
   * content type has it: JSON, YAML, text or a format of your own. The object appears whole or not at all.
   */
  put(key: string, content: PutContent, options: BucketPutOptions = {}): Promise<PutResult> {
    return putContent(this.#services, key, content, options)
  }

  /**
   * Stores a file, by default under its own name. A large one that was interrupted or stopped goes on where it was, for a
   * week, unless it or what is stored with it has changed since.
   */
  putFile(path: string, key?: string, options: PutFileOptions = {}): Promise<PutResult> {
    return putFile(this.#services, path, key, options)
  }

  /** Stores all files of a folder and below it, without following symbolic links, under `prefix` and a slash. */
  putFolder(folder: string, prefix = '', options: PutFolderOptions = {}): Promise<TransferSummary> {
    return putFolder(this.#services, folder, prefix, options)
  }

  /** The bytes of an object, or a range of them, in memory. */
  get(key: string, options: BucketGetOptions = {}): Promise<Buffer> {
    return getBytes(this.store, key, options)
  }

  /** The bytes as a Readable, which can be iterated over; fetched as they are read. */
  getStream(key: string, options: BucketGetOptions = {}): Promise<ObjectStream> {
    return getStream(this.store, key, options)
  }

  /** Fetches an object into a file, by default one named as the key: what was interrupted goes on, and the result is checked. */
  getFile(key: string, path?: string, options: BucketGetOptions = {}): Promise<GetFileResult> {
    return getFile(this.#services, key, path, options)
  }

  /** Fetches all objects whose keys begin with `prefix` into a folder; what follows the prefix is the path below it. */
  getFolder(prefix: string, folder: string, options: GetFolderOptions = {}): Promise<TransferSummary> {
    return getFolder(this.#services, prefix, folder, options)
  }

  /** The value that an object holds, by its content type: parsed JSON or YAML, text, your own format, else bytes. */
  deserialize(key: string, options: BucketGetOptions = {}): Promise<unknown> {
    return getValue(this.#services, key, options)
  }

  /**
   * Objects that hold words in their keys, metadata or texts, or whose metadata, size or time are as asked for, by an index on the
   * local disk. The index is brought up to date before, which costs a listing and what has changed since; the first time
   * it is everything.
   */
  search(query: string | SearchQuery, options: SearchOptions = {}): Promise<SearchResult> {
    return this.#search.search(query, options)
  }

  /** The index itself, for updates at other times. It is closed with the bucket. */
  searchIndex(options: Pick<SearchOptions, 'indexFolder'> = {}): Promise<SearchIndex> {
    return this.#search.index(options)
  }

  /**
   * Sends a file, or all files of a folder, where the bucket has something else. `target` is the key of a file (by default
   * its name; a prefix with a slash at its end goes before it), or the prefix of a folder's keys (by default none).
   * Rejects with SyncError when some files failed and the others are done.
   */
  syncTo(local: string, target?: string, options: SyncOptions = {}): Promise<SyncResult> {
    return syncTo(this.#services, local, target, options)
  }

  /**
   * Fetches an object into a file, or all below a prefix into a folder, where the local disk has something else. What
   * ends in a slash or is empty is a prefix. Rejects with SyncError when some files failed and the others are done.
   */
  syncFrom(source: string, local: string, options: SyncOptions = {}): Promise<SyncResult> {
    return syncFrom(this.#services, source, local, options)
  }

  /** Sends files by the keys that they are to have behind `prefix`; with `delete`, nothing else stays there. */
  syncFiles(files: Readonly<Record<string, string>>, prefix = '', options: SyncOptions = {}): Promise<SyncResult> {
    return syncFiles(this.#services, new Map(Object.entries(files)), prefix, options)
  }

  /** Waits for all uploads of the queue. Rejects with UploadsError when some failed since the last time. */
  flush(options: BucketCallOptions = {}): Promise<void> {
    return this.queue.flush(options)
  }

  /** With `flush`, waits for the queue. What is asked next comes from the store in any case: nothing of it is remembered here. */
  async update(options: BucketCallOptions & { readonly flush?: boolean | undefined } = {}): Promise<void> {
    if (options.flush === true) await this.flush(options)
  }

  /** Changes metadata and headers on the server: `null` takes a name away. */
  setMetadata(key: string, changes: MetadataChanges, options: SetMetadataOptions = {}): Promise<WriteResult> {
    return setMetadata(this.store, key, changes, options)
  }

  /** Copies an object: on the server, also to another bucket of the same endpoint, else through this process. */
  copy(from: string, to: string | ForeignKey, options: BucketCopyOptions = {}): Promise<CopyResult> {
    if (typeof to === 'string') return copyObject(this.#services, from, to, options)
    return copyAcross(this.#services, from, to.bucket.#services, to.key, options)
  }

  /** Moves an object: at every moment one of the keys has it. */
  move(from: string, to: string | ForeignKey, options: BucketCopyOptions = {}): Promise<CopyResult> {
    if (typeof to === 'string') return moveObject(this.#services, from, to, options)
    return moveAcross(this.#services, from, to.bucket.#services, to.key, options)
  }

  /** Copies all objects whose keys begin with `from`; `to` takes the place of that. */
  copyFolder(from: string, to: string | ForeignKey, options: CopyFolderOptions = {}): Promise<TransferSummary> {
    return this.#eachBelow('copy', from, to, options)
  }

  /** Moves all objects whose keys begin with `from`; `to` takes the place of that. */
  moveFolder(from: string, to: string | ForeignKey, options: CopyFolderOptions = {}): Promise<TransferSummary> {
    return this.#eachBelow('move', from, to, options)
  }

  /** Removes objects: one result for each key. */
  remove(keys: string | readonly string[], options: RemoveOptions = {}): Promise<readonly DeleteResult[]> {
    return removeObjects(this.#services, typeof keys === 'string' ? [keys] : keys, options)
  }

  /** Removes every object whose key begins with `prefix`; all of them for an empty one. */
  removePrefix(prefix: string, options: RemovePrefixOptions = {}): Promise<TransferSummary> {
    return removePrefix(this.store, prefix, options)
  }

  /** How much there is below each folder behind a prefix. */
  usage(options: IterateOptions = {}): Promise<readonly FolderUsage[]> {
    return usageOf(this.store, options)
  }

  /** Waits for the queue, then gives connections up; whatever else is under way may fail. Rejects as `flush` does. */
  async close(): Promise<void> {
    try {
      await this.queue.flush()
    } finally {
      await this.#search.close()
      await this.store.close()
    }
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #eachBelow(
    operation: 'copy' | 'move',
    from: string,
    to: string | ForeignKey,
    { onCopied, ...options }: CopyFolderOptions,
  ): Promise<TransferSummary> {
    const foreign = typeof to === 'string' ? undefined : to.bucket
    const target = typeof to === 'string' ? to : to.key
    if (foreign === undefined) refuseWithin(from, target, operation)
    const transfer = async (key: string, name: string) => {
      if (foreign === undefined) refuseWithin(from, name, operation)
      return this[operation](key, foreign === undefined ? name : { bucket: foreign, key: name }, options)
    }
    return copyFolder(this.#services, from, target, transfer, { ...options, onCopied })
  }
}
