import { expect, it } from 'vitest'
import { SILENT } from '../../src/backend/log.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { PartSizes } from '../../src/backend/part-sizes.js'
import { Committer } from '../../src/fs/commit.js'
import { KeptFiles } from '../../src/fs/kept-files.js'
import { retryKept } from '../../src/fs/recovery.js'
import { StagingArea } from '../../src/fs/staging.js'
import { type Harness, harness } from '../support/filesystem-harness.js'
import { contentOf } from '../support/store-tools.js'

const SHA256 = 'a'.repeat(64)

it('a digest in the metadata stays with the bytes that it is of, and goes with them', async () => {
  const store = openMemoryStore('digests')
  await store.put('f', Buffer.from('bytes'), { metadata: { sha256: SHA256, name: 'x' } })
  const h = await harness({ store })
  await h.setattr('f', { mode: 0o600 })
  expect((await store.head('f')).metadata).toMatchObject({ sha256: SHA256, name: 'x' })
  const handle = await h.open('f', { write: true })
  await h.write(handle, 0, Buffer.from('other'))
  await h.closeFile(handle)
  expect((await store.head('f')).metadata).toMatchObject({ name: 'x' })
  expect((await store.head('f')).metadata).not.toHaveProperty('sha256')
  await h.close()
})

it('a digest that a program sets on what it has written stays', async () => {
  const store = openMemoryStore('new-digests')
  const h = await harness({ store })
  const { handle } = await h.create('f')
  await h.write(handle, 0, Buffer.from('bytes'))
  const { node } = await h.walk('f')
  await h.filesystem.setxattr(node, Buffer.from('user.sha256'), Buffer.from(SHA256), undefined, h.context())
  await h.closeFile(handle)
  expect((await store.head('f')).metadata).toMatchObject({ sha256: SHA256 })
  await h.close()
})

it('a digest of bytes that are gone does not come back with the second change', async () => {
  const store = openMemoryStore('old-digests')
  await store.put('f', Buffer.from('bytes'), { metadata: { sha256: SHA256 } })
  const h = await harness({ store })
  const { node } = await h.walk('f')
  await h.filesystem.setxattr(node, Buffer.from('user.note'), Buffer.from('x'), undefined, h.context())
  for (const text of ['one', 'two']) {
    const handle = await h.open('f', { write: true })
    await h.write(handle, 0, Buffer.from(text))
    await h.closeFile(handle)
    expect((await store.head('f')).metadata).toMatchObject({ note: 'x' })
    expect((await store.head('f')).metadata).not.toHaveProperty('sha256')
  }
  await h.close()
})

it.each(['as it is', 'after a change of its attributes'])(
  'a digest of old bytes does not come back with kept bytes, of a file %s',
  async how => {
    const store = openMemoryStore(`kept-digests ${how}`)
    await store.put('f', Buffer.from('bytes'), { metadata: { sha256: SHA256, name: 'x' } })
    const h = await harness({ store })
    const { node } = await h.walk('f')
    expect(await h.filesystem.getxattr(node, Buffer.from('user.sha256'), h.context())).toEqual(Buffer.from(SHA256))
    const handle = await h.open('f', { write: true })
    if (how !== 'as it is')
      await h.filesystem.setxattr(node, Buffer.from('user.note'), Buffer.from('y'), undefined, h.context())
    await h.write(handle, 0, Buffer.from('other'))
    h.killed.set(1, 9)
    await h.filesystem.flush(handle, h.context())
    await h.filesystem.release(handle)
    h.killed.delete(1)
    expect(await h.stored('f')).toBe('bytes')
    await storeKept(h)
    expect((await contentOf(store, 'f')).toString()).toBe('other')
    const { metadata } = await store.head('f')
    expect(metadata).toMatchObject({ name: 'x' })
    expect(metadata).not.toHaveProperty('sha256')
    await h.close()
  },
)

/** As `mount-bucket recover retry` does. */
async function storeKept({ folder, store }: Harness): Promise<void> {
  const source = { url: 'mem://harness' }
  const area = await StagingArea.beside({ folder, source, maxBytes: 1e9, maxKeptBytes: 1e9, log: SILENT })
  const sizes = new PartSizes(5 * 1024 ** 2)
  const committer = new Committer({ store, area, sizes, concurrency: 1, nowMs: () => 0 })
  const kept = new KeptFiles(folder)
  const { signal } = new AbortController()
  for (const file of await kept.list())
    await kept.alone(file, data => retryKept(file, data, { store, area, committer }, { force: false, signal }))
}
