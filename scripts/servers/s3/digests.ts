import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Call } from './call.js'
import { invalidArgument, notImplemented, S3Error } from './s3-error.js'

/** A digest that is fed piece by piece. */
interface Running {
  update(chunk: Buffer): void
  digest(): Buffer
}

const STREAMED = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'

/** What a request says that its body is; checked when the body has come. */
export class BodyCheck {
  /** The body comes in chunks with a trailer (aws-chunked). */
  readonly streamed: boolean
  /** The MD5 of the body in hex, unless it was not to be taken. */
  readonly #md5: Running | undefined
  readonly #running = new Map<string, Running>()
  readonly #expected = new Map<string, string>()
  readonly #sha256: Running | undefined
  readonly #sha256Hex: string | undefined
  readonly #trailer: string | undefined

  constructor(call: Call, takeMd5: boolean) {
    const payload = call.header('x-amz-content-sha256') ?? 'UNSIGNED-PAYLOAD'
    this.streamed = payload === STREAMED
    if (payload.startsWith('STREAMING-') && !this.streamed) throw notImplemented(payload)
    if (/^[0-9a-f]{64}$/.test(payload)) {
      this.#sha256 = hashOf('sha256')
      this.#sha256Hex = payload
    } else if (payload !== 'UNSIGNED-PAYLOAD' && !this.streamed)
      throw invalidArgument('x-amz-content-sha256 is invalid')
    const contentMd5 = call.header('content-md5')
    if (takeMd5 || contentMd5 !== undefined) this.#md5 = hashOf('md5')
    if (contentMd5 !== undefined) this.#expected.set('content-md5', contentMd5)
    for (const [name, value] of Object.entries(call.headers))
      if (/^x-amz-checksum-(?!algorithm|type)/.test(name)) this.#expect(name, value)
    this.#trailer = call.header('x-amz-trailer')
    if (this.#trailer !== undefined) this.#expect(this.#trailer, undefined)
  }

  update(chunk: Buffer): void {
    this.#md5?.update(chunk)
    this.#sha256?.update(chunk)
    for (const running of this.#running.values()) running.update(chunk)
  }

  /** The trailers of a chunked body, `name: value` each. */
  setTrailer(name: string, value: string): void {
    if (name === this.#trailer) this.#expected.set(name, value)
  }

  get trailer(): Readonly<Record<string, string>> {
    const value = this.#trailer === undefined ? undefined : this.#expected.get(this.#trailer)
    return this.#trailer === undefined || value === undefined ? {} : { [this.#trailer]: value }
  }

  /** Throws unless the body was as announced. Gives its MD5 in hex, if that was taken. */
  finish(): string | undefined {
    if (this.#sha256 !== undefined && this.#sha256.digest().toString('hex') !== this.#sha256Hex)
      throw new S3Error(
        400,
        'XAmzContentSHA256Mismatch',
        'The provided x-amz-content-sha256 header does not match what was computed.',
      )
    const md5 = this.#md5?.digest()
    const contentMd5 = this.#expected.get('content-md5')
    if (contentMd5 !== undefined && md5?.toString('base64') !== contentMd5) throw badDigest('Content-MD5')
    for (const [name, running] of this.#running)
      if (running.digest().toString('base64') !== this.#expected.get(name)) throw badDigest(name)
    return md5?.toString('hex')
  }

  #expect(name: string, value: string | undefined): void {
    const algorithm = name.slice('x-amz-checksum-'.length)
    if (algorithm !== 'crc32' && algorithm !== 'sha256' && algorithm !== 'sha1') throw notImplemented(name)
    this.#running.set(name, algorithm === 'crc32' ? runningCrc32() : hashOf(algorithm))
    if (value !== undefined) this.#expected.set(name, value)
  }
}

function badDigest(name: string): S3Error {
  return new S3Error(400, 'BadDigest', `The ${name} you specified did not match the calculated checksum.`)
}

function hashOf(algorithm: string): Running {
  const hash = createHash(algorithm)
  return { update: chunk => void hash.update(chunk), digest: () => hash.digest() }
}

function runningCrc32(): Running {
  let value = 0
  return {
    update: chunk => {
      value = crc32(chunk, value)
    },
    digest: () => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(value)
      return bytes
    },
  }
}
