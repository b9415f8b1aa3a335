import { describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { HeldListings } from '../../src/cache/held-listings.js'

const TTL_MS = 1000
let buckets = 0

/** Two folders of 60 names, in pages of 10. */
async function listings(maxEntries: number) {
  buckets += 1
  const inner = openMemoryStore(`held-listings-${buckets}`)
  for (const folder of ['a', 'b'])
    for (let file = 0; file < 60; file++) await inner.put(`${folder}/f${file}`, new Uint8Array(1))
  const store = { list: (options: Parameters<typeof inner.list>[0]) => inner.list({ ...options, limit: 10 }) }
  const clock = { ms: 0, nowMs: () => clock.ms }
  return { clock, held: new HeldListings({ store, clock, ttlMs: TTL_MS, maxEntries }) }
}

/** A lookup of the folder brings the first page; then a program reads all of it, and is done after `takesMs`. */
async function readAll(held: HeldListings, clock: { ms: number }, prefix: string, takesMs: number): Promise<boolean> {
  const first = held.glimpse(prefix)
  await first.listing.more()
  held.keep(first)
  const inUse = held.read(prefix)
  while (!inUse.listing.isComplete) await inUse.listing.more()
  clock.ms += takesMs
  return held.keep(inUse)
}

describe('HeldListings', () => {
  it('forgets a folder that turned out to have more names than may be remembered', async () => {
    const { clock, held } = await listings(50)
    expect(await readAll(held, clock, 'a/', 0)).toBe(false)
    expect(held.last('a/')).toBeUndefined()
  })

  it('counts the names that this mount adds to a folder', async () => {
    const { clock, held } = await listings(100)
    await readAll(held, clock, 'a/', 0)
    for (let file = 0; file < 50; file++) {
      const version = { key: `a/new${file}`, etag: 'e', sizeBytes: 1, lastModifiedMs: 0 }
      for (const listing of held.changed(version.key)) listing.changeObject(`new${file}`, version)
    }
    expect(held.last('a/')).toBeUndefined()
  })

  it('counts all names of a folder that was read for longer than it counts', async () => {
    const { clock, held } = await listings(100)
    for (const prefix of ['a/', 'b/']) await readAll(held, clock, prefix, TTL_MS)
    expect(held.last('a/')).toBeUndefined()
    expect(held.last('b/')?.listing.entries).toHaveLength(60)
  })
})
