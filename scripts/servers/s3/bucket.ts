import { createHash, randomUUID } from 'node:crypto'
import type { Content } from './content.js'
import { SortedNames } from './sorted-names.js'

/** The headers that come with an object and go out with it: x-amz-meta-*, Content-Type, encryption and so on. */
export type KeptHeaders = Readonly<Record<string, string>>

export type Tags = Readonly<Record<string, string>>

export interface Grant {
  readonly type: 'id' | 'uri' | 'emailAddress'
  readonly grantee: string
  /** As S3 writes it: `READ`. */
  readonly permission: string
}

export type Acl = readonly Grant[]

/** What stays with an object beside its bytes. */
export interface Kept {
  readonly headers: KeptHeaders
  readonly tags: Tags
  readonly acl: Acl
}

export interface StoredObject extends Kept {
  readonly content: Content
  /** Without quotes. */
  readonly etag: string
  readonly lastModifiedMs: number
  /** The sizes of the parts that it came in, in their order. */
  readonly partSizes?: readonly number[] | undefined
}

export interface StoredPart {
  readonly content: Content
  readonly etag: string
  /** Whether the ETag is the MD5 of the bytes. */
  readonly hasMd5: boolean
  readonly lastModifiedMs: number
}

export interface StoredUpload extends Kept {
  readonly uploadId: string
  readonly key: string
  readonly initiatedMs: number
  readonly parts: Map<number, StoredPart>
}

/** One bucket. Every method is synchronous: what is checked and done in one turn of the loop is atomic. */
export class Bucket {
  readonly name: string
  readonly createdMs: number
  readonly uploads = new Map<string, StoredUpload>()
  readonly #objects = new Map<string, StoredObject>()
  readonly #names = new SortedNames()

  constructor(name: string, createdMs: number) {
    this.name = name
    this.createdMs = createdMs
  }

  get size(): number {
    return this.#objects.size
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key)
  }

  set(key: string, object: StoredObject): void {
    if (!this.#objects.has(key)) this.#names.add(toBytes(key))
    this.#objects.set(key, object)
  }

  delete(key: string): void {
    if (this.#objects.delete(key)) this.#names.delete(toBytes(key))
  }

  /** Keys as strings of bytes, from `start` on. */
  names(start: string): Generator<string> {
    return this.#names.from(start)
  }

  startUpload(key: string, kept: Kept, nowMs: number): StoredUpload {
    const upload = { uploadId: randomUUID(), key, initiatedMs: nowMs, ...kept, parts: new Map() }
    this.uploads.set(upload.uploadId, upload)
    return upload
  }
}

/** Most keys: their characters are their bytes. */
const PLAIN = /^[ -~]*$/

/** A key as a string of its UTF-8 bytes: compared by `<`, it is in the order that S3 lists in. */
export function toBytes(key: string): string {
  return PLAIN.test(key) ? key : Buffer.from(key).toString('latin1')
}

export function fromBytes(name: string): string {
  return PLAIN.test(name) ? name : Buffer.from(name, 'latin1').toString()
}

/** The MD5 of the parts' MD5s, a dash and their number. */
export function multipartEtag(parts: readonly StoredPart[]): string {
  const hash = createHash('md5')
  for (const { etag } of parts) hash.update(Buffer.from(etag, 'hex'))
  return `${hash.digest('hex')}-${parts.length}`
}
