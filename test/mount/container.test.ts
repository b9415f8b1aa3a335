import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { Container } from '../../scripts/acceptance/container.js'
import { canRun, installed } from '../support/acceptance-needs.js'
import { canMount, type Driver, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'
import { contentOf } from '../support/store-tools.js'

const UID = 12_345

const mounts = mountsOfThisFile()
const isPossible = canMount() && canRun('containers', [installed('runc'), installed('/bin/busybox')])

/** Runs a script in a new container in which a mount is /bucket; gives what it prints. */
async function inContainer(driver: Driver, script: string, uid = UID): Promise<string> {
  const container = await Container.make(await mounts.folder('container'))
  onTestFinished(() => container.removeNow())
  return container.run(driver.mountPoint, uid, script)
}

describe.skipIf(!isPossible)('a mount in a container', () => {
  let s3: OwnS3
  let driver: Driver

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts)
    driver = await s3.mount(['--allow-other', '--part-size', '5M'])
    await mkdir(driver.path('open'))
    await chmod(driver.path('open'), 0o777)
  })
  afterAll(async () => {
    await mounts.endAll()
    await s3?.stop()
  })

  async function stored(key: string): Promise<string> {
    return (await contentOf(s3.store, key)).toString()
  }

  test('is a mount point of its own there, of our type', async () => {
    const line = await inContainer(driver, 'grep " /bucket " /proc/self/mountinfo')
    expect(line).toContain(' - fuse.mount-bucket s3://bucket rw')
  })

  test('shows the files of the host', async () => {
    await writeFile(driver.path('open/from-host'), 'hello')
    expect(await inContainer(driver, 'id -u; cat open/from-host')).toBe(`${UID}\nhello`)
  })

  test('takes what an unprivileged user writes, as that user', async () => {
    await inContainer(
      driver,
      'cd open; mkdir folder; echo one > folder/file; echo two >> folder/file; mv folder/file file',
    )
    expect(await stored('open/file')).toBe('one\ntwo\n')
    expect((await s3.store.head('open/file')).metadata).toMatchObject({ uid: String(UID), gid: String(UID) })
    expect(await readFile(driver.path('open/file'), 'utf8')).toBe('one\ntwo\n')
  })

  test('takes a larger file', async () => {
    await inContainer(driver, 'dd if=/dev/zero bs=1000 count=12000 2>/dev/null | cat > open/large')
    const { sizeBytes } = await s3.store.head('open/large')
    expect(sizeBytes).toBe(12_000_000)
  })

  // The container's programs have pids of their own, and its bind mount an id of its own.
  test.each([
    ['a list of commands', '(echo a; cat /dev/null; echo b) > open/once', 'a\nb\n'],
    ['children', 'for i in 1 2 3; do sh -c "echo $i"; done > open/once', '1\n2\n3\n'],
  ])('stores the output of %s once', async (_, script, content) => {
    const { PutObject } = await s3.requestsDuring(() => inContainer(driver, script))
    expect(await stored('open/once')).toBe(content)
    expect(PutObject).toBe(1)
  })

  test('keeps what the modes forbid from an unprivileged user', async () => {
    await writeFile(driver.path('open/secret'), 'secret')
    await chmod(driver.path('open/secret'), 0o600)
    expect(await inContainer(driver, '! cat open/secret 2>&1')).toMatch(/open\/secret.*Permission denied/)
    expect(await inContainer(driver, '! mkdir folder 2>&1')).toMatch(/folder.*Permission denied/)
    expect(await inContainer(driver, 'cat open/secret', 0)).toBe('secret')
  })

  test('lets nobody but its own user in without --allow-other', async () => {
    const own = await s3.mount()
    const failure = inContainer(own, 'ls /bucket')
    await expect(failure).rejects.toThrow(/ermission denied/)
  })
})
