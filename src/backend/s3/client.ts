import { rootCertificates } from 'node:tls'
import type { S3ClientConfig } from '@aws-sdk/client-s3'
import { serverWorkMs } from '../server-work.js'
import { type BucketPlace, findPlace } from './bucket-place.js'
import { Channel } from './channel.js'
import { readError, toStoreError } from './errors.js'
import { type CredentialSource, heldCredentials } from './held-credentials.js'
import { HttpPool, type PoolSettings } from './http/pool.js'
import { MAX_COPY_BYTES } from './limits.js'
import type { S3Options } from './options.js'
import type { RangeSettings } from './range-program.js'
import { HeadBucketCommand, S3Client } from './sdk.js'

/** The ways to a bucket, and what the rest of the store must know of its endpoint. */
export interface Connection {
  /** For what is seldom asked. */
  readonly client: S3Client
  /** For what is asked often. */
  readonly channel: Channel
  readonly place: BucketPlace
  /** Undefined: requests are not signed. */
  readonly credentials: CredentialSource | undefined
  /** AWS itself keeps every condition and wants virtual-host names; others differ. */
  readonly isAws: boolean
}

const DEFAULT_MAX_SOCKETS = 64
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000
const DEFAULT_IDLE_TIMEOUT_MS = 60_000
const FALLBACK_REGION = 'us-east-1'

/** Sends nothing, except that AWS is asked for the bucket's region when nothing else names it. */
export async function connect(bucket: string, options: S3Options, signal?: AbortSignal): Promise<Connection> {
  const endpoint = options.endpoint ?? (await configuredEndpoint(bucket, options))
  const isAws = isAwsHost(new URL(endpoint).hostname)
  const region = options.region ?? (await findRegion(bucket, options, endpoint, isAws, signal))
  const found = { ...options, region, endpoint: isAws ? options.endpoint : endpoint }
  const client = makeClient(found, isAws)
  const place = await placeOf(bucket, found, isAws)
  const provider = () => client.config.credentials()
  const credentials = options.anonymous === true ? undefined : heldCredentials(provider, Date.now)
  return { client, channel: makeChannel(credentials, place, options, isAws), place, credentials, isAws }
}

function isAwsHost(host: string): boolean {
  return /(^|\.)amazonaws\.com(\.cn)?$/.test(host)
}

function makeChannel(
  credentials: Connection['credentials'],
  place: BucketPlace,
  options: S3Options,
  isAws: boolean,
): Channel {
  const idleTimeoutMs = options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS
  const connectTimeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS
  const pool: PoolSettings = {
    origin: place.origin,
    maxSockets: options.maxSockets ?? DEFAULT_MAX_SOCKETS,
    connectTimeoutMs,
    checkEveryMs: Math.min(1000, Math.ceil(Math.min(idleTimeoutMs, connectTimeoutMs) / 4)),
  }
  const ranges: RangeSettings = { place, pool }
  options.threads?.loadFiller(new URL('./range-program.js', import.meta.url), ranges)
  return new Channel({
    place,
    pool: new HttpPool(pool),
    threads: options.threads,
    credentials,
    payloads: { isSigned: options.signPayload === true, isSummed: hasChecksums(options, isAws) },
    idleTimeoutMs,
    patientTimeoutMs: idleTimeoutMs + serverWorkMs(MAX_COPY_BYTES),
    nowMs: Date.now,
  })
}

/** A signed body has a digest already. */
function hasChecksums(options: S3Options, isAws: boolean): boolean {
  return options.signPayload !== true && (options.checksums === 'on' || (options.checksums !== 'off' && isAws))
}

/** Failures are told by who hears of them: without a logger of its own the SDK writes some of them to the console. */
const SILENCE = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore }

function ignore(): void {}

function makeClient(options: S3Options, isAws: boolean): S3Client {
  const when = hasChecksums(options, isAws) ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED'
  const agent = { keepAlive: true, maxSockets: options.maxSockets ?? DEFAULT_MAX_SOCKETS }
  const config: S3ClientConfig = {
    maxAttempts: 1,
    logger: SILENCE,
    forcePathStyle: options.forcePathStyle ?? !isAws,
    requestChecksumCalculation: when,
    responseChecksumValidation: when,
    requestHandler: {
      httpAgent: agent,
      httpsAgent: options.ca === undefined ? agent : { ...agent, ca: [...rootCertificates, options.ca] },
      connectionTimeout: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      socketTimeout: options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
    },
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
    ...credentialsOf(options),
  }
  return new S3Client(config)
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

/** Where the SDK would go by its environment and files. */
async function configuredEndpoint(bucket: string, options: S3Options): Promise<string> {
  const { origin, hostField } = await placeOf(bucket, { ...options, region: options.region ?? FALLBACK_REGION }, true)
  return `${origin.isSecure ? 'https' : 'http'}://${hostField}`
}

/** Without looking for credentials, which the first request does. */
async function placeOf(bucket: string, options: S3Options, isAws: boolean): Promise<BucketPlace> {
  const client = makeClient({ ...options, anonymous: true }, isAws)
  try {
    return await findPlace(client, bucket, options.ca)
  } finally {
    client.destroy()
  }
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

/** For what concerns no bucket or all of them. Sends nothing. */
export async function accountClient(
  options: S3Options,
): Promise<{ readonly client: S3Client; readonly region: string; readonly isAws: boolean }> {
  // Endpoints are resolved for a bucket, whatever its name.
  const endpoint = options.endpoint ?? (await configuredEndpoint('bucket', { ...options, forcePathStyle: true }))
  const isAws = isAwsHost(new URL(endpoint).hostname)
  const found = { ...options, endpoint: isAws ? options.endpoint : endpoint }
  const configured = makeClient(found, isAws)
  try {
    const region = options.region ?? (await configured.config.region().catch(() => FALLBACK_REGION))
    return { client: makeClient({ ...found, region }, isAws), region, isAws }
  } finally {
    configured.destroy()
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
