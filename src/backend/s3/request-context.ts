import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type {
  $Command,
  S3Client,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
} from '@aws-sdk/client-s3'
import { readBody } from '../body.js'
import { throwIfAborted } from '../call.js'
import type { Body } from '../object-store.js'
import { type Outgoing, openBody } from './bodies.js'
import type { Connection } from './client.js'
import { type Attempt, toStoreError } from './errors.js'
import type { SharedFields } from './wire-fields.js'

type Command<I extends ServiceInputTypes, O extends ServiceOutputTypes> = $Command<
  I,
  O,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes
>

/** What every request needs, and the one way out: nothing but StoreError comes back. */
export class RequestContext {
  readonly bucket: string
  readonly shared: SharedFields
  readonly #clients: Pick<Connection, 'client' | 'patientClient'>
  readonly #signPayload: boolean

  constructor(
    clients: Pick<Connection, 'client' | 'patientClient'>,
    bucket: string,
    shared: SharedFields,
    signPayload: boolean,
  ) {
    this.bucket = bucket
    this.shared = shared
    this.#clients = clients
    this.#signPayload = signPayload
  }

  send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: Command<I, O>,
    attempt: Attempt,
  ): Promise<O> {
    return this.#send(this.#clients.client, command, attempt)
  }

  /** For a request on which the server works alone for long. */
  sendPatiently<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: Command<I, O>,
    attempt: Attempt,
  ): Promise<O> {
    return this.#send(this.#clients.patientClient, command, attempt)
  }

  async #send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    client: S3Client,
    command: Command<I, O>,
    attempt: Attempt,
  ): Promise<O> {
    throwIfAborted(attempt.signal, attempt.operation, attempt.key)
    try {
      return await client.send(command, attempt.signal === undefined ? {} : { abortSignal: attempt.signal })
    } catch (error) {
      throw toStoreError(error, attempt)
    }
  }

  /** Sends a request with a body, which is given up once the request has ended. */
  async sendBody<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    body: Body,
    attempt: Attempt,
    build: (outgoing: Outgoing) => Command<I, O>,
  ): Promise<O> {
    throwIfAborted(attempt.signal, attempt.operation, attempt.key)
    const hash = this.#signPayload && !(body instanceof Uint8Array) ? await sha256Hex(body, attempt) : undefined
    const outgoing = openBody(body, attempt)
    try {
      const command = build(outgoing)
      if (hash !== undefined && outgoing.payload instanceof Readable) signBodyAs(command, hash)
      return await this.#clients.client.send(command, { abortSignal: outgoing.signal })
    } catch (error) {
      throw toStoreError(outgoing.failure() ?? error, attempt)
    } finally {
      outgoing.release()
    }
  }

  close(): void {
    this.#clients.client.destroy()
    this.#clients.patientClient.destroy()
  }
}

/** The signer can't hash a stream, but takes a hash that stands in the header already. */
function signBodyAs<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
  command: Command<I, O>,
  hash: string,
): void {
  command.middlewareStack.add(
    next => args => {
      const { headers } = args.request as { readonly headers: Record<string, string> }
      headers['x-amz-content-sha256'] = hash
      return next(args)
    },
    { step: 'build', priority: 'low', name: 'signBody' },
  )
}

async function sha256Hex(body: Body, attempt: Attempt): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of readBody(body, attempt.operation, attempt.key ?? '', attempt.signal)) hash.update(chunk)
  return hash.digest('hex')
}

/** Percent-encoded as in a path: every byte but the unreserved ones and `/`. */
export function copySource(bucket: string, key: string): string {
  const encoded = encodeURIComponent(key).replace(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `${bucket}/${encoded.replaceAll('%2F', '/')}`
}
