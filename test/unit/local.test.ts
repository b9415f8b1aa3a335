import { execFileSync } from 'node:child_process'
import { lstat, mkdir, readdir, readFile, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type LocalStoreOptions, openLocalStore } from '../../src/backend/local/local-store.js'
import { temporaryFolder } from '../support/store-folders.js'
import { collect, contentOf, kindOf, listAll, PiecewiseSink, testBytes, text } from '../support/store-tools.js'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.remove())

const open = (options?: LocalStoreOptions) => openLocalStore(folder.path, options)
const at = (...names: string[]) => join(folder.path, ...names)

async function keysOf(store: Awaited<ReturnType<typeof open>>, prefix = ''): Promise<string[]> {
  return (await listAll(store, { prefix })).names
}

describe('opening', () => {
  it('needs a folder that exists, unless it may make it', async () => {
    await expect(openLocalStore(at('a/b'))).rejects.toMatchObject({ kind: 'unavailable', retryable: false })
    await writeFile(at('file'), '')
    expect(await kindOf(openLocalStore(at('file')))).toBe('unavailable')
    const store = await openLocalStore(at('a/b'), { create: true })
    expect(store.url).toBe(`file://${at('a/b')}`)
    expect(await store.list()).toStrictEqual({ objects: [], prefixes: [] })
  })

  it('refuses a folder of a newer format', async () => {
    await open()
    await writeFile(at('.mount-bucket/format'), '2\n')
    await expect(open()).rejects.toMatchObject({ kind: 'unsupported', message: expect.stringContaining('format 2') })
  })

  it('removes temporary files of killed programs after a day', async () => {
    await open()
    await writeFile(at('.mount-bucket/tmp/old'), 'x')
    await writeFile(at('.mount-bucket/tmp/new'), 'x')
    const nowMs = Date.now()
    await utimes(at('.mount-bucket/tmp/old'), new Date(nowMs - 86_500_000), new Date(nowMs - 86_500_000))
    await open({ nowMs: () => nowMs })
    expect(await readdir(at('.mount-bucket/tmp'))).toStrictEqual(['new'])
  })
})

