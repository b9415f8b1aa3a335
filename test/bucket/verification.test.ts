import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { libraryStores } from '../support/library-stores.js'

describe.each(await libraryStores())('what is fetched from %s is checked', (name, open) => {
  const tellsMd5 = name !== 'a local folder'

  it('by what is surely of the bytes', async () => {
    const { bucket, store, folder, dispose } = await open()
    const sha256 = 'a'.repeat(64)
    await store.put('stale', Buffer.from('bytes'), { metadata: { sha256 } })
    const fetched = bucket.getFile('stale', join(folder, 'stale'))
    if (tellsMd5) await fetched
    else await expect(fetched).rejects.toMatchObject({ kind: 'corrupt' })
    await store.put('touched', Buffer.from('bytes'), { metadata: { sha256, mtime: '1' } })
    await bucket.getFile('touched', join(folder, 'touched'))
    expect(await readFile(join(folder, 'touched'), 'utf8')).toBe('bytes')
    await dispose()
  })
})
