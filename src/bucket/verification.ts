import { createHash, type Hash } from 'node:crypto'
import { type DigestName, trustedDigest } from '../backend/content-digests.js'
import type { ObjectInfo } from '../backend/object-store.js'
import { StoreError } from '../backend/store-error.js'
import { md5Of } from './info.js'

/** Compares fetched bytes with the checksum that the store tells of them: an ETag that is an MD5, else a stored SHA-256 or SHA-1. */
export class Verification {
  readonly #key: string
  readonly #name: DigestName | 'md5'
  readonly #expected: string
  readonly #hash: Hash

  private constructor(key: string, name: DigestName | 'md5', expected: string) {
    this.#key = key
    this.#name = name
    this.#expected = expected
    this.#hash = createHash(name)
  }

  /** Undefined where nothing is told that the bytes could be compared with. */
  static of(info: ObjectInfo): Verification | undefined {
    const md5 = md5Of(info)
    if (md5 !== undefined) return new Verification(info.key, 'md5', md5)
    const stored = trustedDigest(info.metadata)
    return stored === undefined ? undefined : new Verification(info.key, stored.name, stored.hex)
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }

  /** Throws `corrupt` when the bytes were others. */
  finish(): void {
    const found = this.#hash.digest('hex')
    if (found === this.#expected) return
    const what = `${this.#key}: the bytes have the ${this.#name} ${found}, not ${this.#expected} as the store says`
    throw new StoreError('corrupt', what, { key: this.#key, operation: 'get', retryable: false })
  }
}
