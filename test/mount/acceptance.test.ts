import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { Bucket } from '../../scripts/acceptance/bucket.js'
import { Site } from '../../scripts/acceptance/site.js'
import { STEPS } from '../../scripts/acceptance/steps.js'
import { canRun, installed } from '../support/acceptance-needs.js'
import { canMount } from '../support/mount-driver.js'
import { built, cephS3, freshBucketName } from '../support/servers.js'

/** The short form of `npm run test:acceptance`: the same steps with less of everything. Nothing is judged by its time. */
const LARGE_BYTES = 96 * 2 ** 20
const FILES = 250

const PROGRAMS = ['runc', '/bin/busybox', 'git', 'curl', 'fusermount3', 'unshare']

const isPossible =
  canMount() && canRun('the acceptance', [...PROGRAMS.map(installed), ['/usr/bin/python3', '-c', 'import PIL']])
const ceph = isPossible ? await cephS3() : undefined

for (const transport of ['kernel', 'fuse-native'] as const)
  describe.skipIf(ceph === undefined)(`acceptance, ${transport} transport`, () => {
    let site: Site

    beforeAll(async () => {
      if (ceph === undefined) throw new Error('skipped')
      await built()
      const bucket = new Bucket(ceph.endpoint, freshBucketName(), ceph.credentials)
      await bucket.create()
      const root = join(import.meta.dirname, '../..')
      site = new Site({ root, transport, bucket, largeBytes: LARGE_BYTES, files: FILES, judgesTime: false })
      process.once('exit', closeNow)
    })
    afterAll(() => {
      process.off('exit', closeNow)
      closeNow()
    })
    const closeNow = () => site?.close()

    for (const { title, run } of STEPS) test(title, () => run(site))
  })
