import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Bucket } from '../../src/bucket/bucket.js'
import { SourceFile } from '../../src/bucket/local-file.js'
import { bucketStores, type OpenedBucket } from '../support/bucket-stores.js'
import { pattern } from '../support/bytes.js'
import { kindOf } from '../support/store-tools.js'

const MIB = 1024 ** 2

describe.each(await bucketStores())('objects of a bucket on %s', (_, open) => {
  let opened: OpenedBucket
  let bucket: Bucket
  beforeAll(async () => {
    opened = await open()
    bucket = opened.bucket
  })
  afterAll(() => opened.dispose())

  describe('put and get', () => {
    it('keep text, bytes, headers and metadata', async () => {
      const written = await bucket.put('notes/a.txt', 'hello', {
        metadata: { origin: 'test' },
        headers: { cacheControl: 'max-age=60', contentDisposition: 'inline' },
      })
      expect(written).toMatchObject({ key: 'notes/a.txt', sizeBytes: 5, contentType: 'text/plain' })
      expect((await bucket.get('notes/a.txt')).toString()).toBe('hello')
      expect(await bucket.info('notes/a.txt')).toMatchObject({
        sizeBytes: 5,
        etag: written.etag,
        metadata: { origin: 'test' },
        headers: { contentType: 'text/plain', cacheControl: 'max-age=60', contentDisposition: 'inline' },
      })
    })

    it('take a range, and refuse what is none', async () => {
      await bucket.put('range', pattern(1000))
      expect(await bucket.get('range', { startByte: 10, endByte: 100 })).toEqual(pattern(1000).subarray(10, 101))
      expect(await bucket.get('range', { startByte: 990 })).toEqual(pattern(1000).subarray(990))
      expect(await bucket.get('range', { endByte: 0 })).toEqual(pattern(1000).subarray(0, 1))
      expect(await kindOf(bucket.get('range', { startByte: 10, endByte: 9 }))).toBe('invalid')
      expect(await kindOf(bucket.get('range', { startByte: 1000 }))).toBe('invalid')
      expect(await kindOf(bucket.getFile('range', join(opened.folder, 'none'), { startByte: 1000 }))).toBe('invalid')
    })

    it.each([0, 1, 5 * MIB, 5 * MIB + 1, 17 * MIB])('store a stream of %d bytes', async sizeBytes => {
      const bytes = pattern(sizeBytes)
      const chunks = function* () {
        for (let at = 0; at < sizeBytes; at += 100_000) yield bytes.subarray(at, at + 100_000)
      }
      const done: (readonly [number, number | undefined, string])[] = []
      const onProgress = (...told: readonly [number, number | undefined, string]) => done.push(told)
      expect(await bucket.put('stream', Readable.from(chunks()), { onProgress })).toMatchObject({ sizeBytes })
      expect(done.at(-1)).toEqual([sizeBytes, undefined, 'stream'])
      expect(
        createHash('md5')
          .update(await bucket.get('stream'))
          .digest('hex'),
      ).toBe(createHash('md5').update(bytes).digest('hex'))
    })

    it('leave the old object when a stream breaks off', async () => {
      await bucket.put('broken', 'old')
      const breaking = async function* () {
        yield pattern(11 * MIB)
        throw new Error('the pipe is broken')
      }
      expect(await kindOf(bucket.put('broken', breaking()))).toBe('unavailable')
      expect((await bucket.get('broken')).toString()).toBe('old')
      expect(await bucket.store.listUploads()).toEqual([])
    })

    it('end when they are no longer wanted', async () => {
      const stopped = new AbortController()
      const endless = async function* () {
        for (;;) {
          yield pattern(MIB)
          if (!stopped.signal.aborted) setTimeout(() => stopped.abort(), 20)
          await new Promise(resolve => setTimeout(resolve, 1))
        }
      }
      expect(await kindOf(bucket.put('endless', endless(), { signal: stopped.signal }))).toBe('aborted')
      expect(await bucket.has('endless')).toBe(false)
      expect(await bucket.store.listUploads()).toEqual([])
    })

    it('give a stream that fetches as it is read', async () => {
      const bytes = pattern(9 * MIB)
      await bucket.put('long', bytes)
      const stream = await bucket.getStream('long', { startByte: 1 })
      expect(stream.info).toMatchObject({ key: 'long', sizeBytes: 9 * MIB })
      const first = (await stream[Symbol.asyncIterator]().next()).value as Buffer
      expect(first).toEqual(bytes.subarray(1, 1 + first.byteLength))
      stream.destroy()
    })

    it('replace only what is not there, when asked', async () => {
      await bucket.put('once', 'one', { ifNoneMatch: '*' })
      expect(await kindOf(bucket.put('once', 'two', { ifNoneMatch: '*' }))).toBe('precondition-failed')
    })
  })

  describe('values', () => {
    it.each([
      ['value.json', { a: [1, null, 'ä'] }, 'application/json'],
      ['value.yaml', { a: [1, null, 'ä'] }, 'text/yaml'],
      ['value', { a: 1 }, 'application/json'],
      ['value.txt', 'text\n', 'text/plain'],
      ['value.bin', Buffer.from([0, 1, 2]), 'application/octet-stream'],
    ])('%s comes back as it went', async (key, value, contentType) => {
      expect(await bucket.put(key, value, { metadata: { how: 'lazily' } })).toMatchObject({ contentType })
      expect(await bucket.deserialize(key)).toEqual(value)
      expect((await bucket.info(key)).metadata).toEqual({ how: 'lazily' })
    })

    it('say what is not of their type', async () => {
      await bucket.put('wrong.json', '{')
      expect(await kindOf(bucket.deserialize('wrong.json'))).toBe('corrupt')
      expect(await kindOf(bucket.put('x.png', { a: 1 }))).toBe('invalid')
    })

    it('take formats of a program', async () => {
      const csv = {
        name: 'csv',
        contentTypes: ['text/csv'],
        serialize: (rows: unknown) => (rows as string[][]).map(row => row.join(',')).join('\n'),
        deserialize: (bytes: Uint8Array) =>
          new TextDecoder()
            .decode(bytes)
            .split('\n')
            .map(row => row.split(',')),
      }
      const own = await opened.again('', { formats: [csv] })
      await own.put('table.csv', [
        ['a', 'b'],
        ['1', '2'],
      ])
      expect((await bucket.get('table.csv')).toString()).toBe('a,b\n1,2')
      expect(await own.deserialize('table.csv')).toEqual([
        ['a', 'b'],
        ['1', '2'],
      ])
      await own.close()
    })
  })

  describe('files', () => {
    it.each([0, 1000, 4 * MIB, 9 * MIB, 23 * MIB])('of %d bytes go and come back', async sizeBytes => {
      const [from, to] = [join(opened.folder, `from-${sizeBytes}`), join(opened.folder, `to/deep/${sizeBytes}`)]
      await writeFile(from, pattern(sizeBytes))
      const done: number[] = []
      const onProgress = (doneBytes: number) => done.push(doneBytes)
      expect(await bucket.putFile(from, undefined, { onProgress })).toMatchObject({
        key: `from-${sizeBytes}`,
        sizeBytes,
      })
      expect(done.at(-1)).toBe(sizeBytes)
      expect(done).toEqual(done.toSorted((a, b) => a - b))
      expect(await bucket.getFile(`from-${sizeBytes}`, to, { onProgress })).toMatchObject({
        sizeBytes,
        resumedBytes: 0,
      })
      expect((await readFile(to)).equals(pattern(sizeBytes))).toBe(true)
      expect(await readdir(join(to, '..'))).toEqual(
        expect.not.arrayContaining([expect.stringContaining('bucket-part')]),
      )
      const digest = createHash('sha256').update(pattern(sizeBytes)).digest('hex')
      const { metadata } = await bucket.info(`from-${sizeBytes}`)
      expect(metadata).toEqual(sizeBytes < 10 * MIB ? {} : { sha256: digest })
    })

    it('are told apart by their beginning where the name says nothing', async () => {
      await writeFile(join(opened.folder, 'picture'), Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'))
      await writeFile(join(opened.folder, 'README'), 'plain words, ä\n')
      expect(await bucket.putFile(join(opened.folder, 'picture'))).toMatchObject({ contentType: 'image/png' })
      expect(await bucket.putFile(join(opened.folder, 'README'))).toMatchObject({ contentType: 'text/plain' })
      expect(await bucket.putFile(join(opened.folder, 'README'), 'x.html')).toMatchObject({ contentType: 'text/html' })
      expect(await bucket.putFile(join(opened.folder, 'README'), 'y', { contentType: 'a/b' })).toMatchObject({
        contentType: 'a/b',
      })
    })

    it.each([1000, 12 * MIB])('of %d bytes that are changed while they are read are not stored', async sizeBytes => {
      const path = join(opened.folder, `changing-${sizeBytes}`)
      await writeFile(path, pattern(sizeBytes))
      const file = await SourceFile.open(path)
      await writeFile(path, pattern(sizeBytes, 2))
      await bucket.put(`changing-${sizeBytes}`, 'old')
      const put = bucket.store.put(`changing-${sizeBytes}`, file.range(0, sizeBytes))
      expect(await kindOf(put)).toBe('invalid')
      await file.close()
      expect((await bucket.get(`changing-${sizeBytes}`)).toString()).toBe('old')
    })

    it('that are none are refused', async () => {
      expect(await kindOf(bucket.putFile(join(opened.folder, 'nothing')))).toBe('not-found')
      expect(await kindOf(bucket.putFile(opened.folder))).toBe('invalid')
      await bucket.put('object', 'x')
      expect(await kindOf(bucket.getFile('object', opened.folder))).toBe('invalid')
      expect(await kindOf(bucket.getFile('no-object', join(opened.folder, 'no-object')))).toBe('not-found')
      expect(await readdir(opened.folder)).not.toContain('no-object')
    })
  })

  describe('folders', () => {
    it('go with their hierarchy, without what links lead to', async () => {
      const folder = join(opened.folder, 'tree')
      await mkdir(join(folder, 'a/b'), { recursive: true })
      await mkdir(join(folder, 'empty'))
      for (const name of ['one', 'a/two', 'a/b/three ä']) await writeFile(join(folder, name), name)
      await symlink('/etc', join(folder, 'link'))
      const summary = await bucket.putFolder(folder, 'tree/')
      expect(summary).toEqual({ objects: 3, sizeBytes: 3 + 5 + 12, failures: [] })
      const keys = (await bucket.list({ prefix: 'tree/' })).objects.map(object => object.key)
      expect(keys).toEqual(['tree/a/b/three ä', 'tree/a/two', 'tree/one'])
      const back = join(opened.folder, 'back')
      expect(await bucket.getFolder('tree/', back)).toEqual(summary)
      expect((await readdir(back, { recursive: true })).sort()).toEqual(['a', 'a/b', 'a/b/three ä', 'a/two', 'one'])
      expect(await readFile(join(back, 'a/b/three ä'), 'utf8')).toBe('a/b/three ä')
    })

    it('say what did not go', async () => {
      expect(await kindOf(bucket.putFolder(join(opened.folder, 'none')))).toBe('not-found')
      expect(await kindOf(bucket.getFolder('no-prefix/', join(opened.folder, 'none')))).toBe('not-found')
      for (const key of ['odd/../../up', 'odd/a//b', 'odd/well']) await bucket.put(key, 'x')
      const summary = await bucket.getFolder('odd/', join(opened.folder, 'odd'))
      expect(summary.objects).toBe(1)
      expect(summary.failures.map(({ name, error }) => [name, error.kind])).toEqual([
        ['odd/../../up', 'invalid'],
        ['odd/a//b', 'invalid'],
      ])
    })
  })
})
