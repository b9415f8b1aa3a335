import { constants } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canMount, type Driver, mountsOfThisFile } from '../support/mount-driver.js'
import { OwnS3 } from '../support/mount-own-s3.js'
import { contentOf, testBytes } from '../support/store-tools.js'

const mounts = mountsOfThisFile()
const KEYS = 1000

describe.skipIf(!canMount())('renames on S3', () => {
  let s3: OwnS3
  let driver: Driver

  beforeAll(async () => {
    s3 = await OwnS3.start(mounts)
    driver = await s3.mount()
    // The first use of a condition finds out whether the server keeps it.
    await mkdir(driver.path('warm'))
    await rename(driver.path('warm'), driver.path('warmer'))
  })
  afterAll(async () => {
    await mounts.endAll()
    await s3?.stop()
  })

  async function fill(prefix: string, count = KEYS): Promise<void> {
    for (let from = 0; from < count; from += 50)
      await Promise.all(
        Array.from({ length: Math.min(50, count - from) }, (_, i) =>
          s3.store.put(`${prefix}/${(from + i) % 10}/${from + i}`, Buffer.from(`content ${from + i}`)),
        ),
      )
  }

  async function keysBelow(prefix: string): Promise<string[]> {
    const keys: string[] = []
    let cursor: string | undefined
    do {
      const page = await s3.store.list({ prefix, cursor })
      keys.push(...page.objects.map(object => object.key))
      cursor = page.next
    } while (cursor !== undefined)
    return keys
  }

  test('a folder with 1,000 keys costs at most 2.2 requests a key', async () => {
    await fill('many')
    const requests = await s3.requestsDuring(() => rename(driver.path('many'), driver.path('moved')))
    const total = Object.values(requests).reduce((sum, count) => sum + count, 0)
    expect(total).toBeLessThanOrEqual(2.2 * KEYS)
    expect(requests.CopyObject).toBe(KEYS)
    expect(await keysBelow('many/')).toEqual([])
    expect(await keysBelow('moved/')).toHaveLength(KEYS)
    expect(await readFile(driver.path('moved', '7', '777'), 'utf8')).toBe('content 777')
    expect(await readdir(driver.path('moved'))).toHaveLength(10)
  })

  test('a driver that is killed in the middle has renamed the folder at the next mount', async () => {
    await fill('cut', 200)
    for (const [operation, to] of [
      ['CopyObject', 'after-copying'],
      ['DeleteObject', 'after-deleting'],
    ] as const) {
      const from = operation === 'CopyObject' ? 'cut' : 'after-copying'
      const stateDir = await mounts.folder('state')
      const mountPoint = await mounts.folder('mnt')
      const doomed = await s3.mount([], { stateDir, mountPoint })
      await stat(doomed.path(from))
      // The fiftieth request is never answered, and nor are those behind it.
      s3.server.setKnobs({ faults: [{ operation, from: 50, stallMs: 3_600_000 }] })
      const before = countOf(operation)
      const renamed = rename(doomed.path(from), doomed.path(to)).catch(() => 'ended')
      while (countOf(operation) < before + 50) await sleep(5)
      await doomed.kill()
      await renamed
      s3.server.setKnobs({ faults: [] })
      expect(await journalIn(stateDir)).toHaveLength(1)
      const next = await s3.mount([], { stateDir, mountPoint })
      expect(await keysBelow(`${from}/`)).toEqual([])
      expect(await keysBelow(`${to}/`)).toHaveLength(200)
      expect(await journalIn(stateDir)).toEqual([])
      expect(await readFile(next.path(to, '7', '77'), 'utf8')).toBe('content 77')
      expect(next.log).toContain('an earlier driver did not finish renaming a folder')
      await next.unmount()
    }
  })

  test('what is open below a renamed folder is read, written and stored on', async () => {
    const folder = driver.path('project')
    await mkdir(join(folder, 'src'), { recursive: true })
    await writeFile(join(folder, 'src', 'a'), 'first')
    const reader = await open(join(folder, 'src', 'a'), 'r')
    const writer = await open(join(folder, 'src', 'new'), 'wx')
    await writer.write('not stored ')
    await rename(folder, driver.path('renamed'))
    await writer.write('yet')
    await writer.close()
    expect((await reader.readFile()).toString()).toBe('first')
    await reader.close()
    expect((await contentOf(s3.store, 'renamed/src/new')).toString()).toBe('not stored yet')
    expect(await keysBelow('project/')).toEqual([])
    await rm(driver.path('renamed'), { recursive: true })
    expect(await keysBelow('renamed/')).toEqual([])
  })

  test('a removed or replaced file is used on through what is open', async () => {
    const bytes = Buffer.from(testBytes(3_000_000))
    for (const name of ['removed', 'replaced', 'other']) await writeFile(driver.path(name), bytes)
    const removed = await open(driver.path('removed'), constants.O_RDWR)
    const replaced = await open(driver.path('replaced'), 'r')
    await unlink(driver.path('removed'))
    await rename(driver.path('other'), driver.path('replaced'))
    expect((await replaced.readFile()).equals(bytes)).toBe(true)
    expect((await removed.stat()).nlink).toBe(0)
    await removed.write(Buffer.from('changed'), 0, 7, 1_000_000)
    await removed.truncate(2_000_000)
    await removed.chmod(0o600)
    bytes.write('changed', 1_000_000)
    expect((await removed.readFile()).equals(bytes.subarray(0, 2_000_000))).toBe(true)
    await removed.close()
    await replaced.close()
    expect(await keysBelow('removed')).toEqual([])
  })

  async function journalIn(stateDir: string): Promise<string[]> {
    const names = await readdir(stateDir, { recursive: true })
    return names.filter(name => name.includes('/renames/'))
  }

  function countOf(operation: string): number {
    return s3.server.counters().requests[operation] ?? 0
  }
})
