import { type S3Server, startS3Server } from '../../scripts/servers/s3/s3-server.js'
import { TLS_CERTIFICATE, TLS_KEY } from '../../scripts/servers/tls-certificate.js'
import type { ObjectStore } from '../../src/backend/object-store.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import type { Driver, MountKeeper, MountSettings } from './mount-driver.js'
import { requestsDuring } from './requests-during.js'

const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'testsecret' }
const BUCKET = 'bucket'

/** The own S3 in this process, with knobs and counters of its own, and mounts of its one bucket. */
export class OwnS3 {
  /** The bucket as others see it, beside all mounts. Its requests count too. */
  readonly store: ObjectStore
  readonly server: S3Server
  readonly #mounts: MountKeeper

  private constructor(server: S3Server, store: ObjectStore, mounts: MountKeeper) {
    this.server = server
    this.store = store
    this.#mounts = mounts
  }

  /** `isSecure`: mounts reach it over HTTPS, with a certificate that they must be told to trust. */
  static async start(mounts: MountKeeper, isSecure = false): Promise<OwnS3> {
    const tls = isSecure ? { tls: { cert: TLS_CERTIFICATE, key: TLS_KEY } } : {}
    const server = await startS3Server({ buckets: [BUCKET], ...tls })
    return new OwnS3(server, await openS3Store(BUCKET, { endpoint: server.url, credentials: CREDENTIALS }), mounts)
  }

  /** Mounts the bucket, and makes the driver find out first what it asks any server once. */
  async mount(
    flags: readonly string[] = [],
    places: Pick<MountSettings, 'mountPoint' | 'stateDir' | 'environment' | 'node'> = {},
  ): Promise<Driver> {
    const environment = {
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      ...places.environment,
    }
    const url = `s3://${BUCKET}`
    return this.#mounts.start({
      url,
      flags: ['--endpoint', this.server.secureUrl ?? this.server.url, ...flags],
      ...places,
      environment,
    })
  }

  /** What was asked of the bucket while `task` ran, by operation. */
  requestsDuring(task: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
    return requestsDuring(this.server, task)
  }

  async stop(): Promise<void> {
    await this.store.close()
    await this.server.close()
  }
}
