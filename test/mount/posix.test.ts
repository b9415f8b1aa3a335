import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import { posixSuite } from '../posix/posix.suite.js'
import { canMount, mountsOfThisFile } from '../support/mount-driver.js'
import { BUCKET_EXCEPTIONS } from '../support/posix-exceptions.js'
import { cephS3, createBucket } from '../support/servers.js'

const mounts = mountsOfThisFile()
const ceph = canMount() ? await cephS3() : undefined

describe.skipIf(process.getuid?.() !== 0)('the suite itself', () => {
  const folders: string[] = []
  afterAll(() => Promise.all(folders.map(folder => rm(folder, { recursive: true }))))
  const openFolder = async () => {
    const folder = await mkdtemp(join('/dev/shm', 'mount-bucket-test-'))
    folders.push(folder)
    return folder
  }
  posixSuite('tmpfs', openFolder)
})

describe.skipIf(!canMount())('kernel transport', () => {
  const flags = ['--allow-other']
  const openMemory = async () => (await mounts.start({ url: 'mem://posix', flags })).mountPoint
  posixSuite('mem://', openMemory, { exceptions: BUCKET_EXCEPTIONS })

  const openFolder = async () => {
    const folder = await mounts.folder('store')
    return (await mounts.start({ url: `file://${folder}`, flags })).mountPoint
  }
  posixSuite('file://', openFolder, { exceptions: BUCKET_EXCEPTIONS })
})

describe.skipIf(ceph === undefined)('kernel transport on Ceph RGW', () => {
  const openBucket = async () => {
    if (ceph === undefined) throw new Error('skipped')
    const bucket = await createBucket(ceph)
    const { accessKeyId, secretAccessKey } = ceph.credentials
    const environment = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    const flags = ['--allow-other', '--endpoint', ceph.endpoint]
    return (await mounts.start({ url: `s3://${bucket}`, flags, environment })).mountPoint
  }
  posixSuite('S3 on Ceph RGW', openBucket, { exceptions: BUCKET_EXCEPTIONS, selection: 'usual' })
})