describe('plain files', () => {
  it('are what ordinary keys become', async () => {
    const store = await open()
    await store.put('dir/sub dir/ä&%.txt', text('x'))
    expect(await readFile(at('dir/sub dir/ä&%.txt'), 'utf8')).toBe('x')
    expect((await readdir(folder.path)).sort()).toStrictEqual(['.mount-bucket', 'dir'])
    expect(await readdir(at('.mount-bucket/tmp'))).toStrictEqual([])
  })

  it('that other programs put there are objects', async () => {
    const store = await open()
    await mkdir(at('photos/2024'), { recursive: true })
    await writeFile(at('photos/2024/a.jpg'), 'jpeg')
    await writeFile(at('b'), '')
    expect(await keysOf(store)).toStrictEqual(['b', 'photos/2024/a.jpg'])
    const head = await store.head('photos/2024/a.jpg')
    expect(head).toMatchObject({ sizeBytes: 4, metadata: {}, headers: {} })
    expect((await store.list({ prefix: 'photos/' })).objects[0]?.etag).toBe(head.etag)
    expect((await contentOf(store, 'photos/2024/a.jpg')).toString()).toBe('jpeg')
    const { etag } = await store.put('photos/2024/a.jpg', text('new'), { ifMatch: head.etag })
    expect(etag).not.toBe(head.etag)
    await store.delete([{ key: 'photos/2024/a.jpg' }])
    expect(await readdir(at('photos/2024')), 'a folder of another program stays').toStrictEqual([])
  })

  it('get another ETag when another program changes them, and keep their metadata', async () => {
    const store = await open()
    const { etag } = await store.put('key', text('one'), { metadata: { a: '1' } })
    await writeFile(at('key'), 'two')
    const changed = await store.head('key')
    expect(changed).toMatchObject({ sizeBytes: 3, metadata: { a: '1' } })
    expect(changed.etag).not.toBe(etag)
    expect(await kindOf(store.get('key', { ifMatch: etag }))).toBe('precondition-failed')
    expect((await store.list()).objects[0]?.etag).toBe(changed.etag)
    await utimes(at('key'), new Date(0), new Date(0))
    expect((await store.head('key')).etag).not.toBe(changed.etag)
  })

  it('keep their ETag when they are renamed', async () => {
    const store = await open()
    const { etag } = await store.put('one', text('x'), { metadata: { a: '1' } })
    await rename(at('one'), at('two'))
    expect(await store.head('two')).toMatchObject({ etag, metadata: { a: '1' } })
  })

  it('are replaced, not written into: a reader keeps its version', async () => {
    const store = await open()
    const bytes = testBytes(1_000_000)
    await store.put('key', bytes)
    const { body } = await store.get('key')
    const iterator = body[Symbol.asyncIterator]()
    const first = await iterator.next()
    await store.put('key', text('new'))
    const rest = await collect({ [Symbol.asyncIterator]: () => iterator })
    expect(Buffer.concat([Buffer.from(first.value ?? []), rest]).equals(bytes)).toBe(true)
  })

  it('are not read half when another program changes them meanwhile', async () => {
    const store = await open()
    await store.put('key', testBytes(1_000_000))
    const read = async () => {
      for await (const _ of (await store.get('key')).body) await truncate(at('key'), 900_000)
    }
    expect(await kindOf(read())).toBe('precondition-failed')
    const { etag } = await store.head('key')
    const plan = await store.prepareRead('key', { offset: 0, lengthBytes: 900_000 }, { ifMatch: etag })
    await utimes(at('key'), new Date(0), new Date(0))
    expect(await kindOf(plan.run(new PiecewiseSink(900_000, [900_000])))).toBe('precondition-failed')
  })

  it('that are links lead nowhere', async () => {
    const store = await open()
    const outside = await temporaryFolder()
    await writeFile(join(outside.path, 'secret'), 'secret')
    await symlink(outside.path, at('folder'))
    await symlink(join(outside.path, 'secret'), at('file'))
    expect(await keysOf(store)).toStrictEqual([])
    expect(await kindOf(store.get('file'))).toBe('not-found')
    expect(await kindOf(store.get('folder/secret'))).toBe('not-found')
    expect(await keysOf(store, 'folder/')).toStrictEqual([])
    await store.put('folder/secret', text('mine'))
    await store.put('file', text('mine'), { ifNoneMatch: '*' })
    expect(await keysOf(store)).toStrictEqual(['file', 'folder/secret'])
    await store.delete([{ key: 'folder/secret' }, { key: 'file' }])
    expect(await readFile(join(outside.path, 'secret'), 'utf8')).toBe('secret')
    expect((await lstat(at('file'))).isSymbolicLink()).toBe(true)
    await outside.remove()
  })
})

describe('folders', () => {
  it('go with their last object, if the store made them', async () => {
    const store = await open()
    await mkdir(at('theirs'))
    await store.put('theirs/ours/deep/x', text('x'))
    await store.put('theirs/ours/y', text('x'))
    await store.delete([{ key: 'theirs/ours/deep/x' }])
    expect(await readdir(at('theirs/ours'))).toStrictEqual(['y'])
    await store.delete([{ key: 'theirs/ours/y' }])
    expect(await readdir(at('theirs'))).toStrictEqual([])
  })

  it('that are empty are not listed', async () => {
    const store = await open()
    await mkdir(at('empty/very'), { recursive: true })
    expect(await store.list({ delimiter: '/' })).toStrictEqual({ objects: [], prefixes: [] })
  })

  it('come and go under writers without losing an object', async () => {
    const stores = [await open(), await open()]
    const work = async (n: number) => {
      const store = stores[n % 2] ?? (await open())
      for (let i = 0; i < 30; i++) {
        await store.put(`a/b/${n}`, text('x'))
        await store.delete([{ key: `a/b/${n}` }])
      }
      await store.put(`a/b/${n}`, text(`${n}`))
    }
    await Promise.all([0, 1, 2, 3].map(work))
    expect(await keysOf(await open())).toStrictEqual(['a/b/0', 'a/b/1', 'a/b/2', 'a/b/3'])
  })
})

