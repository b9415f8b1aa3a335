import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { StoreLayer } from '../../src/backend/layers/store-layer.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { Capabilities, ListOptions } from '../../src/backend/object-store.js'
import { pattern } from '../support/bytes.js'
import { type Harness, type HarnessOptions, harness, openFlags } from '../support/filesystem-harness.js'
import { GatedStore } from '../support/gated-store.js'

const MIB = 1024 * 1024
const KIB = 1024
let buckets = 0

function memory() {
  buckets += 1
  return openMemoryStore(`regressions-${buckets}`, { minPartBytes: 1 })
}

/** A filesystem whose store holds single calls, with parts of 4 KiB. */
async function gated(options: HarnessOptions = {}): Promise<{ h: Harness; store: GatedStore }> {
  const store = new GatedStore(memory())
  return { h: await harness({ store, partSizeBytes: 4 * KIB, ...options }), store }
}

async function faulty(options: HarnessOptions = {}): Promise<{ h: Harness; rules: FaultRules }> {
  const rules = new FaultRules([])
  const h = await harness({ store: new FaultLayer(memory(), rules), partSizeBytes: 4 * KIB, ...options })
  return { h, rules }
}

async function bytesOf(h: Harness, key: string): Promise<Buffer> {
  return Buffer.from((await h.stored(key)) ?? 'nothing is stored', 'latin1')
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(resolve => setImmediate(resolve))
}

describe('bytes', () => {
  it('keeps a small edit at the front of a large object', async () => {
    const h = await harness()
    const bytes = pattern(17 * MIB)
    await h.store.put('f', bytes)
    const handle = await h.open('f', { write: true })
    await h.write(handle, 10, Buffer.from('EDIT'))
    bytes.set(Buffer.from('EDIT'), 10)
    await h.closeFile(handle)
    expect((await bytesOf(h, 'f')).equals(bytes)).toBe(true)
  })

  it('does not take the bytes of another request when a writer is killed', async () => {
    const h = await harness()
    await h.putOutside('f', 'x')
    const handle = await h.open('f', { write: true })
    const data = Buffer.alloc(24 * MIB, 'a')
    const killed = new AbortController()
    const written = h.write(handle, 0, data, { signal: killed.signal }).catch(() => 0)
    for (let i = 0; i < 3; i++) await new Promise(resolve => setImmediate(resolve))
    killed.abort()
    await written
    // The transport reads the next request into the same memory.
    data.fill('Z')
    await h.closeFile(handle)
    expect((await bytesOf(h, 'f')).includes('Z')).toBe(false)
  })

  it('streams what is written in odd pieces', async () => {
    const h = await harness()
    const bytes = pattern(16 * MIB)
    const { handle } = await h.create('odd')
    for (let at = 0; at < bytes.length; at += 300_000) await h.write(handle, at, bytes.subarray(at, at + 300_000))
    expect(h.requests().part ?? 0).toBeGreaterThan(0)
    await h.closeFile(handle)
    expect((await bytesOf(h, 'odd')).equals(bytes)).toBe(true)
  })

  it('loses no byte that staging had no room for when a part fails', async () => {
    const { h, rules } = await faulty({ maxStagingBytes: 8 * KIB })
    const bytes = pattern(40 * KIB)
    rules.add({ operations: ['part'], nth: 4, fault: { kind: 'unavailable' } })
    const { handle } = await h.create('f')
    for (let at = 0; at < bytes.length; at += KIB) await h.write(handle, at, bytes.subarray(at, at + KIB))
    await h.closeFile(handle)
    expect((await bytesOf(h, 'f')).equals(bytes)).toBe(true)
  })

  it('shows zeros where a write was refused for want of room', async () => {
    const h = await harness({ store: memory(), partSizeBytes: 4 * KIB, maxStagingBytes: 0, writeMemoryBytes: 11 * KIB })
    const other = await h.create('other')
    await h.write(other.handle, 0, pattern(3 * KIB))
    const { handle } = await h.create('f')
    await h.write(handle, 0, pattern(3 * KIB))
    await expect(h.write(handle, 3 * KIB, pattern(3 * KIB))).rejects.toMatchObject({ errno: 'ENOSPC' })
    await h.filesystem.setattr((await h.walk('f')).node, { sizeBytes: 6 * KIB }, handle, h.context())
    await h.closeFile(handle)
    expect((await bytesOf(h, 'f')).equals(Buffer.concat([pattern(3 * KIB), Buffer.alloc(3 * KIB)]))).toBe(true)
    await h.closeFile(other.handle)
  })

  it('stores a streamed file though its upload is gone at the end', async () => {
    const { h, rules } = await faulty()
    const bytes = pattern(20 * KIB)
    const { handle } = await h.create('f')
    for (let at = 0; at < bytes.length; at += KIB) await h.write(handle, at, bytes.subarray(at, at + KIB))
    rules.add({ operations: ['complete'], nth: 1, fault: { kind: 'no-such-upload' } })
    await h.filesystem.flush(handle, h.context()).catch(() => undefined)
    await h.closeFile(handle)
    expect((await bytesOf(h, 'f')).equals(bytes)).toBe(true)
    expect(await readdir(join(h.folder, 'kept'))).toEqual([])
  })

  it('counts a streamed file as stored when only its attributes could not follow', async () => {
    const { h, rules } = await faulty()
    const bytes = pattern(20 * KIB)
    const { handle } = await h.create('f')
    for (let at = 0; at < bytes.length; at += KIB) await h.write(handle, at, bytes.subarray(at, at + KIB))
    await h.setattr('f', { mode: 0o600 })
    rules.add({ operations: ['copy'], nth: 1, fault: { kind: 'unavailable' } })
    await expect(h.filesystem.flush(handle, h.context())).rejects.toMatchObject({ kind: 'unavailable' })
    await h.closeFile(handle)
    expect((await bytesOf(h, 'f')).equals(bytes)).toBe(true)
    expect((await h.store.head('f')).metadata).toEqual({ mode: String(0o100600) })
    expect(await readdir(join(h.folder, 'kept'))).toEqual([])
  })
})

