import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ListOptions, ObjectStore } from '../../src/backend/object-store.js'
import { MetadataCache } from '../../src/cache/metadata-cache.js'
import { GatedStore } from '../support/gated-store.js'

const TTL_MS = 1000
let buckets = 0

/** Counts listings, and may give small pages. */
class Counted extends GatedStore {
  limit = 1000
  lists: ListOptions[] = []

  override list(options: ListOptions = {}) {
    this.lists.push(options)
    return super.list({ ...options, limit: this.limit })
  }
}

function setUp(limit = 1000) {
  buckets += 1
  const inner: ObjectStore = openMemoryStore(`tree-walk-${buckets}`)
  const store = new Counted(inner)
  store.limit = limit
  const clock = { ms: 0, nowMs: () => clock.ms }
  const cache = new MetadataCache({ store, clock, ttlMs: TTL_MS, maxEntries: 10_000 })
  return { inner, store, clock, cache }
}

/** What a program that reads a folder is shown: names, folders with a slash. */
async function read(cache: MetadataCache, prefix: string): Promise<string[]> {
  const inUse = cache.listing(prefix)
  const { listing } = inUse
  while (!listing.isComplete) await listing.more()
  cache.keep(inUse)
  return listing.entries.flatMap(({ name, version, isDirectory }) => [
    ...(version === undefined ? [] : [name]),
    ...(isDirectory ? [`${name}/`] : []),
  ])
}

/** As `find` goes. */
async function walk(cache: MetadataCache, prefix: string, found: string[] = []): Promise<string[]> {
  for (const name of await read(cache, prefix)) {
    found.push(prefix + name)
    if (name.endsWith('/')) await walk(cache, prefix + name, found)
  }
  return found
}

/** What a walk is to find: every object and every folder. */
function expected(keys: readonly string[]): string[] {
  const all = new Set<string>()
  for (const key of keys) {
    for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1)) all.add(key.slice(0, slash + 1))
    all.add(key)
  }
  return [...all].sort()
}

async function fill(store: ObjectStore, folders: number, files: number) {
  for (let folder = 0; folder < folders; folder++)
    for (let file = 0; file < files; file++)
      await store.put(`t/d${String(folder).padStart(3, '0')}/f${String(file).padStart(4, '0')}`, new Uint8Array(1))
}

