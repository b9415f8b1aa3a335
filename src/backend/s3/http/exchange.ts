/**
 * One request and where its reply goes. An origin and a request are plain data, so that they can be made in one thread
 * and run in another.
 */
import type { ReadSink } from '../../object-store.js'
import type { ResponseHead } from './response-head.js'

export interface HttpOrigin {
  readonly isSecure: boolean
  readonly host: string
  readonly port: number
  /** Certificates to trust beside Node's own, in PEM. */
  readonly ca?: string | undefined
}

export interface HttpRequest {
  /** Request line and header fields with the empty line at the end, in ASCII. */
  readonly head: string
  /** HEAD: the reply has no body, whatever its head says. */
  readonly isBodiless: boolean
  /** It changes nothing, so that it may be sent again when a connection turns out to be dead. */
  readonly isRepeatable: boolean
  /** It fails when no byte moves either way for so long. */
  readonly idleTimeoutMs: number
}

/** The body of a request: as many bytes as its head says. */
export interface RequestBody {
  readonly sizeBytes: number
  readonly pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  /** Called when so many bytes have left. */
  readonly onSent?: ((bytes: number) => void) | undefined
}

/** What a receiver may do while a body comes. */
export interface Flow {
  /** Holds the sender back; bytes that are here already may still come. */
  pause(): void
  resume(): void
  /** Gives the body up: the exchange fails and the connection is closed, unless all has come. */
  cancel(): void
}

/** Who takes a reply. */
export interface Receiver {
  /**
   * Told of the reply once, before its body, whose bytes then go into the answered sink: as many as the head says, unless
   * the exchange fails. What it throws fails the exchange and closes the connection.
   */
  begin(head: ResponseHead, flow: Flow): ReadSink
}

export interface Exchange {
  readonly request: HttpRequest
  readonly body?: RequestBody | undefined
  readonly receiver: Receiver
}
