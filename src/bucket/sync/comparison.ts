import { trustedDigest } from '../../backend/content-digests.js'
import type { ObjectInfo, ObjectStore, ObjectVersion } from '../../backend/object-store.js'
import { hasMd5Etag, md5Of } from '../info.js'
import { areEqualParts, partSizeOf } from '../parts.js'
import { etagInParts, type Fingerprint, fingerprintOf } from './fingerprint.js'
import { changedError, identityOf, openFile, READ_BYTES } from './local-file.js'
import { partSizeFor, possiblePartSizes } from './part-size.js'

/** Whether a file and an object hold the same bytes. */
export interface Comparison {
  readonly isSame: boolean
  readonly reason: string
  /** Of the file, where it had to be read, with the parts that it is sent in. */
  readonly fingerprint?: Fingerprint | undefined
}

export interface ComparedFile {
  readonly path: string
  readonly sizeBytes: number
}

const DIFFERENT = 'content differs'

/** With another size they differ; with the same, their bytes tell, by what is surest and cheapest. Times never do. */
export class Comparer {
  readonly #store: ObjectStore
  readonly #partSizeBytes: number

  constructor(store: ObjectStore, partSizeBytes: number) {
    this.#store = store
    this.#partSizeBytes = partSizeBytes
  }

  /** Rejects where the file or the object is changed meanwhile (`precondition-failed`) or can't be read. */
  async compare(file: ComparedFile, object: ObjectVersion, signal?: AbortSignal): Promise<Comparison> {
    if (file.sizeBytes !== object.sizeBytes) return { isSame: false, reason: 'size differs' }
    const ours = partSizeFor(file.sizeBytes, this.#partSizeBytes, this.#store.capabilities.multipart)
    const guessed = possiblePartSizes(object, ours)
    const partSizes = [...new Set([ours, ...guessed])]
    const fingerprint = await fingerprintOf(file.path, object.key, { partSizes, signal })
    if (fingerprint.sizeBytes !== object.sizeBytes) return { isSame: false, reason: 'size differs', fingerprint }
    if (fingerprint.md5 === object.etag) return { isSame: true, reason: 'same MD5', fingerprint }
    if (guessed.some(size => etagInParts(fingerprint, size) === object.etag))
      return { isSame: true, reason: 'same MD5 of its parts', fingerprint }
    return { ...(await this.#askFurther(file, object, fingerprint, signal)), fingerprint }
  }

  /** The ETag did not say that they are the same, which is no proof that they are not. */
  async #askFurther(
    file: ComparedFile,
    object: ObjectVersion,
    fingerprint: Fingerprint,
    signal: AbortSignal | undefined,
  ): Promise<Comparison> {
    const info = await this.#store.head(object.key, { signal })
    if (info.etag !== object.etag) return { isSame: false, reason: 'changed since it was listed' }
    const sum = info.checksums?.sha256
    if (sum !== undefined && !sum.includes('-'))
      return verdict(Buffer.from(sum, 'base64').toString('hex') === fingerprint.sha256, 'same SHA-256 in the store')
    const hasSameParts = await this.#hasPartsOf(file, info, fingerprint, signal)
    if (hasSameParts === true) return { isSame: true, reason: 'same MD5 of its parts' }
    const isOtherMd5 = md5Of(info) !== undefined || hasSameParts === false
    const stored = await this.#storedDigest(file.path, info, fingerprint, signal)
    if (stored === false || (isOtherMd5 && stored === undefined)) return { isSame: false, reason: DIFFERENT }
    if (stored === true && !isOtherMd5) return { isSame: true, reason: 'same stored digest' }
    return verdict(await this.#holdsBytesOf(file.path, info, signal), 'same content')
  }

  /** Whether an ETag that is made of parts is that of the file in parts as the store tells; undefined: that can't be said. */
  async #hasPartsOf(
    file: ComparedFile,
    info: ObjectInfo,
    fingerprint: Fingerprint,
    signal: AbortSignal | undefined,
  ): Promise<boolean | undefined> {
    if (!hasMd5Etag(info)) return undefined
    const partBytes = await partSizeOf(this.#store, info, { signal })
    if (partBytes === undefined) return undefined
    const inParts = fingerprint.parts.has(partBytes)
      ? fingerprint
      : await fingerprintOf(file.path, info.key, { partSizes: [partBytes], signal })
    if (etagInParts(inParts, partBytes) === info.etag) return true
    return (await areEqualParts(this.#store, info, partBytes, { signal })) ? false : undefined
  }

  /** Whether a digest in the metadata is that of the file; undefined: there is none that can be trusted. */
  async #storedDigest(path: string, info: ObjectInfo, { sha256 }: Fingerprint, signal: AbortSignal | undefined) {
    const digest = trustedDigest(info.metadata)
    if (digest === undefined) return undefined
    if (digest.name === 'sha256') return digest.hex === sha256
    const { sha1 } = await fingerprintOf(path, info.key, { partSizes: [], withSha1: true, signal })
    return digest.hex === sha1
  }

  /** Fetches the object for as long as it is like the file. */
  async #holdsBytesOf(path: string, info: ObjectInfo, signal: AbortSignal | undefined): Promise<boolean> {
    const handle = await openFile(path)
    try {
      const before = identityOf(await handle.stat({ bigint: true }))
      const { body } = await this.#store.get(info.key, { ifMatch: info.etag, signal })
      const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
      let at = 0
      for await (const chunk of body) {
        for (let from = 0; from < chunk.byteLength; ) {
          const wanted = Math.min(buffer.byteLength, chunk.byteLength - from)
          const { bytesRead } = await handle.read(buffer, 0, wanted, at)
          if (bytesRead === 0 || !buffer.subarray(0, bytesRead).equals(chunk.subarray(from, from + bytesRead)))
            return false
          from += bytesRead
          at += bytesRead
        }
      }
      if (identityOf(await handle.stat({ bigint: true })) !== before) throw changedError(path, info.key)
      return true
    } finally {
      await handle.close()
    }
  }
}

function verdict(isSame: boolean, reason: string): Comparison {
  return { isSame, reason: isSame ? reason : DIFFERENT }
}
