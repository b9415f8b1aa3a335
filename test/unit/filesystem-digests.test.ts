import { expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { harness } from '../support/filesystem-harness.js'

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
