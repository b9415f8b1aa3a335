import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { bodySizeBytes, readBody } from '../body.js'
import type { Body } from '../object-store.js'
import { type Attempt, corruptReply, toStoreError } from './errors.js'

/** A body on its way out. */
export interface Outgoing {
  readonly payload: Uint8Array | Readable
  readonly sizeBytes: number
  /** Fires when the source failed or the caller gave up: the request must then end. */
  readonly signal: AbortSignal
  /** What the source failed with, if it did: it explains the request's own failure. */
  failure(): unknown
  /** Gives the source up; called once the request has ended, however it ended. */
  release(): void
}

/**
 * Opens a body for one request. The SDK pipes a stream into the socket and never learns that it failed, so that the
 * request has to be ended from here.
 */
export function openBody(body: Body, attempt: Attempt): Outgoing {
  const controller = new AbortController()
  const giveUp = () => controller.abort(attempt.signal?.reason)
  attempt.signal?.addEventListener('abort', giveUp, { once: true })
  let failure: unknown
  const payload = payloadOf(body, attempt)
  if (payload instanceof Readable)
    payload.on('error', error => {
      failure = error
      controller.abort(error)
    })
  return {
    payload,
    sizeBytes: bodySizeBytes(body),
    signal: controller.signal,
    failure: () => failure,
    release: () => {
      attempt.signal?.removeEventListener('abort', giveUp)
      if (payload instanceof Readable) payload.destroy()
    },
  }
}

function payloadOf(body: Body, attempt: Attempt): Uint8Array | Readable {
  if (body instanceof Uint8Array) return body
  if (body.sizeBytes === 0) return new Uint8Array(0)
  return Readable.from(readBody(body, attempt.operation, attempt.key ?? '', attempt.signal), { objectMode: false })
}

/** What GetObject hands out: Node's response, or a stream around it that checks the checksum. */
export type ReplyBody = Readable | IncomingMessage

/** The bytes of a reply; throws when there are more or fewer than `expectedBytes`, or the connection breaks. */
export async function* checkedBody(
  body: ReplyBody,
  expectedBytes: number,
  attempt: Attempt,
): AsyncGenerator<Uint8Array> {
  let seenBytes = 0
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      seenBytes += chunk.byteLength
      if (seenBytes > expectedBytes) throw corruptReply(`more than the ${expectedBytes} bytes announced`, attempt)
      yield chunk
    }
  } catch (error) {
    throw broken(error, attempt)
  } finally {
    body.destroy()
  }
  if (seenBytes !== expectedBytes)
    throw corruptReply(`${seenBytes} bytes instead of the ${expectedBytes} announced`, attempt)
}

/** An error without a code comes from the check of a checksum; sockets always give one. */
function broken(error: unknown, attempt: Attempt): unknown {
  const plain = error instanceof Error && error.name === 'Error' && !('code' in error)
  if (plain && attempt.signal?.aborted !== true) return corruptReply(error.message, attempt)
  return toStoreError(error, attempt)
}
