import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { digestIn, withoutDigests } from '../../src/backend/content-digests.js'
import { openLocalStore } from '../../src/backend/local/local-store.js'
import { temporaryFolder } from '../support/store-folders.js'

const SHA256 = 'a'.repeat(64)
const SHA1 = 'b'.repeat(40)

it('finds the strongest digest that is one', () => {
  expect(digestIn({ sha1: SHA1, sha256: SHA256.toUpperCase() })).toEqual({ name: 'sha256', hex: SHA256 })
  expect(digestIn({ sha1: SHA1, sha256: 'none' })).toEqual({ name: 'sha1', hex: SHA1 })
  expect(digestIn({ other: SHA1, sha256: SHA1 })).toBeUndefined()
})

it('leaves out the digests of other bytes and nothing else', () => {
  const metadata = { sha256: SHA256, sha1: SHA1, name: 'x' }
  expect(withoutDigests(metadata)).toEqual({ name: 'x' })
  expect(withoutDigests(metadata, { sha256: SHA256, sha1: 'old' })).toEqual({ sha1: SHA1, name: 'x' })
  const none = { name: 'x' }
  expect(withoutDigests(none)).toBe(none)
})

it.each([true, false])(
  'a file of a local store that others changed has none (extended attributes: %s)',
  async useXattrs => {
    const folder = await temporaryFolder()
    const store = await openLocalStore(folder.path, { useXattrs })
    await store.put('file', Buffer.from('bytes'), { metadata: { sha256: SHA256, name: 'x' } })
    expect((await store.head('file')).metadata).toEqual({ sha256: SHA256, name: 'x' })
    await writeFile(join(folder.path, 'file'), 'other')
    expect((await store.head('file')).metadata).not.toHaveProperty('sha256')
    await folder.remove()
  },
)
