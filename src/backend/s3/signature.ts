import { createHmac, hash } from 'node:crypto'
import type { S3Credentials } from './options.js'

/** For whom a signature is good. */
export interface SigningScope {
  readonly region: string
  /** `s3`, or one of its kin. */
  readonly service: string
}

export interface Signable {
  readonly method: string
  /** As it is sent: percent-encoded, nothing normalised. */
  readonly path: string
  /** As it is sent: names and values percent-encoded, in the order of the names. */
  readonly query: string
  /** What is signed of the header: names in lower case and in order, values without spaces at their ends. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** As in x-amz-content-sha256. */
  readonly payloadHash: string
}

/** Signature Version 4 in the Authorization header (Amazon S3 API Reference, "Authenticating Requests"). */
export class Signer {
  readonly #scope: SigningScope
  /** One at a time: it changes with the day and with new credentials. */
  #key: { readonly day: string; readonly secret: string; readonly bytes: Buffer } | undefined

  constructor(scope: SigningScope) {
    this.#scope = scope
  }

  /** The value of Authorization. `time` as in x-amz-date: `20130524T000000Z`. */
  authorize(request: Signable, credentials: S3Credentials, time: string): string {
    const { method, path, query, fields, payloadHash } = request
    const names = fields.map(([name]) => name).join(';')
    const lines = fields.map(([name, value]) => `${name}:${value.replace(/ {2,}/g, ' ')}\n`).join('')
    const canonical = `${method}\n${path}\n${query}\n${lines}\n${names}\n${payloadHash}`
    const day = time.slice(0, 8)
    const scope = `${day}/${this.#scope.region}/${this.#scope.service}/aws4_request`
    const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash('sha256', canonical, 'hex')}`
    const signature = createHmac('sha256', this.#keyFor(day, credentials.secretAccessKey)).update(toSign).digest('hex')
    const credential = `${credentials.accessKeyId}/${scope}`
    return `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${names},Signature=${signature}`
  }

  #keyFor(day: string, secret: string): Buffer {
    if (this.#key?.day !== day || this.#key.secret !== secret) {
      const steps = [day, this.#scope.region, this.#scope.service, 'aws4_request']
      const bytes = steps.reduce<Buffer>(hmac, Buffer.from(`AWS4${secret}`))
      this.#key = { day, secret, bytes }
    }
    return this.#key.bytes
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
