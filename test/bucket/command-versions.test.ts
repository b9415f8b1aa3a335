import { PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import { openBareStore, parseStorageUrl } from '../../src/backend/registry.js'
import { BucketCommand } from '../support/bucket-command.js'
import { cephS3, type S3Server } from '../support/servers.js'
import { text } from '../support/store-tools.js'

const ceph = await cephS3()

describe.runIf(ceph !== undefined)('a bucket that keeps versions, on Ceph RGW', () => {
  it.each(['Enabled', 'Suspended'] as const)('is deleted with all of them, while that is %s', async status => {
    const server = ceph as S3Server
    const bucket = await BucketCommand.onServer(server)
    const store = await openBareStore(parseStorageUrl(bucket.url), { s3: server })
    await store.put('from before', text('x'))
    await keepVersions(server, bucket.url, 'Enabled')
    const keys = ['twice', 'a&b <ü>', 'strange\u0001', ...Array.from({ length: 600 }, (_, number) => `many/${number}`)]
    for (const round of ['one', 'two']) await Promise.all(keys.map(key => store.put(key, text(round))))
    await keepVersions(server, bucket.url, status)
    await store.delete(keys.map(key => ({ key })))
    await store.put('twice', text('again'))
    expect(await bucket.run(['rb', bucket.url])).toMatchObject({ exitCode: 1 })
    expect(await bucket.output('rb', bucket.url, '--force', '--yes')).toBe('')
    expect(await bucket.run(['bucket-exists', bucket.url])).toMatchObject({ exitCode: 3 })
    await store.close()
    await bucket.dispose()
  })
})

async function keepVersions(server: S3Server, url: string, Status: 'Enabled' | 'Suspended'): Promise<void> {
  const client = new S3Client({ ...server, region: 'us-east-1', forcePathStyle: true })
  const Bucket = url.slice('s3://'.length)
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }))
  client.destroy()
}
