import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { startS3Server } from '../../scripts/servers/s3/s3-server.js'
import { openLocalStore } from '../../src/backend/local/local-store.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ObjectStore } from '../../src/backend/object-store.js'
import { openS3Store } from '../../src/backend/s3/s3-store.js'
import { SearchIndex, type SearchIndexOptions } from '../../src/bucket/search/search-index.js'
import type { SearchQuery } from '../../src/bucket/search/search-query.js'
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

const STORES: Readonly<Record<string, () => Promise<ObjectStore>>> = {
  memory: async () => openMemoryStore(`search-${Math.random()}`),
  'local folder': async () => openLocalStore(await folder()),
  'own S3': async () => {
    const server = await startS3Server({ buckets: ['bucket'] })
    ends.push(() => server.close())
    return openS3Store('bucket', {
      endpoint: server.url,
      credentials: { accessKeyId: 'test', secretAccessKey: 'testsecret' },
    })
  },
}

/** Far enough from what was stored that versions count as settled. */
const later = () => Date.now() + 60_000

async function indexOf(store: ObjectStore, options: SearchIndexOptions = {}): Promise<SearchIndex> {
  const index = await SearchIndex.open(store, { nowMs: later, ...options })
  ends.push(() => index.close())
  return index
}

async function keysOf(index: SearchIndex, query: SearchQuery): Promise<readonly string[]> {
  return (await index.search(query)).hits.map(hit => hit.key)
}

describe.each(Object.keys(STORES))('search in a bucket: %s', name => {
  const open = async () => {
    const store = await (STORES[name] ?? STORES.memory)?.()
    if (store === undefined) throw new Error('no store')
    ends.push(() => store.close())
    return store
  }

  it('finds words in keys, metadata and texts, and says where', async () => {
    const store = await open()
    await store.put('sagas/thor.png', text('thor? these are no words'), { headers: { contentType: 'image/png' } })
    await store.put('data/a.bin', text('\0\u0001'), { metadata: { name: 'thor', runtime: '12' } })
    await store.put('data/b.txt', text('Loki met Thor\nin Ásgarð.'), { metadata: { name: 'loki', runtime: '3' } })
    await store.put('data/c', text('{"god": "thor"}'), { headers: { contentType: 'application/json; charset=utf-8' } })
    await store.put('data/empty.txt', text(''))
    const index = await indexOf(store)
    expect(await index.update()).toEqual({ listed: 5, fetched: 5, unreadable: 0, removed: 0 })
    const { hits, total, truncated } = await index.search({ words: 'thor' })
    expect([total, truncated]).toEqual([4, false])
    expect(hits.map(hit => [hit.key, Object.keys(hit.highlights)])).toEqual([
      ['sagas/thor.png', ['key']],
      ['data/a.bin', ['metadata']],
      ...hits.slice(2).map(hit => [hit.key, ['text']]),
    ])
    expect(hits[0]?.highlights.key).toEqual({ text: 'sagas/thor.png', ranges: [{ start: 6, end: 10 }] })
    expect(hits[1]).toMatchObject({ metadata: { name: 'thor', runtime: '12' }, sizeBytes: 2 })
    const inText = hits.find(hit => hit.key === 'data/b.txt')?.highlights.text
    expect(inText).toEqual({ text: 'Loki met Thor\nin Ásgarð.', ranges: [{ start: 9, end: 13 }] })
    expect(await keysOf(index, { words: 'asgarð loki' })).toEqual(['data/b.txt'])
    expect(await keysOf(index, { words: 'thor', fields: ['key'] })).toEqual(['sagas/thor.png'])
    expect(await keysOf(index, { words: 'thor', prefix: 'sagas/' })).toEqual(['sagas/thor.png'])
    expect(await keysOf(index, { where: ['runtime>=3'] })).toEqual(['data/a.bin', 'data/b.txt'])
    expect(await keysOf(index, { where: ['runtime<12'] })).toEqual(['data/b.txt'])
  })

  it('an update brings what is new, changed and gone, and fetches nothing else', async () => {
    const store = await open()
    await store.put('a.txt', text('one'))
    await store.put('b.txt', text('two'))
    await store.put('c.txt', text('three'))
    const index = await indexOf(store)
    await index.update()
    await store.put('b.txt', text('four'), { metadata: { mark: 'new' } })
    await store.put('d.txt', text('five'))
    await store.delete([{ key: 'a.txt' }])
    expect(await index.update()).toEqual({ listed: 3, fetched: 2, unreadable: 0, removed: 1 })
    expect(await keysOf(index, {})).toEqual(['b.txt', 'c.txt', 'd.txt'])
    expect(await keysOf(index, { words: 'one OR two' })).toEqual([])
    expect(await keysOf(index, { words: 'four mark' })).toEqual(['b.txt'])
    expect(await index.update()).toEqual({ listed: 3, fetched: 0, unreadable: 0, removed: 0 })
  })

  it('many pages in key order, with keys that compare otherwise in UTF-16; all gone at once', async () => {
    const store = await open()
    const keys = Array.from({ length: 1100 }, (_, i) => `k/${String(i).padStart(4, '0')}`)
    keys.push('k/\u{1F600}', 'k/\uFFFD', 'k/é')
    for (let at = 0; at < keys.length; at += 50)
      await Promise.all(keys.slice(at, at + 50).map(key => store.put(key, text(''))))
    const index = await indexOf(store)
    expect(await index.update()).toMatchObject({ listed: keys.length, fetched: keys.length })
    expect(await index.update()).toMatchObject({ fetched: 0, removed: 0 })
    expect((await index.search({ prefix: 'k/1', limit: 5 })).total).toBe(100)
    expect(await keysOf(index, { prefix: 'k/\uFFFD' })).toEqual(['k/\uFFFD'])
    const page = await index.search({ limit: 3, offset: keys.length - 3 })
    expect([page.hits.map(hit => hit.key), page.truncated]).toEqual([['k/é', 'k/\uFFFD', 'k/\u{1F600}'], false])
    await store.delete(keys.map(key => ({ key })))
    expect(await index.update()).toMatchObject({ listed: 0, removed: keys.length })
    expect(await index.search({})).toMatchObject({ hits: [], total: 0, truncated: false })
  })
})