describe('a walk through a tree', () => {
  it('costs a page for a thousand keys, not a request for a folder', async () => {
    const { inner, store, cache } = setUp()
    await fill(inner, 60, 50)
    expect(await walk(cache, 't/')).toHaveLength(60 + 60 * 50)
    // The folder above, the first folder, and 2,950 keys.
    expect(store.lists).toHaveLength(5)
    expect(store.lists.filter(({ delimiter }) => delimiter === undefined)).toHaveLength(3)
  })

  it('asks for the next page while the folders of the one before are read, and for no more than that', async () => {
    const { inner, store, cache } = setUp()
    await fill(inner, 60, 50)
    await read(cache, 't/')
    for (const name of ['d000', 'd001', 'd002']) await read(cache, `t/${name}/`)
    expect(store.lists).toHaveLength(3)
    await read(cache, 't/d003/')
    expect(store.lists).toHaveLength(4)
    for (let folder = 4; folder < 20; folder++) await read(cache, `t/d0${String(folder).padStart(2, '0')}/`)
    expect(store.lists).toHaveLength(4)
  })

  it('asks for no page ahead that begins with a folder which is known', async () => {
    const { inner, store, cache } = setUp()
    await fill(inner, 60, 50)
    await read(cache, 't/')
    await read(cache, 't/d020/')
    // The page that the second of these asks for ends in the folder that was read already.
    for (let folder = 0; folder <= 20; folder++) await read(cache, `t/d0${String(folder).padStart(2, '0')}/`)
    expect(store.lists).toHaveLength(4)
    await read(cache, 't/d021/')
    expect(store.lists).toHaveLength(5)
  })

  it('lists a single folder, and two that are not neighbours, by themselves', async () => {
    const { inner, store, cache } = setUp()
    await fill(inner, 12, 3)
    await read(cache, 't/')
    await read(cache, 't/d001/')
    await read(cache, 't/d009/')
    expect(store.lists.map(({ delimiter }) => delimiter)).toEqual(['/', '/', '/'])
  })

  it('never lists what is below the folders of a huge one, to show the names of these', async () => {
    const { inner, store, cache } = setUp(20)
    for (let folder = 0; folder < 30; folder++)
      for (let key = 0; key < 100; key++)
        await inner.put(`t/d${folder + 10}/x/${String(key).padStart(3, '0')}`, new Uint8Array(1))
    const names = await read(cache, 't/')
    store.lists = []
    for (const name of names) expect(await read(cache, `t/${name}`)).toEqual(['x/'])
    // After each try that was of no use the next one is further away: 1, 3, 7 and 15 folders.
    expect(store.lists.filter(({ delimiter }) => delimiter === undefined).length).toBeLessThanOrEqual(5)
    expect(store.lists.length).toBeLessThanOrEqual(30 + 5)
  })

  it('finds all keys of any tree, with pages of any size', async () => {
    const part = fc.constantFrom('', 'a', 'a-', 'a.', 'a0', 'b', 'z', 'é', '😀', '.\ufffd')
    const key = fc.array(part, { minLength: 1, maxLength: 4 }).map(parts => `t/${parts.join('/')}x`)
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(key, { minLength: 1, maxLength: 80, size: 'max' }),
        fc.integer({ min: 1, max: 12 }),
        async (keys, limit) => {
          const { inner, cache } = setUp(limit)
          for (const one of keys) await inner.put(one, new Uint8Array(1))
          expect(['t/', ...(await walk(cache, 't/'))].sort()).toEqual(expected(keys))
          // Once more, from what is known.
          expect(['t/', ...(await walk(cache, 't/'))].sort()).toEqual(expected(keys))
        },
      ),
      { numRuns: 150 },
    )
  })

  it('shows a folder as the bucket was within the TTL, and its own changes at once, whoever reads when', async () => {
    const place = { folder: fc.integer({ min: 0, max: 5 }), file: fc.integer({ min: 0, max: 3 }) }
    const command = fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('read' as const), folder: place.folder }) },
      fc.record({ kind: fc.constant('others' as const), ...place }),
      fc.record({ kind: fc.constant('own' as const), ...place }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 100, max: 700 }) }),
    )
    const commands = fc.array(command, { maxLength: 40, size: 'max' })
    await fc.assert(
      fc.asyncProperty(commands, fc.integer({ min: 2, max: 9 }), async (all, limit) => {
        const { inner, clock, cache } = setUp(limit)
        /** What stood at a path since when; what was before a change of this mount is not to be shown any more. */
        const history = new Map<string, { readonly sinceMs: number; readonly isThere: boolean }[]>()
        const toggle = async (path: string, isOwn: boolean) => {
          const before = history.get(path) ?? [{ sinceMs: 0, isThere: false }]
          const isThere = before.at(-1)?.isThere !== true
          if (isThere) await inner.put(path, new Uint8Array(1))
          else await inner.delete([{ key: path }])
          history.set(path, [...(isOwn ? [] : before), { sinceMs: clock.ms, isThere }])
          if (isOwn && isThere) cache.stored(await inner.head(path))
          else if (isOwn) cache.removed(path)
        }
        for (let folder = 0; folder < 6; folder++)
          for (let file = 0; file < 2; file++) await toggle(`t/d${folder}/f${file}`, true)
        for (const one of all) {
          if (one.kind === 'wait') clock.ms += one.ms
          else if (one.kind !== 'read') await toggle(`t/d${one.folder}/f${one.file}`, one.kind === 'own')
          else {
            await read(cache, 't/')
            const prefix = `t/d${one.folder}/`
            const shown = new Set((await read(cache, prefix)).map(name => prefix + name))
            for (let file = 0; file < 4; file++) {
              const path = `${prefix}f${file}`
              const moments = history.get(path) ?? [{ sinceMs: 0, isThere: false }]
              const isRecent = (_: unknown, index: number) =>
                (moments[index + 1]?.sinceMs ?? clock.ms) >= clock.ms - TTL_MS
              expect(moments.filter(isRecent).map(({ isThere }) => isThere)).toContain(shown.has(path))
            }
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  it('forgets what a page that was under way told of a folder that this mount has changed', async () => {
    const { inner, store, cache } = setUp()
    await fill(inner, 6, 2)
    await read(cache, 't/')
    await read(cache, 't/d000/')
    const gate = store.hold('list', 'after')
    const walked = read(cache, 't/d001/')
    await gate.reached
    await inner.delete([{ key: 't/d003/f0000' }, { key: 't/d001/f0001' }])
    cache.removed('t/d003/f0000')
    cache.removed('t/d001/f0001')
    gate.open()
    expect(await walked).toEqual(['f0000'])
    expect(await read(cache, 't/d003/')).toEqual(['f0001'])
    store.lists = []
    expect(await read(cache, 't/d004/')).toEqual(['f0000', 'f0001'])
    expect(store.lists).toEqual([])
  })

  it('counts the age of a folder that came along from when its page was asked for', async () => {
    const { inner, store, clock, cache } = setUp()
    await fill(inner, 6, 2)
    await read(cache, 't/')
    await read(cache, 't/d000/')
    await read(cache, 't/d001/')
    clock.ms = TTL_MS - 1
    store.lists = []
    await read(cache, 't/d004/')
    expect(store.lists).toEqual([])
    clock.ms = TTL_MS
    await inner.put('t/d005/new', new Uint8Array(1))
    expect(await read(cache, 't/d005/')).toContain('new')
  })
})

describe('the end of a flat page, in which the next folder begins', () => {
  /** The walk stands behind `t/b/`, of which the page ended in `t/c/`; `beginOther` begins another page. */
  async function walking(...below: readonly string[]) {
    const world = setUp(2)
    const { inner, store, cache } = world
    for (const key of ['t/a/1', 't/b/1', ...below, 't/d/1', 'u/a/1', 'u/b/1', 'u/c/1'])
      await inner.put(key, new Uint8Array(1))
    for (const prefix of ['t/', 't/a/', 't/b/']) await read(cache, prefix)
    const beginOther = async () => {
      for (const prefix of ['u/', 'u/a/']) await read(cache, prefix)
      const gate = store.hold('list', 'before')
      const ended = read(cache, 'u/b/')
      await gate.reached
      return async () => {
        gate.open()
        await ended
      }
    }
    return { ...world, beginOther }
  }

  it('is not used for what this mount changes meanwhile', async () => {
    const { inner, cache, beginOther } = await walking('t/c/s/x', 't/c/s/y', 't/c/z')
    const endOther = await beginOther()
    const waiting = read(cache, 't/c/')
    await inner.delete([{ key: 't/c/s/x' }])
    cache.removed('t/c/s/x')
    await endOther()
    expect((await waiting).sort()).toEqual(['s/', 'z'])
    expect(await read(cache, 't/c/s/')).toEqual(['y'])
  })

  it('is there for who walks elsewhere, whose pages wait for no other', async () => {
    const { cache, store, beginOther } = await walking('t/c/x', 't/c/y', 't/c/z')
    const endOther = await beginOther()
    expect(await read(cache, 't/c/')).toEqual(['x', 'y', 'z'])
    await endOther()
    store.lists = []
    expect(await read(cache, 'u/b/')).toEqual(['1'])
    expect(await read(cache, 'u/c/')).toEqual(['1'])
    expect(store.lists).toEqual([])
  })

  it('makes a folder as old as it is', async () => {
    const { inner, clock, cache, beginOther } = await walking('t/c/x', 't/c/y', 't/c/z')
    await inner.delete([{ key: 't/c/x' }])
    clock.ms = TTL_MS / 2
    const endOther = await beginOther()
    const waiting = read(cache, 't/c/')
    await endOther()
    await waiting
    clock.ms = TTL_MS + 1
    expect(await read(cache, 't/c/')).toEqual(['y', 'z'])
  })
})
