import { beforeAll, describe, expect, it } from 'vitest'
import { inParallel, kindOf, listAll, text } from '../../support/store-tools.js'
import type { SuiteContext } from './suite-context.js'

/** Listings: order, rolling up, pages, where they start. */
export function listTests(context: SuiteContext): void {
  orderTests(context)
  delimiterTests(context)
  startTests(context)
  describe('of many keys', () => manyKeysTests(context))

  it('tells of an object what head tells', async () => {
    const folder = context.folder()
    const key = `${folder}object`
    const { etag } = await context.store.put(key, text('twelve bytes'))
    const { objects, prefixes, next } = await context.store.list({ prefix: folder })
    const head = await context.store.head(key)
    expect({ prefixes, next }).toStrictEqual({ prefixes: [], next: undefined })
    expect(objects).toHaveLength(1)
    expect(objects[0]).toMatchObject({ key, etag, sizeBytes: 12 })
    const seconds = (ms: number | undefined) => Math.floor((ms ?? Number.NaN) / 1000)
    expect(seconds(objects[0]?.lastModifiedMs)).toBe(seconds(head.lastModifiedMs))
  })

  it('lists nothing below a prefix without keys', async () => {
    expect(await context.store.list({ prefix: context.folder() })).toStrictEqual({ objects: [], prefixes: [] })
    expect(await context.store.list({ prefix: context.folder(), delimiter: '/' })).toStrictEqual({
      objects: [],
      prefixes: [],
    })
  })
}

async function putAll(context: SuiteContext, folder: string, names: readonly string[]): Promise<void> {
  await inParallel(names, 8, async name => void (await context.store.put(folder + name, text(name))))
}

function orderTests(context: SuiteContext): void {
  it('lists in the order of UTF-8 bytes', async () => {
    const folder = context.folder()
    const names = [
      '\u{10000}',
      '\uffee',
      '\u{10ffff}',
      '\ue000',
      'é',
      'e\u0301',
      'Z',
      'a',
      'a b',
      'a-b',
      'a.txt',
      'aa',
      '0',
      '~',
      '日',
    ]
    const nested = context.deviates('keys-do-not-nest')
      ? ['b/c', 'b.txt']
      : ['a/b', 'a/b.txt', 'a/b/c', '~/x', 'é/x', 'Z/']
    await putAll(context, folder, [...names, ...nested])
    const expected = [...names, ...nested]
      .map(name => folder + name)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    const { objects } = await context.store.list({ prefix: folder })
    expect(objects.map(object => object.key)).toStrictEqual(expected)
    expect((await listAll(context.store, { prefix: folder, limit: 1 })).names).toStrictEqual(expected)
  })
}

function delimiterTests(context: SuiteContext): void {
  it('rolls up what lies behind the delimiter', async () => {
    const folder = context.folder()
    await putAll(context, folder, ['a.txt', 'b/1', 'b/2', 'b.txt', 'c/d/e', 'f'])
    const root = await context.store.list({ prefix: folder, delimiter: '/' })
    expect(root.objects.map(object => object.key)).toStrictEqual([`${folder}a.txt`, `${folder}b.txt`, `${folder}f`])
    expect(root.prefixes).toStrictEqual([`${folder}b/`, `${folder}c/`])
    const inner = await context.store.list({ prefix: `${folder}c/`, delimiter: '/' })
    expect(inner).toMatchObject({ objects: [], prefixes: [`${folder}c/d/`] })
  })

  it('takes a prefix that ends within a name', async () => {
    const folder = context.folder()
    await putAll(context, folder, ['abc/1', 'abc/2', 'abd', 'abe/x/y', 'b'])
    const rolled = await context.store.list({ prefix: `${folder}ab`, delimiter: '/' })
    expect(rolled.prefixes).toStrictEqual([`${folder}abc/`, `${folder}abe/`])
    expect(rolled.objects.map(object => object.key)).toStrictEqual([`${folder}abd`])
    const flat = await context.store.list({ prefix: `${folder}abc` })
    expect(flat.objects.map(object => object.key)).toStrictEqual([`${folder}abc/1`, `${folder}abc/2`])
  })

  it('lists the marker of a folder as an object in it and as a prefix above it', async () => {
    const folder = context.folder()
    await putAll(context, folder, ['dir/', 'dir/file', 'only/'])
    const above = await context.store.list({ prefix: folder, delimiter: '/' })
    expect(above).toMatchObject({ objects: [], prefixes: [`${folder}dir/`, `${folder}only/`] })
    const within = await context.store.list({ prefix: `${folder}dir/`, delimiter: '/' })
    expect(within.objects.map(object => object.key)).toStrictEqual([`${folder}dir/`, `${folder}dir/file`])
    expect(within.prefixes).toStrictEqual([])
  })

  it('counts objects and prefixes together in a page', async () => {
    const folder = context.folder()
    await putAll(context, folder, ['a/1', 'b', 'c/1', 'c/2', 'd', 'e/1'])
    const options = { prefix: folder, delimiter: '/', limit: 2 } as const
    const first = await context.store.list(options)
    expect(first.objects.length + first.prefixes.length).toBeLessThanOrEqual(2)
    const { names } = await listAll(context.store, options)
    expect(names).toStrictEqual(['a/', 'b', 'c/', 'd', 'e/'].map(name => folder + name))
  })

  it('rolls up empty segments', async ({ skip }) => {
    skip(context.deviates('refuses-empty-segments'), 'the server refuses them')
    const folder = context.folder()
    await putAll(context, folder, ['a//b', 'a//c', 'a/d', '/e'])
    const list = (prefix: string) => context.store.list({ prefix: folder + prefix, delimiter: '/' })
    expect((await list('')).prefixes).toStrictEqual([`${folder}/`, `${folder}a/`])
    expect(await list('a/')).toMatchObject({ objects: [{ key: `${folder}a/d` }], prefixes: [`${folder}a//`] })
    expect((await list('a//')).objects.map(object => object.key)).toStrictEqual([`${folder}a//b`, `${folder}a//c`])
  })
}