describe('keys that no file can carry', () => {
  it('are kept out of sight', async () => {
    const store = await open()
    const keys = [
      '.mount-bucket',
      '.mount-bucket/format',
      '.mount-bucket/tmp/x',
      'nul\0',
      '../up',
      '/lead',
      'a//b',
      'a/',
    ]
    for (const key of keys) await store.put(key, text(key))
    expect((await readdir(folder.path)).sort()).toStrictEqual(['.mount-bucket'])
    expect(await keysOf(store)).toStrictEqual([...keys].sort())
    for (const key of keys) expect((await contentOf(store, key)).toString()).toBe(key)
    expect(await readFile(at('.mount-bucket/format'), 'utf8')).toBe('1\n')
    await store.delete(keys.map(key => ({ key })))
    expect(await keysOf(store)).toStrictEqual([])
    expect(await readdir(at('.mount-bucket/keys'))).toStrictEqual([])
  })

  it('go to their plain place as soon as it is free', async () => {
    const store = await open()
    await store.put('a/b', text('b'))
    await store.put('a', text('first'))
    expect((await lstat(at('a'))).isDirectory()).toBe(true)
    await store.delete([{ key: 'a/b' }])
    expect((await contentOf(store, 'a')).toString()).toBe('first')
    await store.put('a', text('second'))
    expect(await readFile(at('a'), 'utf8')).toBe('second')
    await store.delete([{ key: 'a' }])
    expect(await kindOf(store.head('a'))).toBe('not-found')
  })

  it('are in their place among the others, page by page', async () => {
    const store = await open()
    const names = [
      'a',
      'a-b',
      'a/',
      'a/b',
      'a/b/',
      'a/b/c',
      'a//',
      'a//x',
      'a.txt',
      'aa',
      `a${'x'.repeat(300)}`,
      'b/%',
      '%00',
    ]
    const long = 'y'.repeat(400)
    const keys = [...names, `${long}/${long}`, `${long}/z`, long, `${long}.`]
    for (const key of keys) await store.put(key, text('x'))
    const expected = keys.toSorted()
    expect(await keysOf(store)).toStrictEqual(expected)
    for (const limit of [1, 2, 5]) expect((await listAll(store, { limit })).names).toStrictEqual(expected)
    for (const startAfter of expected)
      expect((await listAll(store, { startAfter })).names).toStrictEqual(
        expected.slice(expected.indexOf(startAfter) + 1),
      )
  })
})

describe('what is kept beside the bytes', () => {
  it('is in an attribute that other tools see', async () => {
    const store = await open()
    await store.put('key', text('x'), { metadata: { a: '1' } })
    const value = execFileSync('getfattr', [
      '--absolute-names',
      '--only-values',
      '-n',
      'user.mount-bucket',
      at('key'),
    ]).toString()
    expect(JSON.parse(value)).toMatchObject({ metadata: { a: '1' } })
    expect(await readdir(at('.mount-bucket'))).not.toContain('side')
  })

  it('goes to a side file when it is too much for the disk, and away with its object', async () => {
    const store = await open({ useXattrs: false })
    await store.put('key', text('x'), { metadata: { a: '1' } })
    const sides = async () => (await readdir(at('.mount-bucket/side'))).length
    expect(await sides()).toBe(1)
    await store.put('key', text('y'), { metadata: { b: '2' } })
    expect(await sides()).toBe(1)
    await store.copy('key', 'key', { metadata: { c: '3' } })
    await rename(at('key'), at('moved'))
    expect(await store.head('moved')).toMatchObject({ metadata: { c: '3' } })
    await store.delete([{ key: 'moved' }])
    expect(await sides()).toBe(0)
  })

  it('is read by a store that may use attributes where one that may not has written', async () => {
    const [side, xattrs] = [await open({ useXattrs: false }), await open()]
    const { etag } = await side.put('key', text('x'), { metadata: { a: '1' } })
    expect(await xattrs.head('key')).toMatchObject({ etag, metadata: { a: '1' } })
    const copied = await xattrs.copy('key', 'key', { metadata: { a: '2' } })
    expect(await readdir(at('.mount-bucket/side'))).toStrictEqual([])
    expect(await xattrs.head('key')).toMatchObject({ etag: copied.etag, metadata: { a: '2' } })
  })

  it('holds 8 KiB of metadata', async () => {
    const store = await open()
    const metadata = { a: 'x'.repeat(8000), 'b-c': '"\\\n' }
    await store.put('key', text('x'), { metadata })
    expect((await store.head('key')).metadata).toStrictEqual(metadata)
    await store.copy('key', 'key', { metadata: { small: '1' } })
    expect((await store.head('key')).metadata).toStrictEqual({ small: '1' })
    await store.copy('key', 'key', { metadata })
    expect((await store.head('key')).metadata).toStrictEqual(metadata)
    expect(await kindOf(store.put('key', text('x'), { metadata: { a: 'x'.repeat(9000) } }))).toBe('invalid')
  })
})

