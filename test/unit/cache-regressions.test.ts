import { describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { BlockCache } from '../../src/cache/block-cache.js'
import { BufferBudget } from '../../src/cache/buffer-budget.js'
import { MainLane } from '../../src/cache/lanes/main-lane.js'
import { MetadataCache } from '../../src/cache/metadata-cache.js'
import { GatedStore } from '../support/gated-store.js'

describe('BlockCache', () => {
  it('answers a reader though another one, whose read-ahead it joined, closes the file', async () => {
    const store = new GatedStore(openMemoryStore('cache-regressions-blocks'))
    const bytes = Buffer.from(Array.from({ length: 12_000 }, (_, i) => i % 251))
    const { etag } = await store.put('f', bytes)
    const source = { key: 'f', etag, sizeBytes: bytes.length }
    const cache = new BlockCache({ lane: new MainLane(store), memory: new BufferBudget(65_536), blockSizeBytes: 4096 })
    const first = store.hold('get', 'before')
    const second = store.hold('get', 'before')
    const other = {}
    cache.readAhead(source, 4096, 8000, other)
    const read = cache.readBytes(source, 0, 12_000)
    await Promise.all([first.reached, second.reached])
    cache.cancelReadAhead(other)
    first.open()
    second.open()
    expect((await read).equals(bytes)).toBe(true)
  })
})

describe('MetadataCache', () => {
  it('asks for a name that it was told to forget, though a reader holds a listing with it', async () => {
    const store = openMemoryStore('cache-regressions-names')
    await store.put('f', Buffer.from('old'))
    const cache = new MetadataCache({ store, clock: { nowMs: () => 0 }, ttlMs: 1000, maxEntries: 100 })
    const held = cache.listing('')
    await held.listing.more()
    await store.put('f', Buffer.from('newer'))
    cache.forget('f')
    cache.keep(held)
    expect((await cache.lookup('', 'f')).version?.sizeBytes).toBe(5)
  })

  it('does not list a folder of too many names again for every name', async () => {
    const store = openMemoryStore('cache-regressions-many')
    for (let i = 0; i < 2500; i++) await store.put(`d/${String(i).padStart(5, '0')}`, new Uint8Array(0))
    let pages = 0
    const counting = new (class extends GatedStore {
      override list(options: Parameters<GatedStore['list']>[0]) {
        if (options?.prefix === 'd/') pages += 1
        return super.list(options)
      }
    })(store)
    const cache = new MetadataCache({ store: counting, clock: { nowMs: () => 0 }, ttlMs: 1000, maxEntries: 500 })
    for (let i = 0; i < 50; i++) expect((await cache.lookup('d/', `024${10 + i}`)).version).toBeDefined()
    expect(pages).toBeLessThanOrEqual(1)
  })
})
