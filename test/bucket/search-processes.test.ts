import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterEach, describe, expect, it } from 'vitest'
import type { FillRequest } from '../../scripts/servers/s3/filling.js'
import { type S3Server, startS3Server } from '../../scripts/servers/s3/s3-server.js'
import type { ObjectStore } from '../../src/backend/object-store.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { SearchIndex, type SearchIndexOptions } from '../../src/bucket/search/search-index.js'
import { kindOf, text } from '../support/store-tools.js'

const ends: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'search-test-'))
  ends.push(() => rm(path, { recursive: true, force: true }))
  return path
}

const credentials = { accessKeyId: 'test', secretAccessKey: 'testsecret' }

async function ownS3(): Promise<{ readonly server: S3Server; readonly store: ObjectStore }> {
  const server = await startS3Server({ buckets: ['bucket'] })
  ends.push(() => server.close())
  const store = await openS3Store('bucket', { endpoint: server.url, credentials })
  ends.push(() => store.close())
  return { server, store }
}

async function fill(server: S3Server, request: FillRequest): Promise<void> {
  const body = JSON.stringify({ bucket: 'bucket', ...request })
  const { ok } = await fetch(`${server.url}/_control/fill`, { method: 'POST', body })
  expect(ok).toBe(true)
}

async function indexOf(store: ObjectStore, options: SearchIndexOptions = {}): Promise<SearchIndex> {
  const index = await SearchIndex.open(store, { nowMs: () => Date.now() + 60_000, ...options })
  ends.push(() => index.close())
  return index
}

describe('what the store is asked', () => {
  it('the first update one request an object, the second the listing, a change one request', async () => {
    const { server, store } = await ownS3()
    await fill(server, { key: 'f/####.bin', count: 2500, sizeBytes: 10 })
    for (const key of ['a.txt', 'b.md', 'untyped']) await store.put(key, text(`words of ${key}`))
    await store.put('typed', text('words'), { headers: { contentType: 'text/plain' } })
    const index = await indexOf(store)
    server.reset()
    await index.update()
    // Only the type that HEAD told of `typed` says that it is text.
    expect(server.counters().requests).toEqual({ ListObjectsV2: 3, HeadObject: 2502, GetObject: 3 })
    server.reset()
    expect(await index.update()).toMatchObject({ fetched: 0 })
    expect(server.counters().requests).toEqual({ ListObjectsV2: 3 })
    await store.put('b.md', text('other words'))
    server.reset()
    expect(await index.update()).toMatchObject({ fetched: 1 })
    expect(server.counters().requests).toEqual({ ListObjectsV2: 3, GetObject: 1 })
  })

  it('no more at once than it may, and no more of a text than is looked at', async () => {
    const { server, store } = await ownS3()
    await fill(server, { key: 'h/###', count: 200, sizeBytes: 1 })
    await store.put('large.txt', new Uint8Array(1024 * 1024).fill(0x61))
    const index = await indexOf(store)
    server.reset()
    server.setKnobs({ latencyMs: 5 })
    await index.update({ concurrency: 4, maxTextBytes: 1000 })
    // The next page of the listing may be on its way beside them.
    expect(server.counters().mostActive).toBeLessThanOrEqual(5)
    expect(server.counters().bytesOut.GetObject).toBe(1000)
  })

  it('objects that must not be read are found by their keys, and asked for again; what fails otherwise ends the update', async () => {
    const { server, store } = await ownS3()
    await store.put('secret.txt', text('words'))
    await store.put('open.txt', text('words'))
    server.setKnobs({ faults: [{ key: 'secret', error: { status: 403, code: 'AccessDenied' } }] })
    const index = await indexOf(store)
    expect(await index.update()).toMatchObject({ fetched: 2, unreadable: 1 })
    expect((await index.search({ words: 'secret' })).total).toBe(1)
    expect((await index.search({ words: 'words' })).hits.map(hit => hit.key)).toEqual(['open.txt'])
    server.setKnobs({ faults: [{ key: 'secret', error: { status: 503, code: 'SlowDown' } }] })
    expect(await kindOf(index.update())).toBe('throttled')
    server.setKnobs({ faults: [] })
    expect(await index.update()).toMatchObject({ fetched: 1, unreadable: 0 })
    expect((await index.search({ words: 'words' })).total).toBe(2)
  })
})

