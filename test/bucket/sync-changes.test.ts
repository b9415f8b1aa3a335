import { appendFile, mkdir, readdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { StoreLayer } from '../../src/backend/layers/store-layer.js'
import type { Body, ObjectInfo, ObjectStore, PutOptions, Upload } from '../../src/backend/object-store.js'
import { type LibraryBucket, type LibraryOptions, libraryStores } from '../support/library-stores.js'
import { contentOf, testBytes } from '../support/store-tools.js'

const MIB = 1024 * 1024

/** Something happens when the store is just about to receive bytes. */
class BusyStore extends StoreLayer {
  readonly #happens: () => Promise<void>

  constructor(inner: ObjectStore, happens: () => Promise<void>) {
    super(inner)
    this.#happens = happens
  }

  override async put(key: string, body: Body, options?: PutOptions) {
    await this.#happens()
    return this.inner.put(key, body, options)
  }

  override async createUpload(key: string, options?: Parameters<ObjectStore['createUpload']>[1]): Promise<Upload> {
    const upload = await this.inner.createUpload(key, options)
    await this.#happens()
    return upload
  }
}

/** Something happens when the store is asked about an object, after the folder was looked at and before it is written to. */
class AskedStore extends StoreLayer {
  readonly #happens: () => Promise<void>

  constructor(inner: ObjectStore, happens: () => Promise<void>) {
    super(inner)
    this.#happens = happens
  }

  override async head(key: string): Promise<ObjectInfo> {
    await this.#happens()
    return this.inner.head(key)
  }
}

/** A store that gives other ETags than MD5s, as with keys of a key service. */
class KmsStore extends StoreLayer {
  override async head(key: string): Promise<ObjectInfo> {
    return { ...(await this.inner.head(key)), encryption: { algorithm: 'aws:kms' } }
  }
}

describe.each(await libraryStores())('files that change, and objects that do not tell, with %s', (name, open) => {
  let library: LibraryBucket
  afterEach(() => library.dispose())

  async function withFile(options: LibraryOptions, bytes: Uint8Array): Promise<string> {
    library = await open(options)
    await mkdir(join(library.folder, 'source'))
    const file = join(library.folder, 'source/file')
    await writeFile(file, bytes)
    return file
  }

  it.each([
    ['streamed', 3 * MIB],
    ['in parts', 12 * MIB],
  ])('a %s file that is written while it is sent fails, and the object stays', async (_, sizeBytes) => {
    let change = async () => {}
    const before = testBytes(sizeBytes)
    const file = await withFile({ layer: inner => new BusyStore(inner, () => change()) }, before)
    for (const breaking of [() => writeFile(file, testBytes(sizeBytes, 2)), () => truncate(file, sizeBytes / 2)]) {
      await writeFile(file, before)
      await library.store.put('file', Buffer.from('old'))
      change = breaking
      await expect(library.bucket.syncTo(file, 'file')).rejects.toMatchObject({
        kind: 'precondition-failed',
        result: { failed: 1 },
      })
      expect((await contentOf(library.store, 'file')).toString()).toBe('old')
      expect(await library.store.listUploads()).toEqual([])
    }
    // What is appended is not part of the version that is on its way.
    await writeFile(file, before)
    change = () => appendFile(file, 'x')
    expect(await library.bucket.syncTo(file, 'file')).toMatchObject({ transferredBytes: sizeBytes })
    expect((await contentOf(library.store, 'file')).equals(before)).toBe(true)
  })

  it('goes by the stored digest where ETags tell nothing, unless that may be of other bytes', async () => {
    const file = await withFile({ layer: inner => new KmsStore(inner) }, Buffer.from('bytes'))
    await library.bucket.syncTo(file, 'file')
    const { metadata, headers } = await library.store.head('file')
    expect(metadata).toEqual({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) })
    // The ETag is passed over, as is its likeness to the file's MD5.
    await library.store.put('file', Buffer.from('other'), { metadata, headers })
    library.requests()
    expect(await library.bucket.syncTo(file, 'file')).toMatchObject({ same: 1 })
    expect(library.requests()).toEqual({ head: 2 })
    await library.store.put('file', Buffer.from('other'), { metadata: { ...metadata, mtime: '1' }, headers })
    expect(await library.bucket.syncTo(file, 'file')).toMatchObject({ transferred: 1 })
    await library.store.put('file', Buffer.from('bytes'), { metadata: { sha1: 'a'.repeat(40) } })
    const isMd5 = name !== 'a local folder'
    expect(await library.bucket.syncTo(file, 'file')).toMatchObject(isMd5 ? { same: 1 } : { transferred: 1 })
    await library.store.put('file', Buffer.from('other'), { metadata: {} })
    expect(await library.bucket.syncTo(file, 'file')).toMatchObject({ transferred: 1 })
  })

  it('does not believe a stored digest that an MD5 contradicts', async () => {
    const file = await withFile({}, Buffer.from('bytes'))
    await library.bucket.syncTo(file, 'file')
    const { metadata } = await library.store.head('file')
    await library.store.put('file', Buffer.from('other'), { metadata })
    const isMd5 = name !== 'a local folder'
    expect(await library.bucket.syncTo(file, 'file')).toMatchObject(isMd5 ? { transferred: 1 } : { same: 1 })
  })

  it('fetches nothing through links that come while it is looked at what differs', async () => {
    let change = async () => {}
    library = await open({ layer: inner => new AskedStore(inner, () => change()) })
    const [target, outside] = [join(library.folder, 'target'), join(library.folder, 'outside')]
    await library.store.put('p/sub/file', Buffer.from('bytes'))
    const links = [
      async () => {
        await rename(join(target, 'sub'), join(target, 'before'))
        await symlink(outside, join(target, 'sub'))
      },
      async () => {
        await rm(join(target, 'sub/file'))
        await symlink(join(outside, 'file'), join(target, 'sub/file'))
      },
    ]
    for (const link of links) {
      for (const folder of [target, outside]) await rm(folder, { recursive: true, force: true })
      await mkdir(join(target, 'sub'), { recursive: true })
      await writeFile(join(target, 'sub/file'), 'other')
      await mkdir(outside)
      await writeFile(join(outside, 'file'), 'kept')
      change = link
      await expect(library.bucket.syncFrom('p/', target)).rejects.toMatchObject({ result: { failed: 1 } })
      expect(await readFile(join(outside, 'file'), 'utf8')).toBe('kept')
      expect(await readdir(outside)).toEqual(['file'])
    }
  })
})
