import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Bucket } from '../../src/bucket/bucket.js'
import { bucketStores, type OpenedBucket } from '../support/bucket-stores.js'
import { pattern } from '../support/bytes.js'
import { kindOf } from '../support/store-tools.js'

describe.each(await bucketStores())('changes in a bucket on %s', (_, open) => {
  let opened: OpenedBucket
  let bucket: Bucket
  const keysBelow = async (prefix: string) => (await bucket.list({ prefix })).objects.map(object => object.key)
  beforeAll(async () => {
    opened = await open()
    bucket = opened.bucket
  })
  afterAll(() => opened.dispose())

  describe('listing', () => {
    beforeAll(async () => {
      for (const key of ['l/a', 'l/b/1', 'l/b/2', 'l/bc', 'l/ä']) await bucket.put(key, key)
    })

    it('goes by any prefix, page by page, in key order', async () => {
      const first = await bucket.list({ prefix: 'l/', maxKeys: 2 })
      expect(first).toMatchObject({ objects: [{ key: 'l/a' }, { key: 'l/b/1' }], truncated: true, next: 'l/b/1' })
      const rest = await bucket.list({ prefix: 'l/', marker: first.next })
      expect(rest).toMatchObject({ truncated: false, next: undefined })
      expect(rest.objects.map(object => object.key)).toEqual(['l/b/2', 'l/bc', 'l/ä'])
      expect(await keysBelow('l/b')).toEqual(['l/b/1', 'l/b/2', 'l/bc'])
    })

    it('shows folders, which count', async () => {
      const listing = await bucket.list({ prefix: 'l/', delimiter: '/', maxKeys: 2 })
      expect(listing).toMatchObject({ objects: [{ key: 'l/a' }], folders: ['l/b/'], truncated: true, next: 'l/b/' })
      const rest = await bucket.list({ prefix: 'l/', delimiter: '/', marker: listing.next })
      expect(rest.objects.map(object => object.key)).toEqual(['l/bc', 'l/ä'])
    })

    it('is lazy and tells how many there are', async () => {
      const part = await opened.again('l')
      const seen: string[] = []
      for await (const { key } of part) {
        seen.push(key)
        if (seen.length === 2) break
      }
      expect(seen).toEqual(['a', 'b/1'])
      expect(await part.size()).toBe(5)
      expect(await part.has('b/2')).toBe(true)
      expect(await part.has('l/a')).toBe(false)
      expect(await part.usage()).toEqual([
        { folder: '', objects: 3, sizeBytes: 3 + 4 + 4 },
        { folder: 'b/', objects: 2, sizeBytes: 10 },
      ])
      await part[Symbol.asyncDispose]()
    })
  })

  describe('metadata', () => {
    it('is merged, taken away and replaced; headers stay or are reset', async () => {
      await bucket.put('meta', 'x', { metadata: { a: '1', b: '2' }, headers: { cacheControl: 'no-cache' } })
      await bucket.setMetadata('meta', { B: null, c: '3' }, { headers: { contentLanguage: 'de' } })
      expect(await bucket.info('meta')).toMatchObject({ metadata: { a: '1', c: '3' } })
      const { headers } = await bucket.info('meta')
      expect(headers).toMatchObject({ cacheControl: 'no-cache', contentLanguage: 'de' })
      await bucket.setMetadata('meta', { d: '4' }, { mode: 'replace', resetHeaders: true })
      const after = await bucket.info('meta')
      expect(after.metadata).toEqual({ d: '4' })
      expect(after.headers.cacheControl).toBeUndefined()
      expect((await bucket.get('meta')).toString()).toBe('x')
      expect(await kindOf(bucket.setMetadata('none', { a: '1' }))).toBe('not-found')
    })

    it('keeps the checksum of what came in parts', async () => {
      const path = join(opened.folder, 'large')
      await writeFile(path, pattern(11 * 1024 ** 2))
      await bucket.putFile(path)
      const { sha256 } = (await bucket.info('large')).metadata
      await bucket.setMetadata('large', { a: '1' }, { mode: 'replace' })
      await bucket.copy('large', 'large-copy', { metadata: { b: '2' } })
      expect((await bucket.info('large')).metadata).toEqual({ sha256, a: '1' })
      expect((await bucket.info('large-copy')).metadata).toEqual({ sha256, b: '2' })
      expect((await bucket.get('large-copy')).equals(pattern(11 * 1024 ** 2))).toBe(true)
    })
  })

  describe('what would lose bytes is refused', () => {
    const contents = async (prefix: string) =>
      Promise.all((await keysBelow(prefix)).map(async key => `${key}: ${(await bucket.get(key)).toString()}`))

    it('a move to the same bucket by another name', async () => {
      await bucket.put('same/a', 'bytes')
      const view = await opened.again('same')
      expect(await kindOf(bucket.move('same/a', { bucket: view, key: 'a' }))).not.toBe('resolved')
      expect((await bucket.get('same/a')).toString()).toBe('bytes')
      await view.close()
    })

    it('a folder moved over objects of its own that are not moved yet', async () => {
      await bucket.put('up/up/z', 'inner')
      await bucket.put('up/z', 'outer')
      const { failures } = await bucket.moveFolder('up/up/', 'up/')
      expect(failures).toEqual([])
      await bucket.put('up/up/z', 'inner')
      const summary = await bucket.moveFolder('up/', '')
      expect(summary.failures).toHaveLength(1)
      expect(await contents('up/')).toEqual(['up/up/z: inner'])
      expect((await bucket.get('z')).toString()).toBe('inner')
    })

    it('copies over objects that are there, on request, of folders too', async () => {
      await bucket.put('new/a', 'new')
      await bucket.put('old/a', 'old')
      const { failures } = await bucket.copyFolder('new/', 'old/', { ifNoneMatch: '*' })
      expect(failures).toHaveLength(1)
      expect((await bucket.get('old/a')).toString()).toBe('old')
    })

    it('a key that leads elsewhere as the name of a file, and no name at all', async () => {
      await bucket.put('../elsewhere', 'bytes')
      expect(await kindOf(bucket.getFile('../elsewhere'))).toBe('invalid')
      expect(await kindOf(bucket.syncFrom('l/', '', { delete: true }))).toBe('invalid')
      await bucket.remove('../elsewhere')
    })

    it('memory that a stream uses again is copied', async () => {
      const chunks = async function* () {
        const memory = Buffer.alloc(4)
        for (const letter of 'abc') yield memory.fill(letter)
      }
      await bucket.put('again', chunks())
      expect((await bucket.get('again')).toString()).toBe('aaaabbbbcccc')
    })
  })

  describe('copies and moves', () => {
    beforeAll(async () => {
      await bucket.put('c/from', 'bytes', { metadata: { a: '1' }, headers: { cacheControl: 'no-cache' } })
    })

    it('keep or replace what is beside the bytes', async () => {
      expect(await bucket.copy('c/from', 'c/same')).toMatchObject({ from: 'c/from', to: 'c/same', sizeBytes: 5 })
      expect(await bucket.info('c/same')).toMatchObject({ metadata: { a: '1' }, headers: { cacheControl: 'no-cache' } })
      await bucket.copy('c/from', 'c/other', { metadata: { z: '9' }, headers: { contentType: 'a/b' } })
      const { metadata, headers } = await bucket.info('c/other')
      expect(metadata).toEqual({ z: '9' })
      expect(headers).toMatchObject({ cacheControl: 'no-cache', contentType: 'a/b' })
    })

    it('leave nothing behind, and never the last of both', async () => {
      await bucket.copy('c/from', 'c/moving')
      await bucket.move('c/moving', 'c/moved')
      expect(await bucket.has('c/moving')).toBe(false)
      expect((await bucket.get('c/moved')).toString()).toBe('bytes')
      expect(await kindOf(bucket.move('c/moved', 'c/moved'))).toBe('invalid')
      expect(await kindOf(bucket.copy('c/moved', 'c/moved'))).toBe('invalid')
      expect(await kindOf(bucket.move('c/none', 'c/other'))).toBe('not-found')
      expect((await bucket.get('c/moved')).toString()).toBe('bytes')
    })

    it('go to another bucket', async () => {
      const other = await open()
      const key = (name: string) => ({ bucket: other.bucket, key: name })
      await bucket.copy('c/from', key('there'))
      expect(await other.bucket.info('there')).toMatchObject({
        metadata: { a: '1' },
        headers: { cacheControl: 'no-cache' },
      })
      await bucket.copy('c/from', 'c/leaving')
      await bucket.move('c/leaving', key('c/arrived'))
      expect(await bucket.has('c/leaving')).toBe(false)
      expect((await other.bucket.get('c/arrived')).toString()).toBe('bytes')
      await bucket.put('away/1', 'one')
      await bucket.put('away/2', 'two')
      expect(await bucket.moveFolder('away/', key('came/'))).toEqual({ objects: 2, sizeBytes: 6, failures: [] })
      expect(await keysBelow('away/')).toEqual([])
      expect((await other.bucket.list({ prefix: 'came/' })).objects.map(object => object.key)).toEqual([
        'came/1',
        'came/2',
      ])
      await other.dispose()
    })

    it('of folders put another prefix in the place of theirs', async () => {
      for (const key of ['f/1', 'f/sub/2']) await bucket.put(key, key)
      expect(await bucket.copyFolder('f/', 'g/')).toMatchObject({ objects: 2, failures: [] })
      expect(await bucket.moveFolder('f/', 'h/')).toMatchObject({ objects: 2, failures: [] })
      expect([await keysBelow('f/'), await keysBelow('g/'), await keysBelow('h/')]).toEqual([
        [],
        ['g/1', 'g/sub/2'],
        ['h/1', 'h/sub/2'],
      ])
      expect(await kindOf(bucket.copyFolder('none/', 'x/'))).toBe('not-found')
      expect(await kindOf(Promise.resolve().then(() => bucket.moveFolder('h/', 'h/sub/')))).toBe('invalid')
    })
  })

  describe('removals', () => {
    it('tell a result for each key', async () => {
      for (const key of ['r/1', 'r/2']) await bucket.put(key, key)
      const results = await bucket.remove(['r/1', 'r/none', 'r/2'], { mustExist: true })
      expect(results.map(({ key, error }) => [key, error?.kind])).toEqual([
        ['r/1', undefined],
        ['r/none', 'not-found'],
        ['r/2', undefined],
      ])
      expect((await bucket.remove('r/none'))[0]?.error).toBeUndefined()
      expect(await keysBelow('r/')).toEqual([])
    })

    it('of a prefix leave the others', async () => {
      for (const key of ['p/1', 'p/2', 'p2', 'q']) await bucket.put(key, 'x')
      expect(await bucket.removePrefix('p/')).toEqual({ objects: 2, sizeBytes: 2, failures: [] })
      expect(await keysBelow('p')).toEqual(['p2'])
      expect(await bucket.removePrefix('none')).toEqual({ objects: 0, sizeBytes: 0, failures: [] })
    })
  })
})
