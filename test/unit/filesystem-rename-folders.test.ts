import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { type Log, SILENT } from '../../src/backend/log.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { openBareStore, parseStorageUrl } from '../../src/backend/registry.js'
import type { DirectoryEntry } from '../../src/fs/operations.js'
import { type Harness, type HarnessOptions, harness } from '../support/filesystem-harness.js'
import { GatedStore } from '../support/gated-store.js'

let buckets = 0
const newStore = () => openMemoryStore(`rename-folders-${++buckets}`)

async function keysOf(h: Harness, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  let cursor: string | undefined
  do {
    const page = await h.store.list({ prefix, cursor })
    keys.push(...page.objects.map(object => object.key))
    cursor = page.next
  } while (cursor !== undefined)
  return keys
}

async function journalOf(h: Harness): Promise<string[]> {
  return readdir(join(h.folder, 'renames'))
}

function listeningLog(heard: string[]): Log {
  const hear = (message: string) => heard.push(message)
  return { debug: () => {}, info: () => {}, warn: hear, error: hear }
}

describe('renaming a folder', () => {
  it('moves every key below it, and the object that has the key of the folder itself', async () => {
    const h = await harness()
    for (const key of ['a/', 'a/f', 'a/b/', 'a/b/c', 'a//x', 'a/./y', 'a/dir-and-file', 'a/dir-and-file/z', 'ab', 'a'])
      await h.putOutside(key, key)
    await h.rename('a', 'n')
    expect(await keysOf(h)).toEqual(
      ['ab', 'n', 'n/', 'n/./y', 'n//x', 'n/b/', 'n/b/c', 'n/dir-and-file', 'n/dir-and-file/z', 'n/f'].sort(),
    )
    expect(await h.stored('n/b/c')).toBe('a/b/c')
    expect((await h.readFile('n/b/c')).toString()).toBe('a/b/c')
    expect(await h.tryWalk('n/b')).toBeDefined()
    expect(await journalOf(h)).toEqual([])
  })

  it('costs two requests a key and a few listings', async () => {
    const h = await harness()
    for (let i = 0; i < 1000; i++) await h.putOutside(`a/${i}`, 'x')
    await h.walk('a')
    h.requests()
    await h.rename('a', 'b')
    const requests = h.requests()
    expect(requests.copy).toBe(1000)
    // A delete of the contract is up to as many requests of S3 as it has keys: together with the copies two a key.
    expect((requests.list ?? 0) + (requests.head ?? 0) + (requests.traits ?? 0)).toBeLessThan(20)
    expect((await keysOf(h)).every(key => key.startsWith('b/'))).toBe(true)
  })

  it('goes on over several pages', async () => {
    const h = await harness()
    for (let i = 0; i < 2300; i++) await h.putOutside(`a/${i}`, `${i}`)
    await h.rename('a', 'b')
    expect(await keysOf(h, 'a/')).toEqual([])
    expect(await keysOf(h, 'b/')).toHaveLength(2300)
  })

  it('keeps metadata and headers of all objects', async () => {
    const h = await harness()
    await h.store.put('a/f', Buffer.from('x'), {
      metadata: { mode: String(0o100640), colour: 'red' },
      headers: { contentType: 'text/x-own' },
    })
    await h.rename('a', 'b')
    const { metadata, headers } = await h.store.head('b/f')
    expect(metadata).toEqual({ mode: String(0o100640), colour: 'red' })
    expect(headers.contentType).toBe('text/x-own')
    expect((await h.walk('b/f')).attributes.mode).toBe(0o100640)
  })

  it('takes along what is known of files that nobody looks at', async () => {
    const h = await harness()
    await h.mkdir('a')
    const { handle, entry } = await h.create('a/f', {}, 0o600)
    await h.closeFile(handle)
    await h.list('a')
    h.filesystem.forget(entry.node, 1)
    await h.rename('a', 'b')
    const { handle: listing } = await h.filesystem.opendir((await h.walk('b')).node, h.context())
    const modes: (number | undefined)[] = []
    const add = ({ entry }: DirectoryEntry) => modes.push(entry?.attributes.mode) > 0
    await h.filesystem.readdir(listing, 2, true, { add }, h.context())
    await h.filesystem.releasedir(listing)
    expect(modes).toEqual([0o100600])
  })

  it('takes the place of an empty folder, its marker included', async () => {
    const h = await harness()
    await h.mkdir('a', 0o700)
    await h.writeFile('a/f', 'x')
    await h.mkdir('b', 0o777)
    await h.rename('a', 'b')
    expect(await keysOf(h)).toEqual(['b/', 'b/f'])
    expect((await h.store.head('b/')).metadata.mode).toBe(String(0o40700))
    expect((await h.walk('b')).attributes.mode & 0o7777).toBe(0o700)
  })

  it('takes the place of an empty folder where the copy of a marker has an ETag of its own', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mount-bucket-test-'))
    const store = await openBareStore(parseStorageUrl(`file://${folder}`), { log: SILENT, local: { create: false } })
    const h = await harness({ store })
    await h.mkdir('a', 0o700)
    await h.writeFile('a/f', 'x')
    await h.mkdir('b', 0o777)
    await h.rename('a', 'b')
    expect(await keysOf(h)).toEqual(['b/', 'b/f'])
    expect((await store.head('b/')).metadata.mode).toBe(String(0o40700))
    await store.close()
    await rm(folder, { recursive: true })
  })

  it('drops the marker of the empty folder where it has none itself', async () => {
    const h = await harness()
    await h.putOutside('a/f', 'x')
    await h.mkdir('b', 0o777)
    await h.rename('a', 'b')
    expect(await keysOf(h)).toEqual(['b/f'])
  })

  it('renames a folder that only this mount knows without touching an object', async () => {
    const h = await harness()
    await h.putOutside('a/f', 'x')
    await h.unlink('a/f')
    const { handle } = await h.create('a/new')
    await h.write(handle, 0, Buffer.from('new'))
    h.requests()
    await h.rename('a', 'b')
    expect(Object.keys(h.requests()).filter(name => name !== 'list' && name !== 'head')).toEqual([])
    expect(await h.list('b')).toEqual(['new'])
    await h.closeFile(handle)
    expect(await keysOf(h)).toEqual(['b/new'])
  })

  it('refuses as rename(2) does', async () => {
    const h = await harness()
    await h.mkdir('a')
    await h.writeFile('a/f', 'x')
    await h.mkdir('a/b')
    await h.mkdir('full')
    await h.writeFile('full/f', 'x')
    await h.writeFile('file', 'x')
    await h.mkdir('empty')
    const fails = (from: string, to: string, flags?: { noReplace: boolean; exchange: boolean }) =>
      expect(h.rename(from, to, flags)).rejects
    await fails('a', 'full').toMatchObject({ errno: 'ENOTEMPTY' })
    await fails('a', 'file').toMatchObject({ errno: 'ENOTDIR' })
    await fails('file', 'empty').toMatchObject({ errno: 'EISDIR' })
    await fails('a', 'a/b/c').toMatchObject({ errno: 'EINVAL' })
    await fails('a', 'a/b').toMatchObject({ errno: 'EINVAL' })
    await fails('a/b', 'a').toMatchObject({ errno: 'ENOTEMPTY' })
    await fails('a', 'empty', { noReplace: true, exchange: false }).toMatchObject({ errno: 'EEXIST' })
    await fails('a', 'empty', { noReplace: false, exchange: true }).toMatchObject({ errno: 'EINVAL' })
    await fails('missing', 'n').toMatchObject({ errno: 'ENOENT' })
    const before = await keysOf(h)
    await h.rename('a', 'a')
    expect(await keysOf(h)).toEqual(before)
    expect(await journalOf(h)).toEqual([])
  })

  it('refuses a folder in which something is not stored yet as a target', async () => {
    const h = await harness()
    await h.mkdir('a')
    await h.mkdir('b')
    const { handle } = await h.create('b/new')
    await expect(h.rename('a', 'b')).rejects.toMatchObject({ errno: 'ENOTEMPTY' })
    await h.closeFile(handle)
  })

  it('is ENAMETOOLONG before anything changes where a key would be too long', async () => {
    const h = await harness()
    const long = `a/${'x'.repeat(200)}/`.repeat(5).slice(0, 1015)
    await h.putOutside('a/f', 'x')
    await h.putOutside(`a/${long}`, 'x')
    const before = await keysOf(h)
    h.requests()
    await expect(h.rename('a', 'a-longer-name')).rejects.toMatchObject({ errno: 'ENAMETOOLONG' })
    expect(h.requests().copy).toBeUndefined()
    expect(await keysOf(h)).toEqual(before)
  })

  it('takes back what it copied when a copy fails', async () => {
    const rules = new FaultRules([])
    const h = await harness({ store: new FaultLayer(newStore(), rules) })
    for (const name of ['f', 'g', 'h']) await h.putOutside(`a/${name}`, name)
    rules.add({ operations: ['copy'], key: /g/, fault: { kind: 'denied' } })
    await expect(h.rename('a', 'b')).rejects.toMatchObject({ kind: 'denied' })
    expect(await keysOf(h)).toEqual(['a/f', 'a/g', 'a/h'])
    expect(await journalOf(h)).toEqual([])
    expect(await h.tryWalk('b')).toBeUndefined()
    expect((await h.readFile('a/g')).toString()).toBe('g')
    rules.clear()
    await h.rename('a', 'b')
    expect(await keysOf(h)).toEqual(['b/f', 'b/g', 'b/h'])
  })

  it('counts as done when only the deleting fails; the next mount goes on with it', async () => {
    const rules = new FaultRules([])
    const heard: string[] = []
    const store = newStore()
    const h = await harness({ store: new FaultLayer(store, rules), log: listeningLog(heard) })
    for (const name of ['f', 'g']) await h.putOutside(`a/${name}`, name)
    rules.add({ operations: ['delete'], fault: { kind: 'unavailable' } })
    await h.rename('a', 'b')
    expect(heard).toEqual(['a folder is renamed, but what it was is not removed yet: the next mount does it'])
    expect((await h.readFile('b/f')).toString()).toBe('f')
    expect(await journalOf(h)).toHaveLength(1)
    // Made anew under the old name since: that is not what was renamed.
    await h.putOutside('a/g', 'another')
    await h.putOutside('a/new', 'new')
    const next = await harness({ store, folder: h.folder })
    await next.resume()
    expect(await keysOf(next)).toEqual(['a/g', 'a/new', 'b/f', 'b/g'])
    expect(await journalOf(next)).toEqual([])
  })
})

