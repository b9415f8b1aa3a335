import { createHash } from 'node:crypto'
import { readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { OwnServer } from '../support/own-server.js'
import { contentOf, testBytes } from '../support/store-tools.js'

const MIB = 1024 * 1024
const PART = 5 * MIB
const LARGE = 6 * PART
/** Parts that are on their way at once. */
const SENT = 4
const BYTES = testBytes(LARGE)
const PUT = ['put', 'source/large', 'key', '--part-size', '5M', '--requests', '4']
/** More than a week ago, in whole seconds: what a file system keeps of it is the same each time. */
const OLD = new Date(Math.floor(Date.now() / 1000 - 8 * 24 * 60 * 60) * 1000)

describe('a put that was interrupted', () => {
  let own: OwnServer
  let path: string
  beforeEach(async () => {
    own = await OwnServer.start()
    path = join(own.source, 'large')
    await writeFile(path, BYTES)
  })
  afterEach(() => own.stop())

  /** Ends the command when four parts are stored, of which it has not heard. */
  async function interrupted(signal: NodeJS.Signals) {
    own.server.setKnobs({ faults: [{ operation: 'UploadPart', stallMs: 1500 }] })
    const running = own.start(...PUT)
    await vi.waitUntil(async () => (await own.storedParts()).length === SENT, { timeout: 60_000, interval: 20 })
    running.kill(signal)
    const ended = await running
    own.server.setKnobs({ faults: [] })
    return ended
  }

  const records = () => readdir(join(own.folder, 'state/uploads'))

  async function expectResumed(): Promise<void> {
    const { requests, stdout } = await own.run(...PUT)
    expect(requests).toEqual({ ListParts: 1, UploadPart: LARGE / PART - SENT, CompleteMultipartUpload: 1 })
    expect(stdout).toBe('key is stored (30M, 20M of it from before)')
    expect((await contentOf(own.store, 'key')).equals(BYTES)).toBe(true)
    const { metadata } = await own.store.head('key')
    expect(metadata).toEqual({ sha256: createHash('sha256').update(BYTES).digest('hex') })
    expect(await own.store.listUploads()).toEqual([])
    expect(await records()).toEqual([])
  }

  async function expectAnew(words: readonly string[], parts: number): Promise<void> {
    const { requests, stdout } = await own.run(...PUT, ...words)
    expect(requests).toMatchObject({ AbortMultipartUpload: 1, CreateMultipartUpload: 1, UploadPart: parts })
    expect(stdout).toBe('key is stored (30M)')
    expect(await own.store.listUploads()).toEqual([])
    expect(await records()).toEqual([])
  }

  it('goes on where it was killed', async () => {
    expect((await interrupted('SIGKILL')).signal).toBe('SIGKILL')
    await expectResumed()
  })

  it('goes on where it was stopped', async () => {
    const { exitCode, stderr } = await interrupted('SIGINT')
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: 'bucket: key: the upload was interrupted; it goes on when it is asked for again',
    })
    await expectResumed()
  })

  it('begins anew when the file was changed, whatever its time says', async () => {
    await interrupted('SIGKILL')
    const { atime, mtime } = await stat(path)
    const changed = testBytes(LARGE, 2)
    await writeFile(path, changed)
    await utimes(path, atime, mtime)
    await expectAnew([], 6)
    expect((await contentOf(own.store, 'key')).equals(changed)).toBe(true)
  })

  it.each([
    [['--meta', 'name=other'], 6],
    [['--storage-class', 'STANDARD_IA'], 6],
    [['--part-size', '6M'], 5],
  ])('begins anew with %j', async (words, parts) => {
    await interrupted('SIGKILL')
    await expectAnew(words, parts)
  })

  it.each([['source/large'], ['-']])('is stored when only the last answer has not come (%s)', async source => {
    own.server.setKnobs({ faults: [{ operation: 'CompleteMultipartUpload', stallMs: 1500 }] })
    const running = own.startWith(path, 'put', source, 'key', '--part-size', '5M')
    const isAsked = () => own.server.counters().requests.CompleteMultipartUpload === 1
    await vi.waitUntil(isAsked, { timeout: 60_000, interval: 20 })
    running.kill('SIGINT')
    const { exitCode, stderr, stdout } = await running
    expect({ exitCode, stderr, stdout }).toEqual({ exitCode: 0, stderr: '', stdout: 'key is stored (30M)' })
    expect((await contentOf(own.store, 'key')).equals(BYTES)).toBe(true)
    expect(await own.store.listUploads()).toEqual([])
    expect(await readdir(join(own.folder, 'state/uploads')).catch(() => [])).toEqual([])
  })

  it('is given up when the object may not be replaced', async () => {
    await own.store.put('key', Buffer.from('before'))
    const { exitCode } = await own.start(...PUT, '--if-none-match')
    expect(exitCode).toBe(1)
    expect(await own.store.listUploads()).toEqual([])
    expect(await records()).toEqual([])
  })

  it('needs no folder to remember it', async () => {
    await writeFile(join(own.folder, 'state'), 'no folder')
    const { requests } = await own.run(...PUT)
    expect(requests).toMatchObject({ CreateMultipartUpload: 1, UploadPart: 6, CompleteMultipartUpload: 1 })
    await rm(join(own.folder, 'state'))
  })
})

