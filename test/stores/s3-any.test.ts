import { randomUUID } from 'node:crypto'
import { describe } from 'vitest'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { MINIO_DEVIATIONS } from '../support/deviations.js'
import { objectStoreSuite } from './object-store.suite.js'
import type { Deviation } from './suite/suite-context.js'

/**
 * The same suite against any other S3, named by MOUNT_BUCKET_TEST_S3_ENDPOINT, _ACCESS_KEY, _SECRET_KEY and _BUCKET. What
 * is known to be otherwise there stands in _DEVIATIONS: names with commas between them; `minio` is its own list.
 */
const setting = (name: string) => process.env[`MOUNT_BUCKET_TEST_S3_${name}`]

const [endpoint, accessKeyId, secretAccessKey, bucket] = ['ENDPOINT', 'ACCESS_KEY', 'SECRET_KEY', 'BUCKET'].map(setting)

function deviations(): readonly Deviation[] {
  const names = (setting('DEVIATIONS') ?? '').split(',').filter(name => name !== '')
  return names.flatMap(name => (name === 'minio' ? MINIO_DEVIATIONS : [name as Deviation]))
}

describe.skipIf(endpoint === undefined)('an S3 named by the environment', () => {
  const open = async () => {
    if (!accessKeyId || !secretAccessKey || !bucket) throw new Error('the keys or the bucket of the S3 are not named')
    const store = await openS3Store(bucket, { endpoint, credentials: { accessKeyId, secretAccessKey } })
    return { store, prefix: `test-${randomUUID()}/`, dispose: () => store.close() }
  }
  objectStoreSuite(`S3 at ${endpoint}`, open, { deviations: deviations(), maxKeyBytes: 1024 - 42 })
})
