import { describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { FolderTimes } from '../../src/cache/folder-times.js'
import { KnownVersions } from '../../src/cache/known-versions.js'
import { MetadataCache } from '../../src/cache/metadata-cache.js'
import { errnoOf } from '../../src/fs/fs-error.js'
import { ROOT_NODE } from '../../src/fs/operations.js'
import { type Harness, type HarnessOptions, harness, openFlags } from '../support/filesystem-harness.js'
import { GatedStore } from '../support/gated-store.js'

let buckets = 0

/** A filesystem whose store holds single calls. */
async function gated(options: HarnessOptions = {}): Promise<{ h: Harness; store: GatedStore }> {
  buckets += 1
  const store = new GatedStore(openMemoryStore(`review-tree-${buckets}`))
  return { h: await harness({ store, ...options }), store }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(resolve => setImmediate(resolve))
}

const permissions = async (h: Harness, path: string) => (await h.walk(path)).attributes.mode & 0o7777

describe('a listing that no longer counts', () => {
  it('does not say what stands beside a folder that is made', async () => {
    const h = await harness()
    await h.putOutside('x', 'of others')
    await h.putOutside('y', 'y')
    await h.list('')
    await h.store.delete([{ key: 'x' }])
    h.nowMs += 11_000
    await h.mkdir('x')
    expect(await h.list('x')).toEqual([])
    await h.rmdir('x')
    expect(await h.list('')).toEqual(['y'])
  })

  it('does not say that a new file is a folder', async () => {
    const h = await harness()
    await h.putOutside('x/below', 'of others')
    await h.list('')
    await h.store.delete([{ key: 'x/below' }])
    h.nowMs += 11_000
    await h.writeFile('x', 'new')
    expect((await h.readFile('x')).toString()).toBe('new')
  })

  it('does not grow with the files that are made', async () => {
    const store = openMemoryStore('review-tree-growth')
    let nowMs = 0
    const cache = new MetadataCache({ store, clock: { nowMs: () => nowMs }, ttlMs: 1000, maxEntries: 100 })
    const inUse = cache.listing('')
    await inUse.listing.more()
    cache.keep(inUse)
    nowMs = 2000
    for (let i = 0; i < 500; i++)
      cache.stored({ key: `${i}`, sizeBytes: 1, etag: 'e', lastModifiedMs: 0, metadata: {}, headers: {} })
    expect(inUse.listing.entries.length).toBe(0)
  })
})

describe('attributes that others change', () => {
  it('of a folder show after the TTL', async () => {
    const h = await harness()
    await h.store.put('d/', new Uint8Array(0), { metadata: { mode: String(0o40755) } })
    expect(await permissions(h, 'd')).toBe(0o755)
    h.nowMs += 11_000
    await h.store.put('d/', new Uint8Array(0), { metadata: { mode: String(0o40700) } })
    expect(await permissions(h, 'd')).toBe(0o700)
  })

  it('of a folder show once it was read, where its name is known from a listing', async () => {
    const clock = { nowMs: 1_700_000_000_000 }
    const known = new KnownVersions(1000, { nowMs: () => clock.nowMs })
    const h = await harness({ known, startMs: clock.nowMs })
    await h.mkdir('d')
    await h.setattr('d', { mode: 0o750 })
    clock.nowMs += 11_000
    h.nowMs = clock.nowMs
    await h.store.put('d/', new Uint8Array(0), { metadata: { mode: String(0o40700) } })
    await h.list('')
    await h.list('d')
    await h.list('d')
    expect(await permissions(h, 'd')).toBe(0o700)
  })

  it('of a file that is open for writing do not fail its close', async () => {
    const h = await harness()
    await h.putOutside('f', 'bytes')
    const handle = await h.open('f', { write: true })
    h.nowMs += 11_000
    await h.store.copy('f', 'f', { metadata: { mode: String(0o100600), team: 'red' } })
    await h.walk('f')
    await h.write(handle, 0, Buffer.from('BYTES'))
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('BYTES')
    expect((await h.store.head('f')).metadata).toMatchObject({ mode: String(0o100600), team: 'red' })
  })

  it('nor where only a listing tells that something has changed', async () => {
    const h = await harness()
    await h.putOutside('f', 'bytes')
    const handle = await h.open('f', { write: true })
    h.nowMs += 11_000
    await h.store.copy('f', 'f', { metadata: { mode: String(0o100600), mtime: '5' } })
    await h.list('', 7, true)
    await h.write(handle, 0, Buffer.from('BYTES'))
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('BYTES')
    expect((await h.walk('f')).attributes.mtime.seconds).toBe(h.nowMs / 1000)
  })
})

describe('two programs that open a file that was never looked at', () => {
  it('learn it once: what one of them writes keeps its time', async () => {
    const { h, store } = await gated()
    await h.store.put('f', Buffer.from('bytes'), { metadata: { mtime: '1000' } })
    const { node } = await h.walk('f')
    h.filesystem.forget(node, 1)
    await h.list('', 7, true)
    // Only the listing is known.
    h.nowMs += 11_000
    const h2 = await harness({ store })
    await h2.list('', 7, true)
    const entry = await h2.walk('f')
    const slow = store.hold('get', 'after')
    const late = h2.filesystem.open(entry.node, openFlags({}), h2.context())
    await slow.reached
    const writer = (await h2.filesystem.open(entry.node, openFlags({ write: true }), h2.context())).handle
    await h2.write(writer, 0, Buffer.from('B'))
    slow.open()
    await h2.filesystem.release((await late).handle)
    await h2.closeFile(writer)
    expect((await h2.store.head('f')).metadata.mtime).toBeUndefined()
    expect((await h2.walk('f')).attributes.mtime.seconds).toBe(h2.nowMs / 1000)
  })
})

describe('a name that is looked up while this mount changes it', () => {
  it('leads to the renamed file, also when it was gone already', async () => {
    const { h, store } = await gated()
    await h.writeFile('a', 'bytes')
    await h.walk('a')
    h.nowMs += 11_000
    const removal = store.hold('delete', 'after')
    const renamed = h.rename('a', 'b')
    await removal.reached
    h.nowMs += 11_000
    await h.tryWalk('a')
    removal.open()
    await renamed
    expect((await h.walk('b')).attributes.nlink).toBe(1)
    expect((await h.readFile('b')).toString()).toBe('bytes')
  })
})

describe('a name that is looked up before this mount has changed it, and answered after', () => {
  it('is not what it was when a rename over it has begun', async () => {
    const { h, store } = await gated({ metadataTtlMs: 0 })
    await h.putOutside('from', 'new bytes')
    await h.putOutside('to', 'old')
    const from = await h.walk('from')
    const { node } = await h.walk('to')
    expect(from.node).not.toBe(node)
    const copying = store.hold('copy', 'before')
    const removal = store.hold('delete', 'after')
    const renamed = h.rename('from', 'to')
    await copying.reached
    const asked = store.hold('head', 'after')
    const late = h.walk('to')
    await asked.reached
    copying.open()
    await removal.reached
    asked.open()
    expect((await late).node).toBe(node)
    removal.open()
    await renamed
    expect((await h.walk('to')).node).toBe(from.node)
    expect((await h.readFile('to')).toString()).toBe('new bytes')
  })

  it('is a folder once that is made', async () => {
    const { h, store } = await gated()
    const making = store.hold('put', 'before')
    const made = h.filesystem.mkdir(ROOT_NODE, Buffer.from('d'), 0o755, h.context())
    await making.reached
    await h.tryWalk('d')
    making.open()
    expect((await h.walk('d')).node).toBe((await made).node)
  })

  it('keeps the mode that it was given while its bytes were fetched', async () => {
    const h0 = await harness()
    const store = new GatedStore(h0.store)
    const h = await harness({ store })
    await h.putOutside('f', 'bytes')
    await h.list('')
    const handle = await h.open('f', { write: true })
    await h.closeFile(handle)
    const reader = await h.open('f')
    const slow = store.hold('get', 'after')
    const read = h.read(reader, 0, 5)
    await slow.reached
    await h.setattr('f', { mode: 0o600 })
    slow.open()
    await read
    expect(await permissions(h, 'f')).toBe(0o600)
    const writer = await h.open('f', { write: true })
    await h.write(writer, 0, Buffer.from('BYTES'))
    await h.closeFile(writer)
    expect((await h.store.head('f')).metadata.mode).toBe(String(0o100600))
  })
})

describe('a folder rename that fails', () => {
  it('leaves what others have made at the new name meanwhile, also when it has the same bytes', async () => {
    const { h, store } = await gated()
    for (const name of ['1', '2', '3']) await h.putOutside(`a/${name}`, 'same')
    const copying = store.hold('copy', 'before')
    const renamed = h.rename('a', 'b')
    await copying.reached
    await h.putOutside('b/1', 'same')
    copying.open()
    await expect(renamed).rejects.toMatchObject({ errno: 'ENOTEMPTY' })
    expect(await h.stored('b/1')).toBe('same')
    expect(await h.stored('b/2')).toBeUndefined()
    expect(await h.stored('a/2')).toBe('same')
  })
})

describe('extended attributes that no bucket can keep', () => {
  it('are refused without a request', async () => {
    const h = await harness()
    await h.putOutside('f', 'bytes')
    await h.putOutside('d/f', 'bytes')
    await h.list('', 7, true)
    const file = await h.walk('f')
    const folder = await h.walk('d')
    h.requests()
    for (const { node } of [file, folder])
      await expect(
        h.filesystem.getxattr(node, Buffer.from('security.selinux'), h.context()).catch(errnoOf),
      ).resolves.toBe('EOPNOTSUPP')
    expect(h.requests()).toEqual({})
  })
})

describe('calls of programs that are killed', () => {
  it('give the listing back that opendir began', async () => {
    buckets += 1
    const store = new GatedStore(openMemoryStore(`review-tree-${buckets}`))
    let held = 0
    class Counting extends MetadataCache {
      override listing(prefix: string) {
        held += 1
        return super.listing(prefix)
      }
      override keep(inUse: Parameters<MetadataCache['keep']>[0]) {
        held -= 1
        super.keep(inUse)
      }
    }
    const metadata = new Counting({ store, clock: { nowMs: () => 0 }, ttlMs: 10_000, maxEntries: 100 })
    const h = await harness({ store, metadata })
    await h.putOutside('d/f', 'bytes')
    const { node } = await h.walk('d')
    metadata.forget('d/f')
    const listing = store.hold('list', 'before')
    const killer = new AbortController()
    const opened = h.filesystem.opendir(node, h.context({ signal: killer.signal }))
    await listing.reached
    killer.abort()
    await expect(opened).rejects.toMatchObject({ errno: 'EINTR' })
    listing.open()
    await settle()
    expect(held).toBe(0)
  })

  it('keep no node of a folder that was made', async () => {
    const { h, store } = await gated()
    const making = store.hold('put', 'before')
    const killer = new AbortController()
    const made = h.filesystem.mkdir(ROOT_NODE, Buffer.from('d'), 0o755, h.context({ signal: killer.signal }))
    await making.reached
    killer.abort()
    await expect(made).rejects.toMatchObject({ errno: 'EINTR' })
    making.open()
    await settle()
    // The ids of nodes are given in order.
    expect(await h.filesystem.getattr(ROOT_NODE + 1).catch(errnoOf)).toBe('ESTALE')
  })
})

describe('calls that fail', () => {
  it('keep no node of what they met', async () => {
    const h = await harness()
    await h.putOutside('f', 'bytes')
    await h.putOutside('d/g', 'bytes')
    await h.list('')
    const name = (text: string) => Buffer.from(text)
    const flags = openFlags({ write: true, exclusive: true })
    await expect(h.filesystem.create(ROOT_NODE, name('f'), 0o644, flags, h.context())).rejects.toThrow()
    await expect(h.filesystem.rmdir(ROOT_NODE, name('d'), h.context())).rejects.toThrow()
    await expect(h.filesystem.unlink(ROOT_NODE, name('d'), h.context())).rejects.toThrow()
    const noReplace = { noReplace: true, exchange: false }
    await expect(
      h.filesystem.rename(ROOT_NODE, name('f'), ROOT_NODE, name('d'), noReplace, h.context()),
    ).rejects.toThrow()
    for (let id = ROOT_NODE + 1; id < ROOT_NODE + 6; id++)
      expect(await h.filesystem.getattr(id).catch(errnoOf)).toBe('ESTALE')
  })
})

describe('two changes of a folder at a time', () => {
  it('are both stored', async () => {
    const { h, store } = await gated()
    await h.mkdir('d')
    const first = store.hold('put', 'before')
    const mode = h.setattr('d', { mode: 0o700 })
    await first.reached
    const owner = h.setattr('d', { uid: 7 })
    await settle()
    first.open()
    await Promise.all([mode, owner])
    expect((await h.store.head('d/')).metadata).toMatchObject({ mode: String(0o40700), uid: '7' })
  })
})

describe('what is known of folders', () => {
  it('goes along with a rename, whatever is in the names', () => {
    const known = new KnownVersions(10)
    const version = { sizeBytes: 1, etag: 'e', lastModifiedMs: 1000 }
    known.wrote({ ...version, key: 'a/x\0y' }, { metadata: { n: '1' }, headers: {}, shownModifiedMs: undefined })
    known.movedBelow('a', 'b', (_rest, etag) => etag)
    expect(known.find({ ...version, key: 'b/x' })).toBeUndefined()
    expect(known.find({ ...version, key: 'b/x\0y' })?.metadata).toEqual({ n: '1' })
  })

  it('leaves no times behind under the old name', () => {
    const times = new FolderTimes(10)
    const time = { seconds: 1, nanoseconds: 0 }
    times.set('a', { modified: time, changed: time })
    times.set('a/b', { modified: time, changed: time })
    times.movedBelow('a', 'n')
    expect(times.get('a')).toBeUndefined()
    expect(times.get('n/b')).toBeDefined()
  })
})
