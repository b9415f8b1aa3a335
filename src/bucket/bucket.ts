import type { ObjectStore, ObjectVersion } from '../backend/object-store.js'
import { type AclPower, type CdnPower, requirePower, type SignedForm, type SignedUrl } from '../backend/powers.js'
import type { BucketCallOptions, BucketServices } from './bucket-services.js'
import { type ObjectDetails, objectExists, objectInfo } from './info.js'
import { type BucketListOptions, type IterateOptions, iterateObjects, type Listing, listObjects } from './listing.js'
import { isPublic, type MakePublicOptions, makePrivate, makePublic, publicUrl, publicUrlFolder } from './sharing.js'
import { type FormPostOptions, formPost, type PresignOptions, presign } from './signing.js'

/**
 * A bucket, or the part of one below a prefix, by keys. Every method rejects with StoreError, also for what is wrong with
 * arguments (`invalid`) or files of the local disk (`not-found`, `denied`, ...), and takes an AbortSignal. Iterating it
 * gives all its objects in key order.
 */
export class Bucket implements AsyncIterable<ObjectVersion>, AsyncDisposable {
  readonly #services: BucketServices

  constructor(services: BucketServices) {
    this.#services = services
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

  /** Gives connections up. Whatever is still under way may fail. */
  close(): Promise<void> {
    return this.store.close()
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
