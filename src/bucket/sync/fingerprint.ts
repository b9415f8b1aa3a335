import { createHash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { throwIfAborted } from '../../backend/call.js'
import { multipartEtag } from '../../backend/etag.js'
import { changedError, identityOf, openFile, READ_BYTES, readInto } from './local-file.js'

/** What the bytes of a file are known by; they were its own for as long as it was read. */
export interface Fingerprint {
  readonly sizeBytes: number
  readonly identity: string
  /** In lower-case hex, as all digests here. */
  readonly md5: string
  readonly sha256: string
  readonly sha1: string | undefined
  /** By the size of parts: what a store says of an object that came in such parts. */
  readonly parts: ReadonlyMap<number, readonly PartDigest[]>
}

export interface PartDigest {
  readonly offset: number
  readonly sizeBytes: number
  readonly md5: string
  readonly crc32: number
}

export interface FingerprintOptions {
  /** Sizes of parts to take digests of. */
  readonly partSizes: readonly number[]
  readonly withSha1?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Reads the file once. Rejects with `precondition-failed` (see `isChanged`) when it is changed meanwhile. */
export async function fingerprintOf(path: string, key: string, options: FingerprintOptions): Promise<Fingerprint> {
  const handle = await openFile(path)
  try {
    const before = await handle.stat({ bigint: true })
    const sizeBytes = Number(before.size)
    const [md5, sha256] = [createHash('md5'), createHash('sha256')]
    const sha1 = options.withSha1 === true ? createHash('sha1') : undefined
    const hashers = options.partSizes.map(partBytes => new PartHasher(partBytes))
    const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(READ_BYTES, sizeBytes)))
    let seenBytes = 0
    for await (const chunk of readInto(buffer, handle, 0, sizeBytes)) {
      throwIfAborted(options.signal, 'sync', key)
      for (const hash of [md5, sha256, sha1]) hash?.update(chunk)
      for (const hasher of hashers) hasher.update(chunk)
      seenBytes += chunk.byteLength
    }
    const identity = identityOf(before)
    if (seenBytes !== sizeBytes || identityOf(await handle.stat({ bigint: true })) !== identity)
      throw changedError(path, key)
    return {
      sizeBytes,
      identity,
      md5: md5.digest('hex'),
      sha256: sha256.digest('hex'),
      sha1: sha1?.digest('hex'),
      parts: new Map(hashers.map(hasher => [hasher.partBytes, hasher.finish()])),
    }
  } finally {
    await handle.close()
  }
}

/** The ETag of an object of these bytes that came in parts of this size. */
export function etagInParts(fingerprint: Fingerprint, partBytes: number): string | undefined {
  const parts = fingerprint.parts.get(partBytes)
  return parts === undefined ? undefined : multipartEtag(parts.map(({ md5 }) => md5))
}

/** Takes digests of bytes that come one after the other, part by part. */
export class PartHasher {
  readonly partBytes: number
  readonly #done: PartDigest[] = []
  #md5: Hash = createHash('md5')
  #crc32 = 0
  #offset = 0
  #filledBytes = 0

  constructor(partBytes: number) {
    this.partBytes = partBytes
  }

  update(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.byteLength; ) {
      const piece = chunk.subarray(at, at + this.partBytes - this.#filledBytes)
      this.#md5.update(piece)
      this.#crc32 = crc32(piece, this.#crc32)
      this.#filledBytes += piece.byteLength
      at += piece.byteLength
      if (this.#filledBytes === this.partBytes) this.#endPart()
    }
  }

  /** An empty file is one empty part. */
  finish(): readonly PartDigest[] {
    if (this.#filledBytes > 0 || this.#done.length === 0) this.#endPart()
    return this.#done
  }

  #endPart(): void {
    const digest = { md5: this.#md5.digest('hex'), crc32: this.#crc32 }
    this.#done.push({ offset: this.#offset, sizeBytes: this.#filledBytes, ...digest })
    this.#offset += this.#filledBytes
    this.#md5 = createHash('md5')
    this.#crc32 = 0
    this.#filledBytes = 0
  }
}