describe('changes that meet a commit', () => {
  it('stores a chmod that came while the file was being stored', async () => {
    const { h, store } = await gated()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('x'))
    const gate = store.hold('put', 'before')
    const flushed = h.filesystem.flush(handle, h.context())
    await gate.reached
    const changed = h.setattr('f', { mode: 0o600 })
    await settle()
    gate.open()
    await Promise.all([flushed, changed])
    await h.closeFile(handle)
    expect((await h.store.head('f')).metadata).toEqual({ mode: String(0o100600) })
  })

  it('stores a truncate by path that came while the last writer was closing', async () => {
    const { h, store } = await gated()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('abcdef'))
    const gate = store.hold('put', 'before')
    const released = h.filesystem.release(handle)
    await gate.reached
    const truncated = h.setattr('f', { sizeBytes: 2 })
    await settle()
    gate.open()
    await Promise.all([released, truncated])
    await settle()
    expect(await h.stored('f')).toBe('ab')
  })

  it('stores what a new writer wrote while the last one failed to close', async () => {
    const inner = memory()
    const rules = new FaultRules([{ operations: ['put'], nth: 1, fault: { kind: 'unavailable' } }])
    const store = new GatedStore(new FaultLayer(inner, rules))
    const h = await harness({ store })
    const first = await h.create('f')
    await h.write(first.handle, 0, Buffer.from('abc'))
    const gate = store.hold('put', 'before')
    const released = h.filesystem.release(first.handle)
    await gate.reached
    const second = await h.open('f', { write: true })
    const written = h.write(second, 3, Buffer.from('def'))
    await settle()
    gate.open()
    await Promise.all([released, written])
    await h.closeFile(second)
    expect(await h.stored('f')).toBe('abcdef')
  })

  it('does not fail a writer because the file was chmodded while it was being opened', async () => {
    const { h, store } = await gated()
    const bytes = pattern(20 * KIB)
    // A copy of what was uploaded in parts has another ETag.
    await h.writeFile('f', bytes)
    const upload = await h.store.createUpload('g')
    const part = await upload.part(1, bytes)
    await upload.complete([part])
    await h.walk('g')
    const gate = store.hold('copy', 'before')
    const changed = h.setattr('g', { mode: 0o600 })
    await gate.reached
    const handle = await h.open('g', { write: true })
    const written = h.write(handle, 0, Buffer.from('EDIT'))
    await settle()
    gate.open()
    await Promise.all([changed, written])
    await h.closeFile(handle)
    expect((await bytesOf(h, 'g')).subarray(0, 4).toString()).toBe('EDIT')
    expect((await h.store.head('g')).metadata).toEqual({ mode: String(0o100600) })
  })

  it('keeps what was written and closed while the file was being renamed, also where deletes know no condition', async () => {
    const inner = memory()
    const checked = { conditions: { put: 'atomic', complete: 'atomic', copy: 'atomic', delete: 'checked' } } as const
    const store = new (class extends GatedStore {
      override get capabilities(): Capabilities {
        return { ...super.capabilities, ...checked }
      }
    })(inner)
    const h = await harness({ store })
    await h.writeFile('a', 'old')
    const gate = store.hold('copy', 'after')
    const renamed = h.rename('a', 'b')
    await gate.reached
    const handle = await h.open('a', { write: true })
    const closed = h.write(handle, 0, Buffer.from('new')).then(() => h.closeFile(handle))
    await settle()
    gate.open()
    await Promise.all([renamed, closed])
    expect(await h.stored('b')).toBe('new')
    expect(await h.stored('a')).toBeUndefined()
  })

  it('does not bring a removed file back that was written while it was being removed', async () => {
    const { h, store } = await gated()
    await h.writeFile('a', 'old')
    const gate = store.hold('delete', 'after')
    const removed = h.unlink('a')
    await gate.reached
    const { node } = await h.walk('a')
    const opened = h.filesystem.open(node, openFlags({ write: true, truncate: true }), h.context())
    const closed = opened.then(async ({ handle }) => {
      await h.write(handle, 0, Buffer.from('new'))
      await h.closeFile(handle)
    })
    await settle()
    gate.open()
    await Promise.all([removed, closed])
    expect(await h.stored('a')).toBeUndefined()
  })

  it('lets two renames in opposite directions both end', async () => {
    const h = await harness()
    await h.writeFile('a', 'A')
    await h.writeFile('b', 'B')
    const a = await h.open('a', { write: true })
    const b = await h.open('b', { write: true })
    await Promise.allSettled([h.rename('a', 'b'), h.rename('b', 'a')])
    await h.closeFile(a)
    await h.closeFile(b)
  })
})

