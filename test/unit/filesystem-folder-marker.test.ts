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

it('a folder that the kernel has forgotten shows when its mode or times were last set', async () => {
  const h = await harness()
  for (const changes of [{ mode: 0o700 }, { mtime: { seconds: 5, nanoseconds: 6 } }]) {
    const name = Object.keys(changes).join()
    await h.mkdir(name)
    await h.writeFile(`${name}/f`, 'text')
    h.nowMs += 1000
    await h.setattr(name, changes)
    const { node, attributes } = await h.walk(name)
    expect(attributes.ctime.seconds).toBe(Math.floor(h.nowMs / 1000))
    h.filesystem.forget(node, 100)
    expect((await h.walk(name)).attributes).toEqual({ ...attributes, atime: expect.anything() })
    h.nowMs += 1000
    await h.writeFile(`${name}/g`, 'text')
    const later = (await h.walk(name)).attributes
    expect(later.ctime).toEqual(later.mtime)
  }
})
