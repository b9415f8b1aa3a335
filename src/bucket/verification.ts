import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { type DigestName, trustedDigest } from '../backend/content-digests.js'
import { multipartEtag } from '../backend/etag.js'
import type { CallOptions, ObjectInfo, ObjectStore } from '../backend/object-store.js'
import { StoreError } from '../backend/store-error.js'
import { hasMd5Etag, md5Of } from './info.js'
import { areEqualParts, partSizeOf } from './parts.js'
import { PartHasher } from './sync/part-hasher.js'

/** Compares fetched bytes with what the store tells of them. */
export interface Verification {
  update(bytes: Uint8Array): void
  /** Rejects with `corrupt` when the bytes were others. */
  finish(): Promise<void>
}

/**
 * By an ETag that is an MD5, else a checksum of all bytes that the store has, else a SHA-256 or SHA-1 in the metadata, else
 * an ETag that is made of the MD5s of parts whose size the store tells. Undefined where nothing is told that the bytes could
 * be compared with.
 */
export async function verificationOf(
  store: ObjectStore,
  info: ObjectInfo,
  options: CallOptions,
): Promise<Verification | undefined> {
  const md5 = md5Of(info)
  if (md5 !== undefined) return new DigestVerification(info.key, 'md5', md5)
  const sum = wholeChecksum(info.checksums)
  if (sum !== undefined) return new DigestVerification(info.key, sum.name, sum.hex)
  const stored = trustedDigest(info.metadata)
  if (stored !== undefined) return new DigestVerification(info.key, stored.name, stored.hex)
  if (!hasMd5Etag(info)) return undefined
  const partBytes = await partSizeOf(store, info, options)
  return partBytes === undefined ? undefined : new PartsVerification(store, info, partBytes, options)
}

type SumName = DigestName | 'md5' | 'crc32'

/** The surest of those that are of all bytes, and not of the checksums of parts. */
function wholeChecksum(
  sums: ObjectInfo['checksums'] = {},
): { readonly name: SumName; readonly hex: string } | undefined {
  for (const name of ['sha256', 'sha1', 'crc32'] as const) {
    const sum = sums[name]
    if (sum !== undefined && !sum.includes('-')) return { name, hex: Buffer.from(sum, 'base64').toString('hex') }
  }
  return undefined
}

class DigestVerification implements Verification {
  readonly #key: string
  readonly #name: SumName
  readonly #expected: string
  readonly #hash: { update(bytes: Uint8Array): unknown; digest(encoding: 'hex'): string }

  constructor(key: string, name: SumName, expected: string) {
    this.#key = key
    this.#name = name
    this.#expected = expected
    this.#hash = name === 'crc32' ? new Crc32() : createHash(name)
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }

  async finish(): Promise<void> {
    const found = this.#hash.digest('hex')
    if (found !== this.#expected)
      throw corrupt(this.#key, `the bytes have the ${this.#name} ${found}, not ${this.#expected} as the store says`)
  }
}

class Crc32 {
  #sum = 0

  update(bytes: Uint8Array): void {
    this.#sum = crc32(bytes, this.#sum)
  }

  digest(): string {
    return this.#sum.toString(16).padStart(8, '0')
  }
}

class PartsVerification implements Verification {
  readonly #store: ObjectStore
  readonly #info: ObjectInfo
  readonly #hasher: PartHasher
  readonly #options: CallOptions

  constructor(store: ObjectStore, info: ObjectInfo, partBytes: number, options: CallOptions) {
    this.#store = store
    this.#info = info
    this.#hasher = new PartHasher(partBytes)
    this.#options = options
  }

  update(bytes: Uint8Array): void {
    this.#hasher.update(bytes)
  }

  /** Parts of several sizes give another ETag, too: then nothing is known of the bytes. */
  async finish(): Promise<void> {
    const { key, etag } = this.#info
    const { partBytes } = this.#hasher
    const found = multipartEtag(this.#hasher.finish().map(({ md5 }) => md5))
    if (found === etag || !(await areEqualParts(this.#store, this.#info, partBytes, this.#options))) return
    throw corrupt(key, `the bytes have the ETag ${found} in parts of ${partBytes} bytes, not ${etag} as the store says`)
  }
}

function corrupt(key: string, what: string): StoreError {
  return new StoreError('corrupt', `${key}: ${what}`, { key, operation: 'get', retryable: false })
}
