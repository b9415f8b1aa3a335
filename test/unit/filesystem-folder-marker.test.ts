import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openLocalStore } from '../../src/backend/local/local-store.js'
import { SILENT } from '../../src/backend/log.js'
import { harness } from '../support/filesystem-harness.js'

it('a folder that the kernel has forgotten shows what this mount set last, though its listing is older', async () => {
  // Its ETags tell markers apart.
  const folder = await mkdtemp(join(tmpdir(), 'mount-bucket-test-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const h = await harness({ store: await openLocalStore(folder, { log: SILENT }) })
  await h.mkdir('d')
  await h.putOutside('d/f', 'text')
  // Known from here on: the folder's own object as it is now.
  expect(await h.list('d')).toEqual(['f'])
  const mtime = { seconds: 1_000_000_000, nanoseconds: 5 }
  await h.setattr('d', { mtime, atime: mtime })
  const { node } = await h.walk('d')
  h.filesystem.forget(node, 100)
  await h.list('d')
  const { attributes } = await h.walk('d')
  expect(attributes.mtime).toEqual(mtime)
})
