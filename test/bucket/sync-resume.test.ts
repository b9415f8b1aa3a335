import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { OwnServer } from '../support/own-server.js'
import { contentOf, listAll, testBytes } from '../support/store-tools.js'

const MIB = 1024 * 1024
const LARGE = 30 * MIB
const SMALL_FILES = 30

describe('a sync that was killed', () => {
  let own: OwnServer
  beforeEach(async () => {
    own = await OwnServer.start()
  })
  afterEach(() => own.stop())

  it('goes on to send where it stopped', async () => {
    const bytes = testBytes(LARGE)
    await writeFile(join(own.source, 'large'), bytes)
    for (let number = 0; number < SMALL_FILES; number++)
      await writeFile(join(own.source, `small-${number}`), testBytes(MIB / 4, number + 2))
    const words = ['sync-to', 'source', 'p', '--part-size', '5M', '--requests', '4']
    await own.killedWhen(async () => (await own.storedParts()).length >= 2, ...words)
    const parts = await own.storedParts()
    const { names } = await listAll(own.store, {})
    expect(parts.length).toBeLessThan(LARGE / (5 * MIB))

    const { requests, bytesIn } = await own.run(...words)
    expect(requests.CreateMultipartUpload).toBeUndefined()
    expect(requests.UploadPart).toBe(LARGE / (5 * MIB) - parts.length)
    expect(bytesIn.UploadPart).toBeLessThan(LARGE - parts.length * 5 * MIB + 10_000)
    expect(requests.PutObject ?? 0).toBe(SMALL_FILES - names.length)
    expect((await contentOf(own.store, 'p/large')).equals(bytes)).toBe(true)
    expect(await own.store.listUploads()).toEqual([])
    expect(await readdir(join(own.folder, 'state/uploads'))).toEqual([])
    expect((await own.run(...words)).requests).toEqual({ ListObjectsV2: 1 })
  })

  it('begins anew what was changed meanwhile', async () => {
    await writeFile(join(own.source, 'large'), testBytes(LARGE))
    const words = ['sync-to', 'source/large', '--part-size', '5M', '--requests', '4']
    await own.killedWhen(async () => (await own.storedParts()).length >= 2, ...words)
    const changed = testBytes(LARGE, 2)
    await writeFile(join(own.source, 'large'), changed)
    expect((await own.run(...words)).requests).toMatchObject({ AbortMultipartUpload: 1, UploadPart: 6 })
    expect((await contentOf(own.store, 'large')).equals(changed)).toBe(true)
    expect(await own.store.listUploads()).toEqual([])
  })

  it('does not need the upload that it had begun', async () => {
    const bytes = testBytes(LARGE)
    await writeFile(join(own.source, 'large'), bytes)
    const words = ['sync-to', 'source/large', '--part-size', '5M', '--requests', '4']
    await own.killedWhen(async () => (await own.storedParts()).length >= 1, ...words)
    for (const { key, uploadId } of await own.store.listUploads()) await own.store.resumeUpload(key, uploadId).abort()
    expect((await own.run(...words)).requests).toMatchObject({ CreateMultipartUpload: 1, UploadPart: 6 })
    expect((await contentOf(own.store, 'large')).equals(bytes)).toBe(true)
  })

  it('is not gone on with after a week: what it had sent is given up', async () => {
    await writeFile(join(own.source, 'large'), testBytes(LARGE))
    const words = ['sync-to', 'source/large', '--part-size', '5M', '--requests', '4']
    await own.killedWhen(async () => (await own.storedParts()).length >= 1, ...words)
    await writeFile(join(own.source, 'other'), 'x')
    const folder = join(own.folder, 'state/uploads')
    const [record = ''] = await readdir(folder)
    expect((await own.run('sync-to', 'source/other')).requests.AbortMultipartUpload).toBeUndefined()
    const old = new Date(Date.now() - 8 * 24 * 60 * 60 * 1000)
    await utimes(join(folder, record), old, old)
    await own.run('sync-to', 'source/other', '--dry-run')
    expect(await own.store.listUploads()).toHaveLength(1)
    expect((await own.run('sync-to', 'source/other')).requests).toMatchObject({ AbortMultipartUpload: 1 })
    expect(await own.store.listUploads()).toEqual([])
    expect(await readdir(folder)).toEqual([])
  })

  it('goes on to fetch where it stopped', async () => {
    const bytes = testBytes(LARGE)
    await own.store.put('p/a/large', bytes)
    for (let number = 0; number < SMALL_FILES; number++)
      await own.store.put(`p/small-${number}`, testBytes(MIB / 4, number + 2))
    const words = ['sync-from', 'p/', 'target', '--requests', '4']
    const partial = async () => {
      const names = await readdir(join(own.target, 'a')).catch((): string[] => [])
      const name = names.find(each => each.endsWith('.bucket-part'))
      return name === undefined ? 0 : (await stat(join(own.target, 'a', name))).size
    }
    await own.killedWhen(async () => (await partial()) >= 8 * MIB, ...words)
    const hasBytes = await partial()
    const fetched = (await readdir(own.target)).filter(name => name.startsWith('small-'))
    expect(hasBytes).toBeLessThan(LARGE)

    const { requests, bytesOut } = await own.run(...words)
    const missing = SMALL_FILES - fetched.length
    expect(bytesOut.GetObject).toBe(LARGE - hasBytes + (missing * MIB) / 4)
    expect(requests.GetObject).toBeLessThanOrEqual(missing + Math.ceil((LARGE - hasBytes) / (4 * MIB)))
    expect((await readFile(join(own.target, 'a/large'))).equals(bytes)).toBe(true)
    expect(await readdir(join(own.target, 'a'))).toEqual(['large'])
    expect((await own.run(...words)).requests).toEqual({ ListObjectsV2: 1 })
  })

  it('leaves nothing of small files that had not come yet', async () => {
    for (const key of ['p/a', 'p/b']) await own.store.put(key, testBytes(MIB))
    own.server.setKnobs({ faults: [{ operation: 'GetObject', stallMs: 2000 }] })
    const running = own.start('sync-from', 'p/', 'target')
    const areAsked = () => own.server.counters().requests.GetObject === 2
    await vi.waitUntil(areAsked, { timeout: 60_000, interval: 20 })
    running.kill('SIGKILL')
    expect((await running).signal).toBe('SIGKILL')
    expect(await readdir(own.target)).toEqual([])
    own.server.setKnobs({ faults: [] })
    await own.run('sync-from', 'p/', 'target')
    expect((await readdir(own.target)).sort()).toEqual(['a', 'b'])
  })

  it('fetches another version from its beginning', async () => {
    await own.store.put('large', testBytes(LARGE))
    await mkdir(own.target)
    const words = ['sync-from', 'large', 'target', '--requests', '4']
    const isBegun = async () => {
      const [name] = await readdir(own.target)
      return name !== undefined && (await stat(join(own.target, name))).size >= 4 * MIB
    }
    await own.killedWhen(isBegun, ...words)
    const other = testBytes(LARGE, 2)
    await own.store.put('large', other)
    expect((await own.run(...words)).bytesOut.GetObject).toBe(LARGE)
    expect(await readdir(own.target)).toEqual(['large'])
    expect((await readFile(join(own.target, 'large'))).equals(other)).toBe(true)
  })
})
