import { describe } from 'vitest'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { CEPH_DEVIATIONS } from '../support/deviations.js'
import { cephS3, createBucket } from '../support/servers.js'
import { objectStoreSuite } from './object-store.suite.js'

const server = await cephS3()

describe.skipIf(server === undefined)('Ceph RGW', () => {
  const open = async () => {
    if (server === undefined) throw new Error('skipped')
    const bucket = await createBucket(server)
    const { endpoint, credentials } = server
    const store = await openS3Store(bucket, { endpoint, credentials })
    return { store, prefix: '', dispose: () => store.close() }
  }
  objectStoreSuite('S3 on Ceph RGW', open, { deviations: CEPH_DEVIATIONS, owner: 'test' })
})
