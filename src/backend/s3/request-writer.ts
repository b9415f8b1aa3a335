import { Signer } from '../signing/signature.js'
import type { BucketPlace } from './bucket-place.js'
import type { HttpRequest } from './http/exchange.js'
import { NO_PAYLOAD } from './no-payload.js'
import type { S3Credentials } from './options.js'
import type { Payload } from './payload.js'
import { requestHead, type WireRequest } from './request-head.js'

/** All that a request is made of but its payload. Plain data, so that another thread can write and sign it. */
export interface UnsignedRequest {
  readonly wire: WireRequest
  /** As in x-amz-date. */
  readonly time: string
  /** Undefined: it is not signed. */
  readonly credentials: S3Credentials | undefined
  readonly idleTimeoutMs: number
}

/** Writes requests to a bucket as they are sent, and signs them. */
export class RequestWriter {
  readonly #place: BucketPlace
  readonly #signer: Signer

  constructor(place: BucketPlace) {
    this.#place = place
    this.#signer = new Signer(place.scope)
  }

  /** Throws `invalid` for a field that no header can carry. */
  write({ wire, time, credentials, idleTimeoutMs }: UnsignedRequest, payload: Payload = NO_PAYLOAD): HttpRequest {
    const signing = credentials && { signer: this.#signer, credentials }
    const isHead = wire.method === 'HEAD'
    return {
      head: requestHead(wire, payload, this.#place, time, signing),
      isBodiless: isHead,
      isRepeatable: isHead || wire.method === 'GET',
      idleTimeoutMs,
    }
  }
}
