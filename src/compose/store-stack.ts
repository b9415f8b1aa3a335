import type { BucketAdmin } from '../backend/bucket-admin.js'
import type { FillingThreads } from '../backend/filling-threads.js'
import { LimitsLayer } from '../backend/layers/limits-layer.js'
import { Meter } from '../backend/layers/meter.js'
import { MeteringLayer } from '../backend/layers/metering-layer.js'
import { PrefixLayer } from '../backend/layers/prefix-layer.js'
import { ReadOnlyLayer } from '../backend/layers/read-only-layer.js'
import { retriedBuckets } from '../backend/layers/retry/retried-buckets.js'
import { RetryLayer } from '../backend/layers/retry/retry-layer.js'
import type { Log } from '../backend/log.js'
import type { ObjectStore } from '../backend/object-store.js'
import { openBareStore, openBuckets, parseStorageUrl } from '../backend/registry.js'
import { readCustomerKey } from '../backend/s3/customer-key.js'
import type { S3Credentials, S3Options } from '../backend/s3/options.js'
import type { S3Settings, StoreConfiguration } from '../config/configuration.js'
import { knowledgeIn } from './endpoint-knowledge.js'

/** Whoever mounts should hear of a wrong endpoint soon, and not of one answer that got lost. */
const CHECK_LIMITS = { timeoutMs: 10_000, maxAttempts: 3 }

/** The store and what is around it, innermost first; `checked` is the same with less patience. */
export async function openStack(
  configuration: StoreConfiguration,
  log: Log,
  threads?: FillingThreads,
): Promise<{ readonly store: ObjectStore; readonly checked: ObjectStore; readonly meter: Meter }> {
  const { data, mount } = configuration
  const url = parseStorageUrl(configuration.url)
  const bare = await openBareStore(url, {
    log,
    s3: url.scheme === 's3' ? { ...(await s3Options(configuration, url.bucket, log)), threads } : undefined,
    local: { create: configuration.isEmbedded, publicUrl: configuration.publicUrl },
  })
  const meter = new Meter()
  const metered = new MeteringLayer(bare, meter)
  const limited = new LimitsLayer(metered, { concurrency: data.requests })
  const retried = new RetryLayer(limited, { timeoutMs: data.timeoutMs, maxAttempts: data.attempts })
  const guarded = mount.readOnly ? new ReadOnlyLayer(retried) : retried
  const prefixed = (store: ObjectStore) => (url.prefix === '' ? store : new PrefixLayer(store, url.prefix))
  return { store: prefixed(guarded), checked: prefixed(new RetryLayer(metered, CHECK_LIMITS)), meter }
}

/** The buckets of the account, folder or process to which the configuration's bucket belongs. */
export async function openAccount(configuration: StoreConfiguration, log: Log): Promise<BucketAdmin> {
  const { data } = configuration
  const url = parseStorageUrl(configuration.url)
  const s3 = url.scheme === 's3' ? await s3Options(configuration, url.bucket, log) : undefined
  return retriedBuckets(await openBuckets(url, { log, s3 }), { timeoutMs: data.timeoutMs, maxAttempts: data.attempts })
}

async function s3Options(configuration: StoreConfiguration, bucket: string, log: Log): Promise<S3Options> {
  const { s3, data, places } = configuration
  return {
    profile: s3.profile,
    credentials: credentialsOf(s3),
    region: s3.region,
    endpoint: s3.endpoint,
    forcePathStyle: s3.pathStyle === 'auto' ? undefined : s3.pathStyle === 'on',
    anonymous: !s3.signRequest,
    requesterPays: s3.requesterPays,
    sse: s3.sse,
    sseKmsKeyId: s3.sseKmsKeyId,
    sseCustomerKey: s3.sseCKeyFile === undefined ? undefined : await readCustomerKey(s3.sseCKeyFile),
    storageClass: s3.storageClass,
    acl: s3.acl,
    checksums: s3.checksums,
    signPayload: s3.signPayload,
    maxSockets: data.requests,
    idleTimeoutMs: data.timeoutMs,
    knowledge:
      places.endpointsDir === undefined
        ? undefined
        : knowledgeIn(places.endpointsDir, `${s3.endpoint ?? ''} ${bucket}`),
    log,
  }
}

function credentialsOf({ accessKeyId, secretAccessKey, sessionToken }: S3Settings): S3Credentials | undefined {
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined
  return { accessKeyId, secretAccessKey, sessionToken }
}