describe('an upload under way', () => {
  let own: OwnServer
  beforeEach(async () => {
    own = await OwnServer.start()
    await writeFile(join(own.source, 'large'), BYTES)
  })
  afterEach(() => own.stop())

  const isBegun = async () => (await own.storedParts()).length > 0
  const record = async () => {
    const [name = ''] = await readdir(join(own.folder, 'state/uploads'))
    return join(own.folder, 'state/uploads', name)
  }

  const both = [
    ['put', PUT],
    ['sync-to', ['sync-to', 'source/large', 'key', '--part-size', '5M', '--requests', '4']],
  ] as const

  it.each(both)('of %s is dropped when the file is changed meanwhile, whatever its time says', async (_, words) => {
    const path = join(own.source, 'large')
    await utimes(path, OLD, OLD)
    own.server.setKnobs({ faults: [{ operation: 'UploadPart', times: SENT, stallMs: 1500 }] })
    const running = own.start(...words)
    await vi.waitUntil(async () => (await own.storedParts()).length === SENT, { timeout: 60_000, interval: 20 })
    await writeFile(path, testBytes(LARGE, 2))
    await utimes(path, OLD, OLD)
    const { exitCode, stderr } = await running
    expect(exitCode).toBeGreaterThan(0)
    expect(stderr).toContain('while it was read')
    expect(await own.store.listUploads()).toEqual([])
    expect(await readdir(join(own.folder, 'state/uploads'))).toEqual([])
  })

  it.each(both)('of %s ends with the first part that fails', async (command, words) => {
    own.server.setKnobs({
      faults: [
        { operation: 'UploadPart', times: 1, stallMs: 3_600_000 },
        { operation: 'UploadPart', from: 2, error: { status: 403, code: 'AccessDenied' } },
      ],
    })
    const { exitCode, stderr } = await own.start(...words, '--timeout', '1h')
    expect(exitCode).toBe(command === 'put' ? 4 : 1)
    expect(stderr).toContain('AccessDenied')
  })

  it.each(both)('of %s is not given up, however long it takes', async (_, words) => {
    own.server.setKnobs({ faults: [{ operation: 'UploadPart', from: 2, times: 1, stallMs: 3000 }] })
    const running = own.start(...words, '--upload-concurrency', '1')
    await vi.waitUntil(isBegun, { timeout: 60_000, interval: 20 })
    const { birthtimeMs } = await stat(await record())
    const wasUsed = async () => (await stat(await record())).mtimeMs > birthtimeMs + 1
    await vi.waitUntil(wasUsed, { timeout: 60_000, interval: 20 })
    await utimes(await record(), OLD, OLD)
    await writeFile(join(own.source, 'other'), 'x')
    expect((await own.run('sync-to', 'source/other')).requests.AbortMultipartUpload).toBeUndefined()
    expect((await running).exitCode).toBe(0)
    expect((await contentOf(own.store, 'key')).equals(BYTES)).toBe(true)
    expect(own.server.counters().requests).toMatchObject({ CreateMultipartUpload: 1, UploadPart: 6 })
  })

  it('is remembered from when it was worked on last', async () => {
    let isOld = false
    const wasUsed = async () => {
      const parts = (await own.storedParts()).length
      if (parts > 0 && !isOld) await utimes(await record(), OLD, OLD)
      if (parts > 0) isOld = true
      return parts >= 3
    }
    await own.killedWhen(wasUsed, ...PUT, '--upload-concurrency', '1')
    await writeFile(join(own.source, 'other'), 'x')
    expect((await own.run('sync-to', 'source/other')).requests.AbortMultipartUpload).toBeUndefined()
    expect(await own.store.listUploads()).toHaveLength(1)
  })

  it('is left alone by another one to the same key', async () => {
    own.server.setKnobs({ faults: [{ operation: 'UploadPart', times: 3, stallMs: 3000 }] })
    const running = own.start(...PUT)
    await vi.waitUntil(async () => (await own.store.listUploads()).length === 1, { timeout: 60_000, interval: 20 })
    const other = testBytes(LARGE, 2)
    await writeFile(join(own.source, 'other'), other)
    const { requests } = await own.run('put', 'source/other', 'key', '--part-size', '5M')
    expect(requests.AbortMultipartUpload).toBeUndefined()
    expect((await running).exitCode).toBe(0)
    expect(own.server.counters().requests).toMatchObject({ CreateMultipartUpload: 2, CompleteMultipartUpload: 2 })
    expect(await own.store.listUploads()).toEqual([])
  })
})
