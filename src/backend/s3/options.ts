import type { FillingThreads } from '../filling-threads.js'
import type { Log } from '../log.js'

/** How a bucket is reached and what its new objects get. Everything has a default that suits AWS. */
export interface S3Options {
  /** A profile of the AWS configuration files, instead of the one that the environment names. */
  readonly profile?: string | undefined
  /** Default: what the environment and the profile say, else the bucket is asked (AWS), else `us-east-1`. */
  readonly region?: string | undefined
  /** `https://host[:port]` of a store that is not AWS. Default: what the environment and the profile say, else AWS. */
  readonly endpoint?: string | undefined
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. Default: for every endpoint that is not AWS. */
  readonly forcePathStyle?: boolean | undefined
  /** Requests are not signed, no credentials are looked for. */
  readonly anonymous?: boolean | undefined
  readonly requesterPays?: boolean | undefined
  readonly sse?: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined
  readonly sseKmsKeyId?: string | undefined
  /** SSE-C: the 32 bytes of the key that the server encrypts with and forgets. */
  readonly sseCustomerKey?: Uint8Array | undefined
  readonly storageClass?: string | undefined
  /** A canned ACL: `private`, `public-read`, `bucket-owner-full-control`, ... */
  readonly acl?: string | undefined
  /** CRC32 with what is written, and checked in whole objects that are read. Default `auto`: on for AWS alone. */
  readonly checksums?: 'auto' | 'on' | 'off' | undefined
  /** SHA-256 of every body goes into its signature, 0.6 CPU-s/GB. Default: bodies are not signed. */
  readonly signPayload?: boolean | undefined
  /** Default: the SDK's chain (environment, profiles, SSO, web identity, container, instance). */
  readonly credentials?: S3Credentials | undefined
  /** Connections at the most; should not be below what the layers above let through at once. Default 64. */
  readonly maxSockets?: number | undefined
  /** Default 10,000. */
  readonly connectTimeoutMs?: number | undefined
  /** How long a connection may carry no byte while a request is under way. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined
  /** Certificates to trust beside Node's own, in PEM. */
  readonly ca?: string | undefined
  /** Where it is kept what was found out about the endpoint. Default: only as long as the store is open. */
  readonly knowledge?: KnowledgeKeeper | undefined
  /** Where ranges are received for memory that they share; of this store alone. Default: in this thread. */
  readonly threads?: FillingThreads | undefined
  readonly log?: Log | undefined
}

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** Keeps one JSON value for an endpoint and bucket. */
export interface KnowledgeKeeper {
  /** What was saved last; undefined when nothing was. */
  load(): Promise<unknown>
  save(value: unknown): Promise<void>
}
