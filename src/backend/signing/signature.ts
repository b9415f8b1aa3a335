import { hash } from 'node:crypto'
import { SigningKey } from './signing-key.js'

/** For whom a signature is good. */
export interface SigningScope {
  readonly region: string
  /** `s3`, or one of its kin. */
  readonly service: string
}

export interface SigningCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
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

export const ALGORITHM = 'AWS4-HMAC-SHA256'

/** Signature Version 4 (Amazon S3 API Reference, "Authenticating Requests"). Times as in x-amz-date: `20130524T000000Z`. */
export class Signer {
  readonly #scope: SigningScope
  /** One at a time: it changes with the day and with new credentials. */
  #key: { readonly day: string; readonly secret: string; readonly key: SigningKey } | undefined

  constructor(scope: SigningScope) {
    this.#scope = scope
  }

  /** The value of Authorization. */
  authorize(request: Signable, credentials: SigningCredentials, time: string): string {
    const credential = this.credential(credentials, time)
    const names = namesOf(request)
    const signature = this.#signature(request, names, credentials, time)
    return `${ALGORITHM} Credential=${credential},SignedHeaders=${names},Signature=${signature}`
  }

  /** In lower-case hexadecimal digits. */
  signature(request: Signable, credentials: SigningCredentials, time: string): string {
    return this.#signature(request, namesOf(request), credentials, time)
  }

  #signature(request: Signable, names: string, credentials: SigningCredentials, time: string): string {
    const { method, path, query, fields, payloadHash } = request
    let lines = ''
    for (const field of fields) {
      const value = field[1]
      lines += `${field[0]}:${value.includes('  ') ? value.replace(/ {2,}/g, ' ') : value}\n`
    }
    const canonical = `${method}\n${path}\n${query}\n${lines}\n${names}\n${payloadHash}`
    const toSign = `${ALGORITHM}\n${time}\n${this.#scopeAt(time)}\n${hash('sha256', canonical, 'hex')}`
    return this.signText(toSign, credentials, time)
  }

  /** Who signs, and for what: the key's name and the scope. */
  credential(credentials: SigningCredentials, time: string): string {
    return `${credentials.accessKeyId}/${this.#scopeAt(time)}`
  }

  /** The signature of a text as it stands, as forms have it of their policy. */
  signText(text: string, credentials: SigningCredentials, time: string): string {
    return this.#keyFor(time.slice(0, 8), credentials.secretAccessKey).sign(text)
  }

  #scopeAt(time: string): string {
    return `${time.slice(0, 8)}/${this.#scope.region}/${this.#scope.service}/aws4_request`
  }

  #keyFor(day: string, secret: string): SigningKey {
    if (this.#key?.day !== day || this.#key.secret !== secret) {
      const steps = [day, this.#scope.region, this.#scope.service, 'aws4_request']
      this.#key = { day, secret, key: SigningKey.derived(Buffer.from(`AWS4${secret}`), steps) }
    }
    return this.#key.key
  }
}

function namesOf({ fields }: Signable): string {
  let names = ''
  for (const field of fields) names += names === '' ? field[0] : `;${field[0]}`
  return names
}

let lastSecond = Number.NaN
let lastTime = ''

/** As x-amz-date has it: `20130524T000000Z`. */
export function signingTime(nowMs: number): string {
  const second = Math.floor(nowMs / 1000)
  if (second !== lastSecond) {
    lastSecond = second
    lastTime = `${new Date(second * 1000).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
  }
  return lastTime
}
