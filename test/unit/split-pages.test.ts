import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareKeys } from '../../src/backend/keys.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { ListOptions, ListPage, ObjectStore } from '../../src/backend/object-store.js'
import { StoreError } from '../../src/backend/store-error.js'
import { SplitPages } from '../../src/cache/split-pages.js'
import { splitPoints } from '../../src/cache/split-points.js'

let buckets = 0

/** Pages of `limit` items; each request waits for `turn`, so that they end in any order. */
function paged(store: ObjectStore, limit: number, turn: () => Promise<void> = async () => {}) {
  const asked: ListOptions[] = []
  return {
    asked,
    async list(options: ListOptions): Promise<ListPage> {
      asked.push(options)
      await turn()
      return store.list({ ...options, limit })
    },
  }
}

async function bucketOf(keys: readonly string[]): Promise<ObjectStore> {
  buckets += 1
  const store = openMemoryStore(`split-pages-${buckets}`)
  for (const key of keys) await store.put(key, new Uint8Array(1))
  return store
}

async function namesOf(pages: SplitPages): Promise<string[]> {
  const names: string[] = []
  for (let page = await pages.next(); page !== undefined; page = await pages.next())
    names.push(...[...page.objects.map(({ key }) => key), ...page.prefixes].sort(compareKeys))
  return names
}

const numbered = (count: number) => Array.from({ length: count }, (_, i) => `d/file-${String(i).padStart(5, '0')}`)

describe('SplitPages', () => {
  it('tells every name once and in order, however the names are and in whichever order the pages come', async () => {
    const part = fc.oneof(
      fc.integer({ min: 0, max: 999 }).map(number => String(number).padStart(3, '0')),
      fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom(...'0123456789abcdef') }),
      fc.string({
        minLength: 1,
        maxLength: 3,
        unit: fc.constantFrom('a', 'b', 'z', 'A', '0', '-', '.', '~', 'é', '😀'),
      }),
    )
    const key = fc.tuple(part, fc.option(part)).map(([name, below]) => `d/${name}${below === null ? '' : `/${below}`}`)
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(key, { maxLength: 120, size: 'max' }),
        fc.integer({ min: 1, max: 4 }),
        fc.scheduler(),
        async (keys, limit, scheduler) => {
          const store = await bucketOf([...keys, 'c', 'd', 'e/f'])
          const pages = new SplitPages(
            paged(store, limit, () => scheduler.schedule(Promise.resolve())),
            { prefix: 'd/' },
          )
          const names = await scheduler.waitFor(namesOf(pages))
          const all = keys.map(one => (one.includes('/', 2) ? one.slice(0, one.indexOf('/', 2) + 1) : one))
          expect(names).toEqual([...new Set(all)].sort(compareKeys))
        },
      ),
      { numRuns: 60 },
    )
  })

  it('asks for a large folder at several places at once, and for little that is told already', async () => {
    const store = await bucketOf(numbered(4000))
    let underWay = 0
    let most = 0
    const counted = paged(store, 50, async () => {
      underWay += 1
      most = Math.max(most, underWay)
      await new Promise(resolve => setImmediate(resolve))
      underWay -= 1
    })
    expect(await namesOf(new SplitPages(counted, { prefix: 'd/' }))).toEqual(numbered(4000))
    expect(most).toBeGreaterThanOrEqual(4)
    expect(counted.asked.length).toBeLessThanOrEqual(80 * 1.4)
  })

  it('asks for a folder of ten pages page by page', async () => {
    const store = await bucketOf(numbered(500))
    const counted = paged(store, 50)
    expect(await namesOf(new SplitPages(counted, { prefix: 'd/' }))).toHaveLength(500)
    expect(counted.asked).toHaveLength(10)
  })

  it('tells of a failure once, and goes on where it was', async () => {
    const store = await bucketOf(numbered(2000))
    let requests = 0
    const failing = paged(store, 50, async () => {
      requests += 1
      if (requests % 7 === 0) throw new StoreError('unavailable', 'now and then', { operation: 'list' })
    })
    const pages = new SplitPages(failing, { prefix: 'd/' })
    const names: string[] = []
    for (let isOver = false; !isOver; ) {
      const page = await pages.next().catch((error: unknown) => {
        expect(error).toMatchObject({ kind: 'unavailable' })
        return { objects: [], prefixes: [] }
      })
      names.push(...(page?.objects.map(({ key }) => key) ?? []))
      isOver = page === undefined
    }
    expect(names).toEqual(numbered(2000))
  })
})

describe('splitPoints', () => {
  it('go on in equal steps, with a carry', () => {
    const page = ['d/file-0100', 'd/file-0150', 'd/file-0199']
    expect(splitPoints(page, 2, 3)).toEqual(['d/file-059', 'd/file-099', 'd/file-139'])
  })

  it('are none where names tell nothing', () => {
    expect(splitPoints(['d/-', 'd/~'], 2, 3)).toEqual([])
    expect(splitPoints(['d/a'], 2, 3)).toEqual([])
  })
})