describe('several stores on one folder', () => {
  it('decide conditions together', async () => {
    const stores = [await open(), await open(), await open()]
    const all = Array.from({ length: 30 }, (_, n) => n)
    const storeOf = (n: number) => stores[n % 3] ?? stores[0]
    const created = await Promise.all(
      all.map(n => kindOf(storeOf(n)?.put('key', text(`${n}`), { ifNoneMatch: '*' }) ?? Promise.reject(new Error()))),
    )
    expect(created.filter(kind => kind === 'resolved')).toHaveLength(1)
    let counter = 0
    const increment = async (n: number) => {
      const store = storeOf(n)
      for (;;) {
        const head = await store?.head('key')
        const kind = await kindOf(store?.put('key', text(`${counter}`), { ifMatch: head?.etag }) ?? Promise.resolve())
        if (kind === 'resolved') return void counter++
        expect(kind).toBe('precondition-failed')
      }
    }
    await Promise.all(all.slice(0, 12).map(increment))
    expect(counter).toBe(12)
  })

  it('go on with uploads of each other', async () => {
    const [one, two] = [await open({ minPartBytes: 1 }), await open({ minPartBytes: 1 })]
    const upload = await one.createUpload('dir/key', { metadata: { a: '1' } })
    const first = await upload.part(1, text('one '))
    const [pending] = await two.listUploads()
    expect(pending).toMatchObject({ key: 'dir/key', uploadId: upload.uploadId })
    const second = await two.resumeUpload('dir/key', upload.uploadId).part(2, text('two'))
    expect(await one.listParts('dir/key', upload.uploadId)).toStrictEqual([first, second])
    await two.resumeUpload('dir/key', upload.uploadId).complete([first, second])
    expect(await one.head('dir/key')).toMatchObject({ sizeBytes: 7, metadata: { a: '1' } })
    expect(await readdir(at('.mount-bucket/uploads'))).toStrictEqual([])
    expect(await kindOf(one.resumeUpload('dir/key', '../../x').part(1, text('x')))).toBe('no-such-upload')
  })
})

describe('failures of the disk', () => {
  it('say that the folder is gone, not the object', async () => {
    const store = await open()
    await store.put('key', text('x'))
    await rm(folder.path, { recursive: true })
    expect(await kindOf(store.put('key', text('x')))).toBe('unavailable')
    expect(await kindOf(store.head('key'))).toBe('unavailable')
    expect(await kindOf(store.list())).toBe('unavailable')
    await mkdir(folder.path)
  })

  it('are errors of the disk', async () => {
    const { toStoreError } = await import('../../src/backend/local/local-errors.js')
    const kinds = (code: string) => {
      const { kind, retryable } = toStoreError(Object.assign(new Error(code), { code }), 'put', 'key')
      return `${kind}${retryable ? ', again' : ''}`
    }
    expect(kinds('ENOSPC')).toBe('unavailable')
    expect(kinds('EROFS')).toBe('denied')
    expect(kinds('EACCES')).toBe('denied')
    expect(kinds('EMFILE')).toBe('unavailable, again')
    expect(kinds('ENOENT')).toBe('unavailable')
  })
})

it('lists a large folder page by page without reading it anew', async () => {
  await mkdir(at('many'))
  const names = Array.from({ length: 5000 }, (_, n) => `many/${String(n).padStart(5, '0')}`)
  for (const name of names) await writeFile(at(name), '')
  const future = Date.now() + 60_000
  const store = await open({ nowMs: () => future })
  expect((await listAll(store, { prefix: 'many/', limit: 100 })).names).toStrictEqual(names)
  await writeFile(at('many/00000a'), '')
  expect((await store.list({ prefix: 'many/', limit: 2 })).objects[1]?.key).toBe('many/00000a')
})