describe('readers', () => {
  it('go on while this mount replaces the object under them', async () => {
    const { h, store } = await gated()
    await h.store.put('f', pattern(200 * KIB))
    const reader = await h.open('f')
    const writer = await h.open('f', { write: true, truncate: false })
    await h.write(writer, 0, Buffer.from('NEW!'))
    const gate = store.hold('get', 'before')
    const reading = h.read(reader, 130 * KIB, KIB)
    await gate.reached
    await h.closeFile(writer)
    gate.open()
    expect((await reading).equals(pattern(200 * KIB).subarray(130 * KIB, 131 * KIB))).toBe(true)
  })

  it('go on while this mount renames the object under them', async () => {
    const { h, store } = await gated()
    await h.store.put('a', pattern(64 * KIB))
    const reader = await h.open('a')
    const gate = store.hold('get', 'before')
    const reading = h.read(reader, 0, KIB)
    await gate.reached
    await h.rename('a', 'b')
    gate.open()
    expect((await reading).equals(pattern(KIB))).toBe(true)
  })

  it('see the new version when they open again after ESTALE', async () => {
    const h = await harness()
    await h.putOutside('f', 'old')
    const handle = await h.open('f')
    await h.putOutside('f', 'newer')
    await expect(h.read(handle, 0, 10)).rejects.toMatchObject({ kind: 'precondition-failed' })
    expect((await h.readFile('f')).toString()).toBe('newer')
  })
})

describe('killed programs', () => {
  it('leave no handle behind when they are killed in open', async () => {
    const { h, store } = await gated()
    await h.putOutside('f', 'old')
    // A listed file's metadata is not known, so that opening it for writing asks.
    await h.list('')
    const { node } = await h.walk('f')
    const gate = store.hold('head', 'before')
    const killed = new AbortController()
    const flags = openFlags({ write: true, truncate: true })
    const opened = h.filesystem.open(node, flags, h.context({ signal: killed.signal }))
    await gate.reached
    killed.abort()
    await expect(opened).rejects.toMatchObject({ errno: 'EINTR' })
    gate.open()
    await settle()
    expect((await h.walk('f')).attributes.sizeBytes).toBe(3)
    expect(await h.filesystem.shutdown()).toEqual({ stored: 0, kept: [] })
    expect(await h.stored('f')).toBe('old')
  })
})

