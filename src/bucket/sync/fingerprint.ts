import { createHash } from 'node:crypto'
import { throwIfAborted } from '../../backend/call.js'
import { multipartEtag } from '../../backend/etag.js'
import { changedError, identityOf, openFile, READ_BYTES, readInto } from './local-file.js'
import { type PartDigest, PartHasher } from './part-hasher.js'

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

export interface FingerprintOptions {
  /** Sizes of parts to take digests of. */
  readonly partSizes: readonly number[]
  readonly withSha1?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Reads the file once. Rejects with `precondition-failed` when it is changed meanwhile. */
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