describe('renaming a folder while others change it', () => {
  it('leaves what others changed since it was copied', async () => {
    const heard: string[] = []
    const { store, h } = await withGate({ log: listeningLog(heard) })
    await h.putOutside('a/f', 'old')
    const gate = store.hold('delete', 'before')
    const renamed = h.rename('a', 'b')
    await gate.reached
    await h.putOutside('a/f', 'changed')
    gate.open()
    await renamed
    expect(await h.stored('a/f')).toBe('changed')
    expect(await h.stored('b/f')).toBe('old')
    expect(heard).toContain('others have changed an object of a folder that is renamed; it stays')
    expect(await journalOf(h)).toEqual([])
  })

  it('moves what others add meanwhile, and what they change before it is copied', async () => {
    const { store, h } = await withGate()
    await h.putOutside('a/f', 'old')
    await h.putOutside('a/g', 'g')
    const gate = store.hold('copy', 'before')
    const renamed = h.rename('a', 'b')
    await gate.reached
    await h.putOutside('a/f', 'changed')
    await h.putOutside('a/late', 'late')
    gate.open()
    await renamed
    expect(await keysOf(h)).toEqual(['b/f', 'b/g', 'b/late'])
    expect(await h.stored('b/f')).toBe('changed')
  })

  it('fails where others make a key under the new name, and leaves theirs', async () => {
    const { store, h } = await withGate()
    await h.putOutside('a/f', 'f')
    await h.putOutside('a/g', 'g')
    const gate = store.hold('copy', 'before')
    const renamed = h.rename('a', 'b')
    await gate.reached
    await h.putOutside('b/f', 'theirs')
    gate.open()
    await expect(renamed).rejects.toMatchObject({ errno: 'ENOTEMPTY' })
    expect(await keysOf(h)).toEqual(['a/f', 'a/g', 'b/f'])
    expect(await h.stored('b/f')).toBe('theirs')
  })
})

async function withGate(options: HarnessOptions = {}) {
  const store = new GatedStore(newStore())
  return { store, h: await harness({ ...options, store }) }
}
