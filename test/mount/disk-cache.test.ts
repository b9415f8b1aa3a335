import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, rmSync } from 'node:fs'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
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

const MAP = `
import hashlib, mmap, sys
with open(sys.argv[1], 'rb') as file:
    pages = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    pages.madvise(mmap.MADV_SEQUENTIAL)
    print(hashlib.sha256(pages).hexdigest(), flush=True)
    sys.stdin.read()
`

/** Holds up the threads that write much at once. */
const SLOW_DISK = `
  const fs = require('node:fs')
  const { isMainThread } = require('node:worker_threads')
  const { writeSync } = fs
  if (!isMainThread) {
    fs.writeSync = (descriptor, bytes, ...more) => {
      if (bytes.length > 64 * 1024) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, bytes.length / 150_000)
      return writeSync(descriptor, bytes, ...more)
    }
    require('node:module').syncBuiltinESMExports()
  }
`

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
    const first = await mount(at, '--memory', '48M')
    expect((await readFile(first.path('big'))).equals(big)).toBe(true)
    expect(await first.unmount()).toBe(0)
    const second = await mount(at)
    const requests = await s3.requestsDuring(async () => {
      expect((await readFile(second.path('big'))).equals(big)).toBe(true)
    })
    expect(requests.GetObject).toBe(undefined)
    expect(await second.unmount()).toBe(0)
  })

  /** What is on the disk, in bytes of objects (segments of 4 MiB have a header of 4 KiB). */
  async function cachedBytes(at: { readonly cacheDir: string }): Promise<number> {
    const [usage] = JSON.parse((await command('cache', '--json', '--cache-dir', at.cacheDir)).stdout) as {
      files: number
      sizeBytes: number
    }[]
    return usage === undefined ? 0 : usage.sizeBytes - usage.files * 4096
  }

  const HUGE_BYTES = 128 * MIB

  async function putHuge(key: string): Promise<string> {
    const bytes = Buffer.alloc(HUGE_BYTES)
    for (let at = 0; at < HUGE_BYTES; at += big.length) big.copy(bytes, at)
    await s3.store.put(key, bytes)
    return createHash('sha256').update(bytes).digest('hex')
  }

  async function readAll(path: string): Promise<string> {
    return (await run('sha256sum', [path])).stdout.slice(0, 64)
  }

  /** Reads a file and keeps its pages mapped, so that nobody who drops the kernel's caches drops them. */
  async function readAndMap(path: string) {
    const child = spawn('python3', ['-c', MAP, path], { stdio: ['pipe', 'pipe', 'inherit'] })
    const ended = once(child, 'close')
    const end = async () => {
      child.stdin.end()
      await ended
    }
    onTestFinished(end)
    const [digest] = (await once(createInterface(child.stdout), 'line')) as [string]
    return { digest, end }
  }

  /** A disk that takes 150 MB a second. */
  async function mountWithSlowDisk(at: Awaited<ReturnType<typeof places>>, ...flags: string[]): Promise<Driver> {
    const program = join(await mounts.folder('slow'), 'slow-disk.cjs')
    await writeFile(program, SLOW_DISK)
    const environment = { NODE_OPTIONS: `--require ${program}` }
    const { mountPoint, stateDir, cacheDir } = at
    return s3.mount(['--cache-dir', cacheDir, ...flags], { mountPoint, stateDir, environment })
  }

  test('what a slow disk has no time for comes from the pages of the kernel later, and the store is not asked again', async () => {
    const digest = await putHuge('huge')
    const at = await places()
    const first = await mountWithSlowDisk(at, '--memory', '96M')
    const reader = await readAndMap(first.path('huge'))
    expect(reader.digest).toBe(digest)
    expect(await cachedBytes(at)).toBeLessThan(HUGE_BYTES)
    const asked = s3.server.counters().requests.GetObject
    await expect.poll(() => cachedBytes(at), { timeout: 60_000, interval: 200 }).toBeGreaterThanOrEqual(HUGE_BYTES)
    expect(s3.server.counters().requests.GetObject).toBe(asked)
    await reader.end()
    expect(await first.unmount()).toBe(0)

    // What waits for others at the disk for half a second comes from the store: few reads at once on a busy machine.
    const second = await mount(at, '--read-ahead', '8M')
    const requests = await s3.requestsDuring(async () => expect(await readAll(second.path('huge'))).toBe(digest))
    expect(requests.GetObject, second.log).toBe(undefined)
    expect(await second.unmount()).toBe(0)
  }, 120_000)

  test('what is written to a file meanwhile never gets into the cache as the version that was read', async () => {
    const digest = await putHuge('written')
    const at = await places()
    const first = await mountWithSlowDisk(at, '--memory', '96M')
    expect((await readAndMap(first.path('written'))).digest).toBe(digest)
    // Every page that the kernel holds becomes another one; nothing is stored before the file is closed.
    const writer = await open(first.path('written'), 'r+')
    for (let done = 0; done < HUGE_BYTES; done += 4 * MIB)
      await writer.write(Buffer.alloc(4 * MIB, 7), 0, 4 * MIB, done)
    await quietCache(at)
    await first.kill()
    await writer.close().catch(() => undefined)

    const second = await mount(at)
    expect(await readAll(second.path('written'))).toBe(digest)
    expect(await second.unmount()).toBe(0)
  }, 120_000)

  /** Until the cache grows no more. */
  async function quietCache(at: { readonly cacheDir: string }): Promise<void> {
    let before = -1
    await expect
      .poll(
        async () => {
          const is = await cachedBytes(at)
          const isQuiet = is === before
          before = is
          return isQuiet
        },
        { timeout: 60_000, interval: 500 },
      )
      .toBe(true)
  }

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
