import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { MetadataCache } from '../../src/cache/metadata-cache.js'
import { kindOf } from '../support/store-tools.js'

let stores = 0

function setUp(rules: FaultRules, maxEntries = 10_000) {
  stores += 1
  const store = openMemoryStore(`metadata-cache-${stores}`)
  const clock = { ms: 0, nowMs: () => clock.ms }
  const cache = new MetadataCache({ store: new FaultLayer(store, rules), clock, ttlMs: 1000, maxEntries })
  return { store, cache, clock }
}

const SLOW = { delayMs: 20 }

describe('MetadataCache', () => {
  it('does not let an answer that was asked for before overwrite a change of the mount', async () => {
    const { store, cache } = setUp(new FaultRules([{ operations: ['head', 'list'], fault: SLOW }]))
    await store.put('f', Buffer.from('old'))
    const asked = cache.lookup('', 'f')
    await store.delete([{ key: 'f' }])
    cache.removed('f')
    expect((await asked).version).toBeUndefined()
    expect(cache.known('', 'f')?.version).toBeUndefined()
  })

  it('keeps a change of the mount while a listing of before is under way', async () => {
    const { store, cache } = setUp(new FaultRules([{ operations: ['list'], fault: SLOW }]))
    await store.put('d/f', Buffer.from('old'))
    const inUse = cache.listing('d/')
    const page = inUse.listing.more()
    cache.removed('d/f')
    await page
    cache.keep(inUse)
    expect(cache.known('d/', 'f')).toMatchObject({ version: undefined, isDirectory: false })
  })

  it('asks once for a name that several ask for at the same time', async () => {
    const { store, cache } = setUp(new FaultRules([{ operations: ['head'], nth: 2, fault: { kind: 'denied' } }]))
    await store.put('f', Buffer.from('x'))
    const found = await Promise.all([cache.lookup('', 'f'), cache.lookup('', 'f'), cache.lookup('', 'f')])
    expect(found.map(one => one.version?.sizeBytes)).toEqual([1, 1, 1])
  })

  it('never takes an error for an absent name', async () => {
    const { store, cache } = setUp(new FaultRules([{ operations: ['head'], nth: 1, fault: { kind: 'unavailable' } }]))
    await store.put('f', Buffer.from('x'))
    await expect(cache.lookup('', 'f')).rejects.toMatchObject({ kind: 'unavailable' })
    expect((await cache.lookup('', 'f')).version?.sizeBytes).toBe(1)
  })

  it.each([
    ['with the page that has all names', 1000, 'resolved'],
    ['name by name where there are more', 1001, 'denied'],
  ])('asks anew for the names of a directory that was read %s', async (_how, count, outcome) => {
    const { store, cache, clock } = setUp(new FaultRules([{ operations: ['head'], fault: { kind: 'denied' } }]))
    for (let i = 0; i < count; i++) await store.put(`d/${String(i).padStart(5, '0')}`, new Uint8Array(0))
    const inUse = cache.listing('d/')
    while (!inUse.listing.isComplete) await inUse.listing.more()
    cache.keep(inUse)
    cache.removed('d/00000')
    await store.delete([{ key: 'd/00000' }, { key: 'd/00002' }])
    clock.ms += 1001
    expect(await kindOf(cache.lookup('d/', '00001'))).toBe(outcome)
    if (outcome !== 'resolved') return
    expect(cache.known('d/', '00001')?.version).toBeDefined()
    expect(cache.known('d/', '00002')).toMatchObject({ version: undefined, isDirectory: false })
  })

  it('answers from a listing under way as soon as it has passed the name', async () => {
    const { store, cache } = setUp(new FaultRules([{ operations: ['list'], nth: 7, fault: { kind: 'unavailable' } }]))
    for (let i = 0; i < 2500; i++) await store.put(`d/${String(i).padStart(5, '0')}`, new Uint8Array(0))
    for (let i = 0; i < 4; i++) await cache.lookup('d/', `0000${i}`)
    // Four cold lookups listed once each; the fifth reads the first page, and the third page would fail.
    expect((await cache.lookup('d/', '00004')).version).toBeDefined()
    expect((await cache.lookup('d/', '00004x')).version).toBeUndefined()
  })

  it('asks name by name where a directory has more names than may be remembered', async () => {
    const { store, cache } = setUp(new FaultRules([]), 500)
    for (let i = 0; i < 1500; i++) await store.put(`d/${String(i).padStart(5, '0')}`, new Uint8Array(0))
    for (let i = 0; i < 8; i++) expect((await cache.lookup('d/', `0140${i}`)).version).toBeDefined()
  })
})
