import { createHash } from 'node:crypto'
import { HeadBucketCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { serverWorkMs } from '../server-work.js'
import { readError, toStoreError } from './errors.js'
import { MAX_COPY_BYTES } from './limits.js'
import type { S3Options } from './options.js'

/** A client that fits the endpoint, and what the rest of the store must know of that endpoint. */
export interface Connection {
  readonly client: S3Client
  /** For what the server does alone for long without a byte on the connection: copies and completions. */
  readonly patientClient: S3Client
  /** AWS itself keeps every condition and wants virtual-host names; others differ. */
  readonly isAws: boolean
  /** For messages and for what is remembered: without secrets. */
  readonly endpoint: string
}

const DEFAULT_MAX_SOCKETS = 64
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000
const DEFAULT_IDLE_TIMEOUT_MS = 60_000
const FALLBACK_REGION = 'us-east-1'
/** AWS refuses chunks of a trailer-signed stream below 8 KiB (but the last). */
const STREAM_CHUNK_BYTES = 64 * 1024

/** Sends nothing, except that AWS is asked for the bucket's region when nothing else names it. */
export async function connect(bucket: string, options: S3Options, signal?: AbortSignal): Promise<Connection> {
  const endpoint = options.endpoint ?? (await configuredEndpoint(bucket, options))
  const isAws = isAwsUrl(endpoint)
  const region = options.region ?? (await findRegion(bucket, options, endpoint, isAws, signal))
  const found = { ...options, region, endpoint: isAws ? options.endpoint : endpoint }
  const idleTimeoutMs = (options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS) + serverWorkMs(MAX_COPY_BYTES)
  const client = makeClient(found, isAws)
  const patientClient = makeClient({ ...found, idleTimeoutMs }, isAws, client.config.credentials)
  return { client, patientClient, isAws, endpoint: new URL(endpoint).origin }
}

function isAwsUrl(url: string): boolean {
  return /(^|\.)amazonaws\.com(\.cn)?$/.test(new URL(url).hostname)
}

/** Failures are told by who hears of them: without a logger of its own the SDK writes some of them to the console. */
const SILENCE = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore }

function ignore(): void {}

/** `shared`: credentials that another client looks for already. */
function makeClient(options: S3Options, isAws: boolean, shared?: NonNullable<S3ClientConfig['credentials']>): S3Client {
  const checksums = options.checksums === 'on' || (options.checksums !== 'off' && isAws)
  const when = checksums ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED'
  // A signed body has a digest already, and one that is streamed can't have both.
  const requestChecksumCalculation = options.signPayload === true ? 'WHEN_REQUIRED' : when
  const agent = { keepAlive: true, maxSockets: options.maxSockets ?? DEFAULT_MAX_SOCKETS }
  const config: S3ClientConfig = {
    maxAttempts: 1,
    logger: SILENCE,
    forcePathStyle: options.forcePathStyle ?? !isAws,
    requestChecksumCalculation,
    responseChecksumValidation: when,
    requestStreamBufferSize: STREAM_CHUNK_BYTES,
    // Waiting for 100-continue costs a round trip and a connection of its own for every part.
    expectContinueHeader: false,
    requestHandler: {
      httpAgent: agent,
      httpsAgent: options.ca === undefined ? agent : { ...agent, ca: options.ca },
      connectionTimeout: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      socketTimeout: options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
    },
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
    ...credentialsOf(options),
    ...(shared !== undefined && options.anonymous !== true && { credentials: shared }),
  }
  const client = new S3Client(config)
  if (options.signPayload !== true) leaveBodiesUnsigned(client)
  if (!isAws) sendContentMd5(client)
  return client
}

function credentialsOf(options: S3Options): Pick<S3ClientConfig, 'credentials' | 'signer'> {
  if (options.anonymous === true)
    return {
      credentials: { accessKeyId: '', secretAccessKey: '' },
      signer: { sign: request => Promise.resolve(request) },
    }
  if (options.credentials === undefined) return {}
  const { accessKeyId, secretAccessKey, sessionToken } = options.credentials
  return { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }
}

interface HttpRequestLike {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly headers: Record<string, string>
  readonly body?: unknown
}

/** The signer takes a `x-amz-content-sha256` that is there already instead of hashing the body. */
function leaveBodiesUnsigned(client: S3Client): void {
  client.middlewareStack.add(
    next => args => {
      const { headers, body } = args.request as HttpRequestLike
      if (body instanceof Uint8Array) headers['x-amz-content-sha256'] ??= 'UNSIGNED-PAYLOAD'
      return next(args)
    },
    { step: 'build', priority: 'low', name: 'leaveBodiesUnsigned' },
  )
}

/** DeleteObjects must carry a digest; what every server other than AWS knows is Content-MD5. */
function sendContentMd5(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => args => {
      const { headers, body } = args.request as HttpRequestLike
      if (context.commandName === 'DeleteObjectsCommand' && typeof body === 'string') {
        for (const name of Object.keys(headers)) if (/^x-amz-(checksum-|sdk-checksum)/i.test(name)) delete headers[name]
        headers['content-md5'] = createHash('md5').update(body).digest('base64')
      }
      return next(args)
    },
    { step: 'build', priority: 'low', name: 'sendContentMd5' },
  )
}

/** Where the SDK would go by its environment and files; a request that is stopped before it is signed tells. */
async function configuredEndpoint(bucket: string, options: S3Options): Promise<string> {
  const client = makeClient({ ...options, region: options.region ?? FALLBACK_REGION }, true)
  let url = ''
  client.middlewareStack.add(
    () => args => {
      const { protocol, hostname, port } = args.request as HttpRequestLike
      url = `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`
      return Promise.resolve({ output: { $metadata: {} }, response: undefined })
    },
    { step: 'build', priority: 'high', name: 'stopBeforeSigning' },
  )
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }))
  } catch (error) {
    throw toStoreError(error, { operation: 'open' })
  } finally {
    client.destroy()
  }
  return url
}

/**
 * The region of the environment or profile is good enough for other stores. AWS is asked, since a bucket can be
 * anywhere: every reply to HeadBucket names the region, a refusal too.
 */
async function findRegion(
  bucket: string,
  options: S3Options,
  endpoint: string,
  isAws: boolean,
  signal: AbortSignal | undefined,
): Promise<string> {
  const client = makeClient({ ...options, endpoint: isAws ? options.endpoint : endpoint }, isAws)
  try {
    const configured = await client.config.region().catch(() => FALLBACK_REGION)
    return isAws
      ? ((await regionOfBucket(bucket, { ...options, region: configured }, signal)) ?? configured)
      : configured
  } finally {
    client.destroy()
  }
}

/** Undefined when the reply does not tell. */
export async function regionOfBucket(
  bucket: string,
  options: S3Options,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const client = makeClient(options, true)
  try {
    const reply = await client.send(
      new HeadBucketCommand({ Bucket: bucket }),
      signal === undefined ? {} : { abortSignal: signal },
    )
    return reply.BucketRegion
  } catch (error) {
    const seen = readError(error)
    if (seen.status === undefined) throw toStoreError(error, { operation: 'open', signal })
    return seen.region
  } finally {
    client.destroy()
  }
}