describe('folders', () => {
  it('whose own key holds bytes keep them through chmod and rmdir', async () => {
    const h = await harness()
    await h.putOutside('d/', 'bytes')
    await expect(h.setattr('d', { mode: 0o700 })).rejects.toMatchObject({ errno: 'EPERM' })
    await expect(h.rmdir('d')).rejects.toMatchObject({ errno: 'ENOTEMPTY' })
    expect(await h.stored('d/')).toBe('bytes')
  })

  it('are not taken for empty where the store gives an empty page first', async () => {
    const inner = memory()
    const store = new (class extends StoreLayer {
      override async list(options: ListOptions = {}) {
        if (options.cursor === undefined) return { objects: [], prefixes: [], next: '' }
        return this.inner.list({ ...options, cursor: options.cursor === '' ? undefined : options.cursor })
      }
    })(inner)
    const h = await harness({ store })
    await inner.put('d/f', Buffer.from('x'))
    await expect(h.rmdir('d')).rejects.toMatchObject({ errno: 'ENOTEMPTY' })
    expect(await h.list('d')).toEqual(['f'])
  })
})

describe('a truncation that fails', () => {
  it('keeps what another writer had not stored yet', async () => {
    const { h, rules } = await faulty()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('precious'))
    rules.add({ operations: ['put'], fault: { kind: 'unavailable' } })
    const truncated = h.setattr('f', { sizeBytes: 6 })
    await Promise.allSettled([truncated, h.filesystem.release(handle)])
    await settle()
    const kept = (await readdir(join(h.folder, 'kept'))).find(name => name.endsWith('.data')) ?? 'nothing'
    expect(await readFile(join(h.folder, 'kept', kept), 'utf8')).toContain('precio')
    expect(await h.list('')).toEqual([])
  })
})

describe('what is staged', () => {
  it('is all that is not stored, when the mount ends at once, also while it is being stored', async () => {
    const { h, store } = await gated()
    const { handle } = await h.create('small')
    await h.write(handle, 0, Buffer.from('precious'))
    const idle = await h.create('idle')
    await h.write(idle.handle, 0, Buffer.from('worth no less'))
    const gate = store.hold('put', 'before')
    const stored = h.filesystem.fsync(handle, h.context())
    await gate.reached
    await h.filesystem.secure()
    const names = (await readdir(join(h.folder, 'staging'))).filter(name => name.endsWith('.data'))
    const staged = await Promise.all(names.map(name => readFile(join(h.folder, 'staging', name), 'utf8')))
    expect(staged.toSorted()).toEqual(['precious', 'worth no less'])
    gate.open()
    await stored
    expect(await h.stored('small')).toBe('precious')
    for (const one of [handle, idle.handle]) await h.closeFile(one)
    expect(await h.stored('idle')).toBe('worth no less')
    expect(await readdir(join(h.folder, 'staging'))).toEqual([])
  })

  it('belongs to the version of others that it was put behind', async () => {
    const { h, rules } = await faulty({ writeMemoryBytes: 0 })
    await h.putOutside('log', 'one ')
    const handle = await h.open('log', { write: true, append: true })
    await h.write(handle, 0, Buffer.from('mine'))
    await h.putOutside('log', 'one theirs ')
    const { etag } = await h.store.head('log')
    rules.add({ operations: ['put'], fault: { kind: 'unavailable' } })
    await expect(h.filesystem.fsync(handle, h.context())).rejects.toMatchObject({ kind: 'unavailable' })
    const recorded = async () => {
      const name = (await readdir(join(h.folder, 'staging'))).find(file => file.endsWith('.json')) ?? 'nothing'
      return JSON.parse(await readFile(join(h.folder, 'staging', name), 'utf8'))
    }
    await expect.poll(recorded).toEqual({ key: 'log', baseEtag: etag })
    await expect(h.closeFile(handle)).rejects.toMatchObject({ kind: 'unavailable' })
  })
})