/** A program that updates the index in `path`; `kill` lets it die when so many objects were fetched. */
function updater(server: S3Server, path: string, kill = Number.POSITIVE_INFINITY): readonly string[] {
  const at = (module: string) => JSON.stringify(new URL(`../../dist/${module}`, import.meta.url).href)
  const options = JSON.stringify({ endpoint: server.url, credentials })
  const program = `
    const { openS3Store } = await import(${at('backend/s3/s3-store.js')})
    const { SearchIndex } = await import(${at('bucket/search/search-index.js')})
    const store = await openS3Store('bucket', ${options})
    const index = await SearchIndex.open(store, { folder: ${JSON.stringify(path)}, nowMs: () => Date.now() + 60_000 })
    const onProgress = ({ fetched }) => { if (fetched >= ${kill}) process.kill(process.pid, 'SIGKILL') }
    console.log(JSON.stringify(await index.update({ onProgress })))
    await index.close()
    await store.close()`
  return ['--input-type=module', '--eval', program]
}

describe('several processes', () => {
  it('one that is killed leaves a whole index, and the next goes on', async () => {
    const { server, store } = await ownS3()
    const path = await folder()
    await fill(server, { key: 'f/####', count: 1500, sizeBytes: 10 })
    const { signal } = await execa(process.execPath, updater(server, path, 600), { reject: false })
    expect(signal).toBe('SIGKILL')
    const index = await indexOf(store, { folder: path })
    const { total, updatedMs } = await index.search({})
    expect(updatedMs).toBeUndefined()
    expect(total).toBeGreaterThanOrEqual(600)
    expect(await index.update()).toMatchObject({ listed: 1500, fetched: 1500 - total })
    expect((await index.search({ words: 'f' })).total).toBe(1500)
  })

  it('updates at the same time wait for each other: each object is fetched once', async () => {
    const { server, store } = await ownS3()
    const path = await folder()
    await fill(server, { key: 'f/####', count: 800, sizeBytes: 10 })
    const index = await indexOf(store, { folder: path })
    const programs = [1, 2].map(() => execa(process.execPath, updater(server, path)))
    const fetched = (await Promise.all(programs)).map(({ stdout }) => JSON.parse(stdout).fetched as number)
    expect(fetched.toSorted()).toEqual([0, 800])
    expect((await index.search({ words: 'f' })).total).toBe(800)
  })

  it('the folder is for its user alone', async () => {
    const { store } = await ownS3()
    const path = join(await folder(), 'index')
    await indexOf(store, { folder: path })
    expect((await stat(path)).mode & 0o777).toBe(0o700)
  })
})

describe('a damaged file', () => {
  it.each([
    ['no database at all', () => Buffer.from('not a database '.repeat(1000))],
    ['zeros in the middle', (bytes: Buffer) => bytes.fill(0, 4096)],
    ['cut short', (bytes: Buffer) => bytes.subarray(0, 5000)],
  ])('%s: it is made anew', async (_, damage) => {
    const { server, store } = await ownS3()
    const path = await folder()
    await fill(server, { key: 'f/####', count: 500, sizeBytes: 10 })
    const first = await indexOf(store, { folder: path })
    await first.update()
    await first.close()
    const name = (await readdir(path)).find(file => file.endsWith('.db')) ?? ''
    await writeFile(join(path, name), damage(await readFile(join(path, name))))
    const index = await indexOf(store, { folder: path })
    expect(await index.update()).toMatchObject({ listed: 500, fetched: 500 })
    expect((await index.search({ words: 'f' })).total).toBe(500)
    expect((await readdir(path)).filter(file => file.endsWith('.db'))).toEqual(['index-1.db'])
  })
})
