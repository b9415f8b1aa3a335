import type { Knobs } from '../../scripts/servers/s3/knobs.js'
import { startS3Server } from '../../scripts/servers/s3/s3-server.js'
import type { S3Options } from '../../src/backend/s3/options.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { objectStoreSuite } from './object-store.suite.js'
import type { OpenedStore } from './suite/suite-context.js'

const credentials = { accessKeyId: 'test', secretAccessKey: 'testsecret' }

function opener(options: S3Options, knobs: Partial<Knobs> = {}): () => Promise<OpenedStore> {
  return async () => {
    const server = await startS3Server({ buckets: ['bucket'] })
    server.setKnobs(knobs)
    const store = await openS3Store('bucket', { endpoint: server.url, credentials, ...options })
    const dispose = async () => {
      await store.close()
      await server.close()
    }
    return { store, prefix: '', dispose }
  }
}

objectStoreSuite('S3 on the own server', opener({}))
objectStoreSuite('S3 on the own server, with CRC32 of all bodies', opener({ checksums: 'on' }))
objectStoreSuite('S3 on the own server, with signed bodies', opener({ signPayload: true, checksums: 'on' }))
objectStoreSuite('S3 on the own server, with SSE-C', opener({ sseCustomerKey: new Uint8Array(32).fill(7) }), {
  // One or the other.
  deviations: ['keeps-no-encryption'],
})
objectStoreSuite('S3 on the own server, which loses tags as Ceph does', opener({}, { loseTags: true }), {
  manyKeys: 1100,
})
