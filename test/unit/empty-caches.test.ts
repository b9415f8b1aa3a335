import { expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { KeptMap } from '../../src/cache/kept-map.js'
import { MetadataCache } from '../../src/cache/metadata-cache.js'

const MIB = 1024 ** 2
const MANY = 4_000_000

/** What making something takes on the heap while it is held. */
function heapBytesOf(make: () => object): number {
  const before = process.memoryUsage().heapUsed
  const made = make()
  const taken = process.memoryUsage().heapUsed - before
  expect(made).toBeDefined()
  return taken
}

it('what may be known of many objects takes no memory before anything is', () => {
  const clock = { nowMs: () => 0 }
  const store = openMemoryStore('empty-caches')
  expect(heapBytesOf(() => new KeptMap<object>(MANY))).toBeLessThan(MIB)
  expect(heapBytesOf(() => new MetadataCache({ store, clock, ttlMs: 1000, maxEntries: MANY }))).toBeLessThan(MIB)
})