function startTests(context: SuiteContext): void {
  it('starts strictly behind startAfter', async () => {
    const folder = context.folder()
    await putAll(context, folder, ['a', 'b', 'c', 'd/1'])
    const from = async (startAfter: string) =>
      (await context.store.list({ prefix: folder, startAfter: folder + startAfter })).objects.map(object =>
        object.key.slice(folder.length),
      )
    expect(await from('')).toStrictEqual(['a', 'b', 'c', 'd/1'])
    expect(await from('a')).toStrictEqual(['b', 'c', 'd/1'])
    expect(await from('bb')).toStrictEqual(['c', 'd/1'])
    expect(await from('d/0')).toStrictEqual(['d/1'])
    expect(await from('d/1')).toStrictEqual([])
    const before = await context.store.list({ prefix: `${folder}b`, startAfter: folder })
    expect(before.objects.map(object => object.key)).toStrictEqual([`${folder}b`])
  })

  it('passes over common prefixes that are not behind startAfter', async () => {
    const folder = context.folder()
    await putAll(context, folder, ['a', 'b/1', 'b/2', 'c', 'd/1'])
    const from = async (startAfter: string) =>
      (await listAll(context.store, { prefix: folder, delimiter: '/', startAfter: folder + startAfter })).names.map(
        name => name.slice(folder.length),
      )
    expect(await from('a')).toStrictEqual(['b/', 'c', 'd/'])
    expect(await from('b')).toStrictEqual(['b/', 'c', 'd/'])
    expect(await from('b/')).toStrictEqual(['c', 'd/'])
    expect(await from('b/1')).toStrictEqual(['c', 'd/'])
    expect(await from('d/')).toStrictEqual([])
  })
}

function manyKeysTests(context: SuiteContext): void {
  let folder = ''
  let keys: string[] = []

  beforeAll(async () => {
    folder = context.folder()
    keys = Array.from({ length: context.manyKeys }, (_, n) => `${folder}${n % 50}/file ${String(n).padStart(5, '0')}`)
    await inParallel(keys, 16, async key => void (await context.store.put(key, text(key))))
  }, 300_000)

  it('goes on from page to page', { timeout: 120_000 }, async () => {
    const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    const all = await listAll(context.store, { prefix: folder })
    expect(all.names).toStrictEqual(sorted)
    expect(all.pages).toBeGreaterThanOrEqual(Math.ceil(keys.length / 1000))
    expect((await listAll(context.store, { prefix: folder, limit: 333 })).names).toStrictEqual(sorted)
    const rolled = await listAll(context.store, { prefix: folder, delimiter: '/', limit: 7 })
    expect(rolled.names).toHaveLength(50)
    const half = sorted[Math.floor(sorted.length / 2)] ?? ''
    const behind = await listAll(context.store, { prefix: folder, startAfter: half })
    expect(behind.names).toStrictEqual(sorted.slice(sorted.indexOf(half) + 1))
  })

  it('deletes them all in one call', { timeout: 300_000 }, async () => {
    const results = await context.store.delete(keys.map(key => ({ key })))
    expect(results).toStrictEqual(keys.map(key => ({ key })))
    expect(await context.store.list({ prefix: folder })).toStrictEqual({ objects: [], prefixes: [] })
    expect(await kindOf(context.store.head(keys[0] ?? ''))).toBe('not-found')
  })
}
