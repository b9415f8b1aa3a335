import { describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { setMetadata } from '../../src/bucket/metadata.js'
import { harness } from '../support/filesystem-harness.js'
import { LongCopies } from '../support/long-copies.js'

let buckets = 0

function longCopies(): LongCopies {
  return new LongCopies(openMemoryStore(`attribute-races-${++buckets}`))
}

describe('what others store while attributes are changed', () => {
  it('is not replaced by what it has replaced', async () => {
    const store = longCopies()
    const h = await harness({ store })
    await h.writeFile('f', 'text')
    const { node } = await h.walk('f')
    store.whileCopying = () => store.put('f', Buffer.from('theirs'))
    await expect(h.filesystem.setattr(node, { mode: 0o600 }, undefined, h.context())).rejects.toMatchObject({
      kind: 'precondition-failed',
    })
    expect(await h.stored('f')).toBe('theirs')
  })

  it('gets the metadata that was to be set', async () => {
    const store = longCopies()
    await store.put('f', Buffer.from('text'))
    store.whileCopying = async () => {
      store.whileCopying = async () => undefined
      await store.put('f', Buffer.from('theirs'))
    }
    await setMetadata(store, 'f', { colour: 'blue' })
    expect(await store.head('f')).toMatchObject({ sizeBytes: 6, metadata: { colour: 'blue' } })
  })
})
