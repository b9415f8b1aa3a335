import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareKeys } from '../../src/backend/keys.js'
import { MemoryStore, openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { SortedKeys } from '../../src/backend/memory/sorted-keys.js'
import { contentOf, listAll, text } from '../support/store-tools.js'

describe('SortedKeys', () => {
  it('is a sorted set', () => {
    const key = fc.integer({ min: 0, max: 3000 }).map(n => `k${n}`)
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), key), { maxLength: 4000, size: 'max' }), key, (changes, from) => {
        const sorted = new SortedKeys()
        const model = new Set<string>()
        for (const [isAdded, each] of changes) {
          if (isAdded) {
            sorted.add(each)
            model.add(each)
          } else {
            sorted.delete(each)
            model.delete(each)
          }
        }
        const expected = [...model].sort(compareKeys)
        expect([...sorted.from(() => true)]).toStrictEqual(expected)
        const behind = (each: string) => compareKeys(each, from) > 0
        expect([...sorted.from(behind)]).toStrictEqual(expected.filter(behind))
      }),
      { numRuns: 20 },
    )
  })
})

describe('MemoryStore', () => {
  it('has the ETags of S3', async () => {
    const store = new MemoryStore('mem://x', undefined, { minPartBytes: 1 })
    const md5 = (...bytes: (string | Buffer)[]) =>
      bytes.reduce((hash, each) => hash.update(each), createHash('md5')).digest()
    expect((await store.put('a', text('hello'))).etag).toBe(md5('hello').toString('hex'))
    const upload = await store.createUpload('b')
    const parts = [await upload.part(1, text('one')), await upload.part(2, text('two'))]
    expect((await upload.complete(parts)).etag).toBe(`${md5(md5('one'), md5('two')).toString('hex')}-2`)
    expect((await store.copy('b', 'c')).etag).toBe(md5('onetwo').toString('hex'))
  })

  it('shares a bucket among the stores of one name', async () => {
    const [one, two, other] = [openMemoryStore('shared'), openMemoryStore('shared'), openMemoryStore('other')]
    await one.put('key', text('x'))
    expect((await contentOf(two, 'key')).toString()).toBe('x')
    expect((await other.list()).objects).toStrictEqual([])
    expect(two.url).toBe('mem://shared')
  })

  it('takes its time from outside', async () => {
    let nowMs = 1000
    const store = new MemoryStore('mem://x', undefined, { nowMs: () => nowMs })
    await store.put('key', text('x'))
    nowMs = 2000
    expect((await store.head('key')).lastModifiedMs).toBe(1000)
    expect((await store.copy('key', 'key', { metadata: { a: '1' } })).lastModifiedMs).toBe(2000)
  })

  it('lists 100,000 keys, and their folders without walking through them', async () => {
    const store = new MemoryStore('mem://x')
    const keys = Array.from({ length: 100_000 }, (_, n) => `${n % 10}/${(n * 7919) % 100_000}`)
    for (const key of keys) await store.put(key, new Uint8Array())
    const all = await listAll(store, {})
    expect(all.names).toStrictEqual([...keys].sort(compareKeys))
    expect(all.pages).toBe(100)
    const page = await store.list({ delimiter: '/' })
    expect(page).toStrictEqual({ objects: [], prefixes: Array.from({ length: 10 }, (_, n) => `${n}/`) })
  })

  it('does not keep the memory of its callers', async () => {
    const store = new MemoryStore('mem://x')
    const bytes = text('before')
    await store.put('key', bytes)
    bytes.fill(0)
    expect((await contentOf(store, 'key')).toString()).toBe('before')
  })
})