describe('an index on the disk', () => {
  it('is found again by another process, and knows which bucket it is of', async () => {
    const path = await folder()
    const store = openMemoryStore('search-again')
    await store.put('a.txt', text('one'))
    const first = await indexOf(store, { folder: path })
    await first.update()
    await first.close()
    expect(await keysOf(await indexOf(store, { folder: path }), { words: 'one' })).toEqual(['a.txt'])
    const other = await indexOf(openMemoryStore('search-other'), { folder: path })
    expect(await other.search({})).toMatchObject({ hits: [], updatedMs: undefined })
  })

  it('looks at no more of a text than it may, and at more once it may', async () => {
    const store = openMemoryStore('search-bounds')
    await store.put('a.txt', text(`begin ${'x '.repeat(500)} end`))
    const index = await indexOf(store)
    await index.update({ maxTextBytes: 100 })
    expect(await keysOf(index, { words: 'begin' })).toEqual(['a.txt'])
    expect(await keysOf(index, { words: 'end' })).toEqual([])
    expect(await index.update({ maxTextBytes: 0 })).toMatchObject({ fetched: 0 })
    expect(await index.update()).toMatchObject({ fetched: 1 })
    expect(await keysOf(index, { words: 'end' })).toEqual(['a.txt'])
    expect(await index.update()).toMatchObject({ fetched: 0 })
  })

  it('an update that was ended goes on where it stopped', async () => {
    const store = openMemoryStore('search-ended')
    for (let i = 0; i < 1500; i++) await store.put(`k${i}`, text(''))
    const index = await indexOf(store)
    const ended = new AbortController()
    const update = index.update({
      signal: ended.signal,
      onProgress: ({ fetched }) => fetched >= 400 && ended.abort(),
    })
    expect(await kindOf(update)).toBe('aborted')
    const { total, updatedMs } = await index.search({})
    expect(total).toBeGreaterThanOrEqual(400)
    expect(total).toBeLessThan(1500)
    expect(updatedMs).toBeUndefined()
    expect(await index.update()).toMatchObject({ listed: 1500, fetched: 1500 - total })
  })

  it('a version so young that a change may not show in it is looked at again', async () => {
    const store = openMemoryStore('search-young')
    await store.put('a', text('one'))
    const index = await indexOf(store, { nowMs: Date.now })
    await index.update()
    expect(await index.update()).toMatchObject({ fetched: 1 })
  })

  it('temporary folders leave nothing behind, and a closed index is aborted', async () => {
    const store = openMemoryStore('search-closed')
    for (let i = 0; i < 50; i++) await store.put(`k${i}`, text(''))
    const index = await SearchIndex.open(store)
    const update = kindOf(index.update())
    await index.close()
    expect(await update).toBe('aborted')
  })
})
