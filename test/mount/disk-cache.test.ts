import { execFile } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { canMount, type Driver, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'
import { testBytes } from '../support/store-tools.js'

const mounts = mountsOfThisFile()
const run = promisify(execFile)
const PROGRAM = join(import.meta.dirname, '../../dist/cli/mount-bucket.js')
const MIB = 1024 * 1024

function command(...words: readonly string[]) {
  return execa(process.execPath, [PROGRAM, ...words], { reject: false, stdin: 'ignore' })
}

describe.skipIf(!canMount())('the disk cache of a mount', () => {
  let s3: OwnS3
  const big = Buffer.from(testBytes(21 * MIB + 12_345))
  const small = Buffer.from(testBytes(10_000))

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts)
    await s3.store.put('big', big)
    for (const name of ['a', 'b', 'c']) await s3.store.put(`folder/${name}`, small)
  })
  afterAll(async () => {
    await mounts.endAll()
    await s3?.stop()
  })

  const bytesOut = () => s3.server.counters().bytesOut.GetObject ?? 0

  /** A mount with a place that outlives it. */
  async function places() {
    return {
      cacheDir: await mounts.folder('cache'),
      mountPoint: await mounts.folder('mnt'),
      stateDir: await mounts.folder('state'),
    }
  }

  function mount(at: Awaited<ReturnType<typeof places>>, ...flags: readonly string[]): Promise<Driver> {
    return s3.mount(['--cache-dir', at.cacheDir, ...flags], { mountPoint: at.mountPoint, stateDir: at.stateDir })
  }

  const prefetch = (driver: Driver, ...words: readonly string[]) =>
    command('prefetch', '--state-dir', driver.stateDir, ...words)

  test('after a restart, what was read is read again without a GET', async () => {
    const at = await places()
    const first = await mount(at)
    const { exitCode, stdout, stderr } = await prefetch(first, first.path('big'), first.path('folder'))
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: '21M in 4 files were read', stderr: '' })
    expect(await first.unmount()).toBe(0)

    const second = await mount(at)
    const requests = await s3.requestsDuring(async () => {
      expect((await readFile(second.path('big'))).equals(big)).toBe(true)
      for (const name of ['a', 'b', 'c']) expect((await readFile(second.path('folder', name))).equals(small)).toBe(true)
    })
    expect(requests.GetObject, second.log).toBe(undefined)
    expect(await second.unmount()).toBe(0)
  })

  test('what a plain read was too fast for is put away while nobody reads, and at the end of the mount', async () => {
    const at = await places()
    // A quarter of the memory may wait for the disk.
    const first = await mount(at, '--memory', '32M')
    expect((await readFile(first.path('big'))).equals(big)).toBe(true)
    expect(await first.unmount()).toBe(0)
    const second = await mount(at)
    const requests = await s3.requestsDuring(async () => {
      expect((await readFile(second.path('big'))).equals(big)).toBe(true)
    })
    expect(requests.GetObject).toBe(undefined)
    expect(await second.unmount()).toBe(0)
  })

  test('mounts at other places share it', async () => {
    const [one, other] = [await places(), await places()]
    const first = await mount(one)
    expect((await prefetch(first, '--quiet', first.path('big'))).stdout).toBe('')
    const second = await mount({ ...other, cacheDir: one.cacheDir })
    const requests = await s3.requestsDuring(async () => {
      expect((await readFile(second.path('big'))).equals(big)).toBe(true)
    })
    expect(requests.GetObject).toBe(undefined)
    for (const driver of [first, second]) expect(await driver.unmount()).toBe(0)
  })

  test('a version that others have made comes from the store', async () => {
    const at = await places()
    await s3.store.put('changing', big)
    const first = await mount(at)
    expect((await prefetch(first, first.path('changing'))).exitCode).toBe(0)
    expect(await first.unmount()).toBe(0)
    const other = Buffer.from(big).fill(7, MIB, MIB + 100)
    await s3.store.put('changing', other)
    const second = await mount(at)
    expect((await readFile(second.path('changing'))).equals(other)).toBe(true)
    expect(await second.unmount()).toBe(0)
  })

  test('a driver that was killed leaves it in order', async () => {
    const at = await places()
    const first = await mount(at)
    const reading = readFile(first.path('big')).catch(() => undefined)
    await expect.poll(() => readdirSync(at.cacheDir, { recursive: true }).length).toBeGreaterThan(3)
    await first.kill()
    await reading
    const second = await mount(at)
    expect((await readFile(second.path('big'))).equals(big)).toBe(true)
    expect((await prefetch(second, second.path('big'))).exitCode).toBe(0)
    expect(await second.unmount()).toBe(0)
    const third = await mount(at)
    const before = bytesOut()
    expect((await readFile(third.path('big'))).equals(big)).toBe(true)
    expect(bytesOut()).toBe(before)
    expect(await third.unmount()).toBe(0)
  })

  test('it may be removed under a mount', async () => {
    const at = await places()
    const driver = await mount(at)
    expect((await prefetch(driver, driver.path('folder'))).exitCode).toBe(0)
    rmSync(at.cacheDir, { recursive: true })
    expect((await readFile(driver.path('big'))).equals(big)).toBe(true)
    expect((await prefetch(driver, driver.path('big'))).exitCode).toBe(0)
    expect(await driver.unmount()).toBe(0)
  })

  test('on a disk for reading only it is read', async () => {
    const at = await places()
    await tmpfs(at.cacheDir, '64m')
    const first = await mount(at)
    expect((await prefetch(first, first.path('big'))).exitCode).toBe(0)
    expect(await first.unmount()).toBe(0)
    await run('mount', ['-o', 'remount,ro', at.cacheDir])
    const second = await mount(at)
    const requests = await s3.requestsDuring(async () => {
      expect((await readFile(second.path('big'))).equals(big)).toBe(true)
    })
    expect(requests.GetObject).toBe(undefined)
    expect((await readFile(second.path('folder', 'a'))).equals(small)).toBe(true)
    expect(second.log).toContain('the disk cache is on a disk for reading only')
    expect(await second.unmount()).toBe(0)
  })

  test('on a full disk nothing is added, and every read is right', async () => {
    const at = await places()
    await tmpfs(at.cacheDir, '8m')
    const readBy = async (keepFree: string) => {
      const driver = await mount(at, '--cache-free', keepFree)
      expect((await prefetch(driver, driver.path('big'))).exitCode).toBe(0)
      expect((await readFile(driver.path('big'))).equals(big)).toBe(true)
      expect(await driver.unmount()).toBe(0)
    }
    const fill = (name: string) => writeFile(join(at.cacheDir, name), Buffer.alloc(2 * MIB))
    for (const name of ['others-1', 'others-2', 'others-3']) {
      // What is to be free is.
      await fill(name)
      await readBy('3M')
    }
    await expect(fill('others-4')).rejects.toThrow(/ENOSPC/)
    await readBy('0')
    const names = ['mount-bucket-cache-1', 'others-1', 'others-2', 'others-3', 'others-4']
    expect(readdirSync(at.cacheDir).sort()).toEqual(names)
  })

  test('cache says what is there and empties it, while a mount uses it', async () => {
    const at = await places()
    const driver = await mount(at)
    expect((await prefetch(driver, driver.path('folder'))).exitCode).toBe(0)
    const usage = await command('cache', '--json', '--cache-dir', at.cacheDir)
    expect(JSON.parse(usage.stdout)).toEqual([
      {
        url: 's3://bucket',
        endpoint: s3.server.url,
        files: 3,
        sizeBytes: 3 * (4096 + 12_288),
        lastUsedAt: expect.stringMatching(/^\d{4}-/),
      },
    ])
    const table = await command('cache', '--cache-dir', at.cacheDir)
    expect(table.stdout).toMatch(/^SIZE +LAST USED \(UTC\) +BUCKET\n48K +.* s3:\/\/bucket at http.*\n48K +in all$/)
    expect((await command('cache', 'clear', '--cache-dir', at.cacheDir)).stdout).toBe(
      `48K were removed from ${at.cacheDir}`,
    )
    expect((await command('cache', '--cache-dir', at.cacheDir)).stdout).toBe(`nothing is cached in ${at.cacheDir}`)
    expect((await readFile(driver.path('folder', 'a'))).equals(small)).toBe(true)
    expect(await driver.unmount()).toBe(0)
  })

  test('prefetch says where nothing can be brought', async () => {
    const at = await places()
    const driver = await s3.mount([], { mountPoint: at.mountPoint, stateDir: at.stateDir })
    const uncached = await prefetch(driver, driver.path('big'))
    expect(uncached.exitCode).toBe(2)
    expect(uncached.stderr).toContain('expected a path on a mount with a disk cache (--cache-dir)')
    expect(await prefetch(driver, driver.path('none'))).toMatchObject({ exitCode: 3 })
    const elsewhere = await prefetch(driver, at.cacheDir)
    expect(elsewhere.exitCode).toBe(6)
    expect(elsewhere.stderr).toContain('is not on a mount of mount-bucket')
    expect((await command('prefetch', '--state-dir', at.cacheDir, driver.path('big'))).exitCode).toBe(2)
    expect(await driver.unmount()).toBe(0)
  })

  test('a folder that others may write to is refused before anything is mounted', async () => {
    const at = await places()
    await mkdir(join(at.cacheDir, 'mount-bucket-cache-1'), { mode: 0o777 })
    await run('chmod', ['777', join(at.cacheDir, 'mount-bucket-cache-1')])
    await expect(mount(at)).rejects.toThrow(
      /--cache-dir: expected a folder of this user .* found .*other users may write/,
    )
  })
})

async function tmpfs(folder: string, size: string): Promise<void> {
  await run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder])
  onTestFinished(async () => {
    await run('umount', ['-l', folder])
  })
}
