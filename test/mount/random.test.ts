import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { PosixContext } from '../posix/posix-context.js'
import { canMount, type Driver, mountsOfThisFile } from '../support/mount-driver.js'

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

  async function compare(driver: Driver, seed: number, steps: number, ...more: readonly string[]): Promise<void> {
    const reference = await mkdtemp('/dev/shm/mount-bucket-test-')
    onTestFinished(() => rm(reference, { recursive: true }))
    const name = `seed-${seed}`
    const folder = driver.path(name)
    await mkdir(folder)
    const context = new PosixContext(reference)
    await context.run('/usr/bin/python3', PROGRAM, reference, folder, String(seed), String(steps), ...more)
    const list = (root: string) => context.sh('cd "$1"; find . -type f -exec sha256sum {} + | sort', root)
    expect(await list(join(store, name))).toBe(await list(reference))
  }

  test.for([1, 2, 3, 4, 5, 6])('seed %i answers as tmpfs does', seed => compare(usual, seed, 1500))

  test.for([11, 12])('seed %i with large files answers as tmpfs does', seed => compare(usual, seed, 400, 'large'))

  test.for([21, 22])('seed %i without caches answers as tmpfs does', seed => compare(forgetful, seed, 1000))
})
