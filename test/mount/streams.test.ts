import { mkdir, open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf } from '../posix/posix-context.js'
import { canMount, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'
import { contentOf, inParallel, testBytes } from '../support/store-tools.js'

const mounts = mountsOfThisFile()
const MIB = 1024 * 1024
const BLOCK = 64 * 1024
const PAGE = 4096

describe.skipIf(!canMount())('what reading and looking costs', () => {
  let s3: OwnS3
  const big = Buffer.from(testBytes(20 * MIB + 12_345))

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts)
    await s3.store.put('big', big)
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) await s3.store.put(`folder/${name}`, testBytes(10))
  })
  afterAll(async () => {
    await mounts.endAll()
    await s3?.stop()
  })

  const sentBytes = () => s3.server.counters().bytesOut.GetObject ?? 0

  test('a file that is read from front to back is fetched once', async () => {
    const driver = await s3.mount()
    const before = sentBytes()
    expect((await readFile(driver.path('big'))).equals(big)).toBe(true)
    expect(sentBytes() - before).toBe(big.length)
    // The kernel holds the pages of this version.
    expect(await s3.requestsDuring(() => readFile(driver.path('big')))).toEqual({})
    expect(await driver.unmount()).toBe(0)
  })

  test('who reads on is read ahead of, and who looks at one place is not', async () => {
    const driver = await s3.mount(['--kernel-read-ahead', '0'])
    const handle = await open(driver.path('big'), 'r')
    const before = sentBytes()
    // Page by page: the kernel asks for no more.
    const look = (page: number) => handle.read(Buffer.alloc(PAGE), 0, PAGE, page * PAGE)
    await look(0)
    expect(sentBytes() - before).toBeLessThanOrEqual(BLOCK)
    await look(1)
    await expect.poll(() => sentBytes() - before).toBeGreaterThan(2 * BLOCK)
    await handle.close()
    expect(await driver.unmount()).toBe(0)
  })

  test.for([0, 30])('readers at the same time share what is fetched from a store %i ms away', async latencyMs => {
    const driver = await s3.mount()
    s3.server.setKnobs({ latencyMs, bytesPerSecond: latencyMs > 0 ? 40 * MIB : 0 })
    const before = sentBytes()
    const copies = await Promise.all([1, 2, 3, 4].map(() => readFile(driver.path('big'))))
    for (const copy of copies) expect(copy.equals(big)).toBe(true)
    expect(sentBytes() - before).toBe(big.length)
    s3.server.setKnobs({ latencyMs: 0, bytesPerSecond: 0 })
    expect(await driver.unmount()).toBe(0)
  })

  test('a read in the middle fetches the blocks that it needs', async () => {
    const flags = ['--read-ahead', '0', '--kernel-read-ahead', '0', '--block-size', '64K']
    const driver = await s3.mount(flags)
    const handle = await open(driver.path('big'), 'r')
    const before = sentBytes()
    for (const [offset, sizeBytes] of [
      [3 * MIB + 5, 100],
      [3 * MIB + 200, 5000],
      [10 * MIB - 10, 20],
    ] as const) {
      const { buffer } = await handle.read(Buffer.alloc(sizeBytes), 0, sizeBytes, offset)
      expect(buffer.equals(big.subarray(offset, offset + sizeBytes))).toBe(true)
    }
    await handle.close()
    expect(sentBytes() - before).toBe(3 * BLOCK)
    expect(await driver.unmount()).toBe(0)
  })

  test('a cold lookup costs two requests, and what was listed costs none', async () => {
    const driver = await s3.mount(['--metadata-ttl', '1h'])
    expect(await s3.requestsDuring(() => stat(driver.path('big')))).toEqual({ HeadObject: 1, ListObjectsV2: 1 })
    expect(await s3.requestsDuring(() => readdir(driver.path()))).toEqual({ ListObjectsV2: 1 })
    const looking = async () => {
      expect((await stat(driver.path('folder'))).isDirectory()).toBe(true)
      expect(await codeOf(stat(driver.path('none')))).toBe('ENOENT')
      expect((await stat(driver.path('big'))).size).toBe(big.length)
    }
    expect(await s3.requestsDuring(looking)).toEqual({})
    expect(await driver.unmount()).toBe(0)
  })

  test('after four cold lookups in a folder its listing is believed, whose first page its own lookup brought', async () => {
    const driver = await s3.mount(['--metadata-ttl', '1h'])
    await stat(driver.path('folder'))
    const look = async (names: string) => {
      for (const name of names) await stat(driver.path('folder', name))
    }
    expect(await s3.requestsDuring(() => look('abcd'))).toEqual({ HeadObject: 4 })
    expect(await s3.requestsDuring(() => look('efgh'))).toEqual({})
    expect(await driver.unmount()).toBe(0)
  })

  test('ls -l of a folder costs its lookup, with the listing in it, and no HEAD of what is in it', async () => {
    const driver = await s3.mount(['--metadata-ttl', '1h'])
    const list = async () => {
      await stat(driver.path('folder'))
      const names = await readdir(driver.path('folder'))
      for (const name of names) expect((await stat(driver.path('folder', name))).size).toBe(10)
    }
    expect(await s3.requestsDuring(list)).toEqual({ HeadObject: 1, ListObjectsV2: 1 })
    expect(await driver.unmount()).toBe(0)
  })

  test('a folder of several pages is listed while other calls are answered', async () => {
    const names = Array.from({ length: 3000 }, (_, i) => `n${String(i).padStart(4, '0')}`)
    await inParallel(names, 32, async name => {
      await s3.store.put(`many/${name}`, testBytes(1))
    })
    const driver = await s3.mount(['--metadata-ttl', '1h'])
    let found: string[] = []
    const requests = await s3.requestsDuring(async () => {
      await stat(driver.path('many'))
      const [listed] = await Promise.all([readdir(driver.path('many')), stat(driver.mountPoint)])
      found = listed
    })
    expect(found.sort()).toEqual(names)
    expect(requests).toEqual({ HeadObject: 1, ListObjectsV2: 3 })
    expect(await driver.unmount()).toBe(0)
  })

  test('many writers and readers at once mix nothing up', async () => {
    const driver = await s3.mount(['--part-size', '5M', '--memory', '4M'])
    await mkdir(driver.path('parallel'))
    const numbers = Array.from({ length: 24 }, (_, i) => i)
    const bytesOf = (i: number) => Buffer.from(testBytes(i % 6 === 0 ? 6_000_001 : 50_000 + 7 * i, i))
    await inParallel(numbers, 8, i => writeFile(driver.path('parallel', `f${i}`), bytesOf(i)))
    await inParallel([...numbers, ...numbers], 8, async i => {
      expect((await readFile(driver.path('parallel', `f${i}`))).equals(bytesOf(i))).toBe(true)
    })
    for (const i of numbers) expect((await contentOf(s3.store, `parallel/f${i}`)).equals(bytesOf(i))).toBe(true)
    expect(await driver.unmount()).toBe(0)
  })
})
