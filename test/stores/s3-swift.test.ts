import { describe } from 'vitest'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { SWIFT_DEVIATIONS } from '../support/deviations.js'
import { createBucket, swiftS3 } from '../support/servers.js'
import { objectStoreSuite } from './object-store.suite.js'

const server = await swiftS3()

describe.skipIf(server === undefined)('OpenStack Swift', () => {
  const open = async () => {
    if (server === undefined) throw new Error('skipped')
    const bucket = await createBucket(server)
    const { endpoint, credentials } = server
    const store = await openS3Store(bucket, { endpoint, credentials })
    return { store, prefix: '', dispose: () => store.close() }
  }
  objectStoreSuite('S3 on Swift', open, { deviations: SWIFT_DEVIATIONS, manyKeys: 1050 })
})
