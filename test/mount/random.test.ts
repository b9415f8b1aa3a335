import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { PosixContext } from '../posix/posix-context.js'
import { canMount, type Driver, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'

const mounts = mountsOfThisFile()
const PROGRAM = join(import.meta.dirname, '../posix/random-calls.py')

/** The same random calls on tmpfs and on a mount: every answer must be the same, and what is stored in the end too. */
describe.skipIf(!canMount())('random calls', () => {
  let store = ''
  let usual: Driver
  /** Trusts nothing that it knows, and holds next to nothing. */
  let forgetful: Driver

  beforeAll(async () => {
    store = await mounts.folder('store')
    usual = await mounts.start({ url: `file://${store}`, flags: ['--part-size', '5M'] })
    const flags = ['--metadata-ttl', '0', '--memory', '1M', '--block-size', '4K', '--part-size', '5M']
    forgetful = await mounts.start({ url: `file://${store}`, flags })
  })

  /** `stored` is where the outcome is looked at. */
  async function compare(driver: Driver, stored: string, seed: number, steps: number, ...more: readonly string[]) {
    const reference = await mkdtemp('/dev/shm/mount-bucket-test-')
    onTestFinished(() => rm(reference, { recursive: true }))
    const name = `seed-${seed}`
    const folder = driver.path(name)
    await mkdir(folder)
    const context = new PosixContext(reference)
    await context.run('/usr/bin/python3', PROGRAM, reference, folder, String(seed), String(steps), ...more)
    const list = (root: string) => context.sh('cd "$1"; find . -type f -exec sha256sum {} + | sort', root)
    expect(await list(join(stored, name))).toBe(await list(reference))
  }

  test.for([1, 2, 3, 4, 5, 6])('seed %i answers as tmpfs does', seed => compare(usual, store, seed, 1500))

  test.for([11, 12])('seed %i with large files answers as tmpfs does', seed =>
    compare(usual, store, seed, 400, 'large'),
  )

  test.for([21, 22])('seed %i without caches answers as tmpfs does', seed => compare(forgetful, store, seed, 1000))

  describe('with data threads', () => {
    let s3: OwnS3
    let threaded: Driver
    /** Reads what was stored without any. */
    let witness: Driver

    beforeAll(async () => {
      s3 = await OwnS3.start(mounts)
      const flags = ['--metadata-ttl', '0', '--part-size', '5M']
      threaded = await s3.mount([...flags, '--data-threads', '2', '--memory', '24M'])
      witness = await s3.mount(flags)
    })
    afterAll(async () => {
      await mounts.endAll()
      await s3?.stop()
    })

    test.for([31, 32])('seed %i with large files answers as tmpfs does', seed =>
      compare(threaded, witness.mountPoint, seed, 400, 'large'),
    )
  })
})
