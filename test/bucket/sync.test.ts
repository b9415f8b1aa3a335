import { chmod, mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Bucket } from '../../src/bucket/bucket.js'
import { type SyncEntry, SyncError } from '../../src/bucket/sync/sync-entry.js'
import type { SyncOptions } from '../../src/bucket/sync/sync-options.js'
import { readTree, writeTree } from '../support/file-trees.js'
import { type LibraryBucket, libraryStores } from '../support/library-stores.js'
import { contentOf, testBytes } from '../support/store-tools.js'

const MIB = 1024 * 1024

describe.each(await libraryStores())('sync with %s', (name, open) => {
  const tellsParts = name === 'the own S3'

  let library: LibraryBucket
  let bucket: Bucket
  let source: string
  let target: string

  beforeEach(async () => {
    library = await open()
    bucket = library.bucket
    source = join(library.folder, 'source')
    target = join(library.folder, 'target')
    await mkdir(source)
  })
  afterEach(() => library.dispose())

  async function keys(prefix = ''): Promise<readonly string[]> {
    const found: string[] = []
    for await (const { key } of bucket.iterate({ prefix })) found.push(key)
    return found
  }

  async function store(objects: Readonly<Record<string, string>>): Promise<void> {
    for (const [key, content] of Object.entries(objects)) await library.store.put(key, Buffer.from(content))
    library.requests()
  }

  async function entriesOf(sync: (options: SyncOptions) => Promise<unknown>): Promise<readonly string[]> {
    const entries: SyncEntry[] = []
    await sync({ onEntry: entry => entries.push(entry) })
    return entries.map(({ action, key, reason }) => `${action} ${key}: ${reason}`).sort()
  }

  it('sends a folder, and then only what differs, whatever its time', async () => {
    await writeTree(source, { a: 'one', 'b/c': 'two', 'b/d/e': '', 'b-': 'three' })
    expect(await bucket.syncTo(source, 'p')).toMatchObject({ transferred: 4, transferredBytes: 11, same: 0, failed: 0 })
    expect(await keys()).toEqual(['p/a', 'p/b-', 'p/b/c', 'p/b/d/e'])
    expect((await contentOf(library.store, 'p/b/c')).toString()).toBe('two')
    expect(await bucket.syncTo(source, 'p/')).toMatchObject({ transferred: 0, same: 4 })

    await writeFile(join(source, 'a'), 'eno')
    await utimes(join(source, 'a'), 1, 1)
    await utimes(join(source, 'b/c'), new Date(), new Date(Date.now() + 3_600_000))
    await writeFile(join(source, 'b-'), 'longer')
    expect(await entriesOf(options => bucket.syncTo(source, 'p', options))).toEqual([
      `same p/b/c: ${await reasonOf()}`,
      `same p/b/d/e: ${await reasonOf()}`,
      'send p/a: content differs',
      'send p/b-: size differs',
    ])
    expect((await contentOf(library.store, 'p/a')).toString()).toBe('eno')
  })

  /** Stores of files have no ETags that tell of the bytes. */
  async function reasonOf(): Promise<string> {
    return (await library.store.head('p/b/c')).etag.length === 32 ? 'same MD5' : 'same stored digest'
  }

  it('fetches a folder, and then only what differs, whatever its time', async () => {
    await store({ 'p/a': 'one', 'p/b/c': 'two', 'p/b-': 'three', 'p/empty/': '', other: 'x' })
    expect(await bucket.syncFrom('p/', target)).toMatchObject({ transferred: 3, transferredBytes: 11, failed: 0 })
    expect(await readTree(target)).toEqual({ a: 'one', 'b-': 'three', 'b/c': 'two', empty: '/' })
    expect(await bucket.syncFrom('p/', target)).toMatchObject({ transferred: 0, same: 4 })

    await writeFile(join(target, 'a'), 'eno')
    await chmod(join(target, 'a'), 0o640)
    await utimes(join(target, 'b/c'), 1, 1)
    await writeFile(join(target, 'b-'), 'longer')
    expect(await bucket.syncFrom('p/', target)).toMatchObject({ transferred: 2, same: 2 })
    expect(await readTree(target)).toEqual({ a: 'one', 'b-': 'three', 'b/c': 'two', empty: '/' })
  })

  it('tells two sides that are the same by listings alone where ETags tell of the bytes', async () => {
    await writeTree(source, { a: 'one', b: 'two', c: 'three' })
    await bucket.syncTo(source)
    library.requests()
    await bucket.syncTo(source)
    const isMd5 = (await library.store.head('a')).etag.length === 32
    expect(library.requests()).toEqual(isMd5 ? { list: 1 } : { list: 1, head: 3 })
  })

  it('syncs one file both ways, only when it differs', async () => {
    const file = join(source, 'report.txt')
    await writeFile(file, 'text')
    expect(await bucket.syncTo(file)).toMatchObject({ transferred: 1 })
    expect(await bucket.syncTo(file, 'docs/')).toMatchObject({ transferred: 1 })
    expect(await bucket.syncTo(file, 'docs/other')).toMatchObject({ transferred: 1 })
    expect(await keys()).toEqual(['docs/other', 'docs/report.txt', 'report.txt'])
    expect(await bucket.syncTo(file, 'docs/other')).toMatchObject({ transferred: 0, same: 1 })
    expect(await bucket.info('report.txt')).toMatchObject({ headers: { contentType: 'text/plain' } })

    await mkdir(target)
    expect(await bucket.syncFrom('docs/report.txt', target)).toMatchObject({ transferred: 1 })
    expect(await bucket.syncFrom('docs/report.txt', join(target, 'new/name'))).toMatchObject({ transferred: 1 })
    expect(await readTree(target)).toEqual({ 'new/name': 'text', 'report.txt': 'text' })
    expect(await bucket.syncFrom('docs/report.txt', target)).toMatchObject({ transferred: 0, same: 1 })
    await expect(bucket.syncFrom('docs', target)).rejects.toMatchObject({ kind: 'not-found' })
    await expect(bucket.syncTo(join(source, 'none'))).rejects.toMatchObject({ kind: 'not-found' })
  })

  it('sends files by a list of keys, and leaves nothing else with delete', async () => {
    await writeTree(source, { one: '1', two: '2' })
    await store({ 'p/old': 'x', q: 'y' })
    const files = { 'x/1': join(source, 'one'), 2: join(source, 'two') }
    expect(await bucket.syncFiles(files, 'p', { delete: true })).toMatchObject({ transferred: 2, removed: 1 })
    expect(await keys()).toEqual(['p/2', 'p/x/1', 'q'])
    await expect(bucket.syncFiles({ no: join(source, 'none') })).rejects.toMatchObject({
      result: { failed: 1, failures: [{ key: 'no', action: 'fail' }] },
    })
  })

  it('removes from the store what the folder lacks, and nothing else', async () => {
    await writeTree(source, { a: 'one', 'kept/x': '2' })
    await symlink('/', join(source, 'link'))
    await store({
      'p/a': 'one',
      'p/b': 'gone',
      'p/a/below': 'gone',
      'p/kept/': '',
      'p/lost/': '',
      'p/link': 'hidden',
      'p/link/etc/x': 'hidden',
      'p/../up': 'gone',
      p: 'out',
      'p-': 'out',
    })
    expect(await entriesOf(options => bucket.syncTo(source, 'p', { ...options, delete: true, dryRun: true }))).toEqual([
      'pass over p/link: a symbolic link',
      'remove p/../up: not in the source',
      'remove p/a/below: not in the source',
      'remove p/b: not in the source',
      'remove p/lost/: not in the source',
      expect.stringMatching(/^same p\/a: /),
      'send p/kept/x: new',
    ])
    expect(await keys()).toHaveLength(10)
    expect(await bucket.syncTo(source, 'p', { delete: true })).toMatchObject({ removed: 4, transferred: 1 })
    expect(await keys()).toEqual(['p', 'p-', 'p/a', 'p/kept/', 'p/kept/x', 'p/link', 'p/link/etc/x'])
  })

  it('removes from the folder what the store lacks, never through a link', async () => {
    const outside = join(library.folder, 'outside')
    await writeTree(outside, { precious: 'p' })
    await writeTree(target, { a: 'one', b: 'gone', 'c/d/e': 'gone', 'c/f': '3' })
    await symlink(outside, join(target, 'link'))
    await symlink(join(outside, 'precious'), join(target, 'filelink'))
    await store({ a: 'one', 'c/f': '3' })
    expect(await bucket.syncFrom('', target, { delete: true, dryRun: true })).toMatchObject({ removed: 2, same: 2 })
    expect(await bucket.syncFrom('', target, { delete: true })).toMatchObject({ removed: 2, same: 2 })
    expect(await readTree(target)).toEqual({
      a: 'one',
      'c/f': '3',
      filelink: `-> ${join(outside, 'precious')}`,
      link: `-> ${outside}`,
    })
    expect(await readTree(outside)).toEqual({ precious: 'p' })
  })

  it('removes nothing when the source holds nothing, unless it is told to', async () => {
    await writeTree(target, { a: 'one' })
    await store({ 'p/a': 'one' })
    await expect(bucket.syncTo(source, 'p', { delete: true })).rejects.toMatchObject({ code: 'EmptySource' })
    await expect(bucket.syncFrom('none/', target, { delete: true })).rejects.toMatchObject({ code: 'EmptySource' })
    await expect(bucket.syncFrom('none/', join(target, 'new'))).rejects.toMatchObject({ kind: 'not-found' })
    await expect(bucket.syncTo(join(source, 'none'), 'p', { delete: true })).rejects.toMatchObject({
      kind: 'not-found',
    })
    expect(await keys()).toEqual(['p/a'])
    expect(await readTree(target)).toEqual({ a: 'one', new: '/' })
    const told = { delete: true, allowEmptySource: true }
    expect(await bucket.syncTo(source, 'p', told)).toMatchObject({ removed: 1 })
    expect(await bucket.syncFrom('none/', target, told)).toMatchObject({ removed: 1 })
    expect(await keys()).toEqual([])
    expect(await bucket.syncTo(source, 'p')).toMatchObject({ transferred: 0, removed: 0 })
  })

  it('removes nothing after a failure', async () => {
    const long = 'x'.repeat(200)
    await writeTree(source, { ok: '1', [`${long}/${long}/${long}/${long}/${long}/${long}`]: '2' })
    await store({ old: 'x' })
    const failure = await bucket.syncTo(source, '', { delete: true }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(SyncError)
    expect(failure).toMatchObject({ kind: 'invalid', result: { failed: 1, transferred: 1, removed: 0 } })
    expect(await keys()).toEqual(['ok', 'old'])
  })

  it('writes nothing outside of the folder, whatever keys and links say', async () => {
    const outside = join(library.folder, 'outside')
    await mkdir(outside)
    await mkdir(target)
    await symlink(outside, join(target, 'link'))
    await symlink(join(outside, 'file'), join(target, 'filelink'))
    await mkdir(join(target, 'folder'))
    const bad = {
      'p/../outside/x': '1',
      'p//absolute': '2',
      'p/a//b': '3',
      'p/./dot': '4',
      'p/link/x': '5',
      'p/filelink': '6',
      'p/file': '7',
      'p/file/below': '8',
      'p/slash/': '9',
      'p/folder': '10',
      [`p/${'n'.repeat(256)}`]: '11',
      'p/b/..': '12',
    }
    await store({ ...bad, 'p/file-': 'fine', 'p/good/x': 'fine' })
    const failure = await bucket.syncFrom('p/', target).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(SyncError)
    const { result } = failure as SyncError
    expect(result.failures.map(({ key }) => key).sort()).toEqual(
      Object.keys(bad)
        .filter(key => key !== 'p/file')
        .sort(),
    )
    for (const { reason } of result.failures) expect(reason).not.toContain('\n')
    expect(result).toMatchObject({ transferred: 3, failed: 11 })
    expect(await readTree(outside)).toEqual({})
    expect(await readTree(target)).toEqual({
      file: '7',
      'file-': 'fine',
      filelink: `-> ${join(outside, 'file')}`,
      folder: '/',
      'good/x': 'fine',
      link: `-> ${outside}`,
    })
    const dry = await bucket.syncFrom('p/', target, { dryRun: true }).catch((error: unknown) => error)
    expect(dry).toMatchObject({ result: { failed: 11, same: 3, transferred: 0 } })
  })

  it('changes nothing in a dry run, and tells what it would do', async () => {
    await writeTree(source, { a: 'one', b: 'two' })
    await store({ 'p/a': 'one', 'p/c': 'three' })
    expect(await entriesOf(options => bucket.syncTo(source, 'p', { ...options, dryRun: true, delete: true }))).toEqual([
      'remove p/c: not in the source',
      expect.stringMatching(/^same p\/a: /),
      'send p/b: new',
    ])
    expect(library.requests().put).toBeUndefined()
    expect(await bucket.syncFrom('p/', target, { dryRun: true, delete: true })).toMatchObject({ transferred: 2 })
    await expect(readTree(target)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('sends a large file in parts and knows it again without fetching it', async () => {
    const file = join(source, 'large')
    const bytes = testBytes(12 * MIB)
    await writeFile(file, bytes)
    expect(await bucket.syncTo(file)).toMatchObject({ transferred: 1, transferredBytes: 12 * MIB })
    expect(library.requests()).toMatchObject({ createUpload: 1, part: 3, complete: 1 })
    expect((await contentOf(library.store, 'large')).equals(bytes)).toBe(true)
    expect(await bucket.syncTo(file)).toMatchObject({ same: 1 })
    expect(await bucket.syncFrom('large', join(target, 'large'))).toMatchObject({ transferred: 1 })
    library.requests()
    expect(await bucket.syncFrom('large', join(target, 'large'))).toMatchObject({ same: 1 })
    expect(library.requests().get).toBeUndefined()
    bytes[6 * MIB] = (bytes[6 * MIB] ?? 0) + 1
    await writeFile(file, bytes)
    expect(await bucket.syncTo(file)).toMatchObject({ transferred: 1 })
    expect(await bucket.syncFrom('large', join(target, 'large'))).toMatchObject({ transferred: 1 })
    expect(await bucket.syncFrom('large', join(target, 'large'))).toMatchObject({ same: 1 })
  })

  it('compares the bytes of an object that came in parts of an unknown size', async () => {
    const bytes = testBytes(12 * MIB)
    const upload = await library.store.createUpload('odd')
    const first = await upload.part(1, bytes.subarray(0, 7 * MIB + 1))
    await upload.complete([first, await upload.part(2, bytes.subarray(7 * MIB + 1))])
    await writeFile(join(source, 'odd'), bytes)
    expect(await entriesOf(options => bucket.syncTo(join(source, 'odd'), 'odd', options))).toEqual([
      tellsParts ? 'same odd: same MD5 of its parts' : 'same odd: same content',
    ])
    bytes[3] = (bytes[3] ?? 0) + 1
    await writeFile(join(source, 'odd'), bytes)
    expect(await bucket.syncTo(join(source, 'odd'), 'odd', { dryRun: true })).toMatchObject({ transferred: 1 })
  })

  it('tells how far all and each file are', async () => {
    await writeTree(source, { a: 'x'.repeat(1000), b: 'y'.repeat(3000), same: 'z'.repeat(500) })
    await store({ same: 'z'.repeat(500) })
    const all: (readonly [number, number | undefined, string])[] = []
    const each: (readonly [number, number | undefined, string])[] = []
    await bucket.syncTo(source, '', {
      onProgress: (...news) => all.push(news),
      onFileProgress: (...news) => each.push(news),
    })
    expect(all.at(-1)?.slice(0, 2)).toEqual([4000, 4000])
    expect(each.toSorted((x, y) => x[0] - y[0])).toEqual([
      [1000, 1000, 'a'],
      [3000, 3000, 'b'],
    ])
  })

  it('ends when it is not wanted any more', async () => {
    await writeTree(source, { a: '1' })
    await expect(bucket.syncTo(source, '', { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'aborted' })
    expect(await keys()).toEqual([])
    await rm(source, { recursive: true })
  })

  it('does not say that it is done when it is stopped while it removes', async () => {
    await store({ a: 'one' })
    await writeTree(target, { a: 'one', b: 'gone' })
    const stop = new AbortController()
    const onEntry = ({ action }: SyncEntry) => {
      if (action === 'remove') stop.abort()
    }
    const options = { delete: true, signal: stop.signal, onEntry }
    await expect(bucket.syncFrom('', target, options)).rejects.toMatchObject({ kind: 'aborted' })
  })
})
