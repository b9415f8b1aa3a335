import type {
  $Command,
  S3Client,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes,
} from '@aws-sdk/client-s3'
import { throwIfAborted } from '../call.js'
import { abortSignalOf } from '../call-signal.js'
import { percentEncodePath } from '../signing/percent-encoding.js'
import type { Channel } from './channel.js'
import { type Attempt, toStoreError } from './errors.js'
import type { S3Options } from './options.js'
import { type SharedFields, sharedFields } from './wire-fields.js'

type Command<I extends ServiceInputTypes, O extends ServiceOutputTypes> = $Command<
  I,
  O,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes
>

/** What every request needs, and the two ways out: nothing but StoreError comes back from either. */
export class RequestContext {
  readonly bucket: string
  readonly shared: SharedFields
  /** For what is asked often. */
  readonly channel: Channel
  /** Two of the shared fields as the SDK takes them. */
  readonly payer: { readonly RequestPayer?: 'requester' }
  readonly customerKey: { readonly SSECustomerAlgorithm?: string; readonly SSECustomerKey?: string }
  readonly #client: S3Client

  constructor(client: S3Client, channel: Channel, bucket: string, options: S3Options) {
    this.bucket = bucket
    this.shared = sharedFields(options)
    this.channel = channel
    this.payer = options.requesterPays === true ? { RequestPayer: 'requester' } : {}
    this.customerKey = sdkCustomerKey(options.sseCustomerKey)
    this.#client = client
  }

  /** For what is seldom asked. */
  async send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: Command<I, O>,
    attempt: Attempt,
  ): Promise<O> {
    throwIfAborted(attempt.signal, attempt.operation, attempt.key)
    try {
      const abortSignal = abortSignalOf(attempt.signal)
      return await this.#client.send(command, abortSignal === undefined ? {} : { abortSignal })
    } catch (error) {
      throw toStoreError(error, attempt)
    }
  }

  close(): void {
    this.channel.close()
    this.#client.destroy()
  }
}

/** The SDK adds the MD5. */
function sdkCustomerKey(key: Uint8Array | undefined): RequestContext['customerKey'] {
  return key === undefined
    ? {}
    : { SSECustomerAlgorithm: 'AES256', SSECustomerKey: Buffer.from(key).toString('base64') }
}

/** As x-amz-copy-source has it. */
export function copySource(bucket: string, key: string): string {
  return `${bucket}/${percentEncodePath(key)}`
}
