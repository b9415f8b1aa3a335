import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { LimitsLayer } from '../../src/backend/layers/limits-layer.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { pattern } from '../support/bytes.js'
import { harness } from '../support/filesystem-harness.js'

const MIB = 1024 * 1024

describe('writing', () => {
  it('publishes a small file at close with one PUT, and not before', async () => {
    const h = await harness()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('hello'))
    expect(await h.stored('f')).toBeUndefined()
    h.requests()
    await h.closeFile(handle)
    expect(h.requests()).toEqual({ put: 1 })
    expect(await h.stored('f')).toBe('hello')
    expect(await readdir(join(h.folder, 'staging'))).toEqual([])
  })

  it('shows what is written at once, before it is stored', async () => {
    const h = await harness()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('hello'))
    const other = await h.open('f')
    expect((await h.read(other, 0, 100)).toString()).toBe('hello')
    expect((await h.walk('f')).attributes.sizeBytes).toBe(5)
    expect(await h.list('')).toEqual(['f'])
    await h.closeFile(handle)
    await h.closeFile(other)
  })

  it('streams a large file as parts and keeps no staging behind', async () => {
    const h = await harness()
    const bytes = pattern(23 * MIB + 5)
    const { handle } = await h.create('big')
    for (let at = 0; at < bytes.length; at += MIB) await h.write(handle, at, bytes.subarray(at, at + MIB))
    const before = h.requests()
    expect(before.createUpload).toBe(1)
    expect(before.part).toBeGreaterThanOrEqual(2)
    expect(await h.stored('big')).toBeUndefined()
    expect((await h.read(handle, 3 * MIB + 1, 100)).equals(bytes.subarray(3 * MIB + 1, 3 * MIB + 101))).toBe(true)
    await h.closeFile(handle)
    const after = h.requests()
    expect((before.part ?? 0) + (after.part ?? 0)).toBe(5)
    expect(after.complete).toBe(1)
    expect(Buffer.from((await h.stored('big')) ?? '', 'latin1').equals(bytes)).toBe(true)
    expect((await h.readFile('big')).equals(bytes)).toBe(true)
    expect(await readdir(join(h.folder, 'staging'))).toEqual([])
    expect(await readdir(join(h.folder, 'uploads'))).toEqual([])
  })

  it('sends parts again that were patched after they were sent', async () => {
    const h = await harness()
    const bytes = pattern(16 * MIB)
    const { handle } = await h.create('mp4')
    for (let at = 0; at < bytes.length; at += MIB) await h.write(handle, at, bytes.subarray(at, at + MIB))
    await h.write(handle, 4, Buffer.from('HEADER'))
    bytes.set(Buffer.from('HEADER'), 4)
    await h.write(handle, 5 * MIB - 2, Buffer.from('EDGE'))
    bytes.set(Buffer.from('EDGE'), 5 * MIB - 2)
    await h.closeFile(handle)
    expect(Buffer.from((await h.stored('mp4')) ?? '', 'latin1').equals(bytes)).toBe(true)
  })

  it('goes on streaming when staging is full, and says ENOSPC where it must stage', async () => {
    const h = await harness({ maxStagingBytes: 6 * MIB })
    const bytes = pattern(33 * MIB)
    const { handle } = await h.create('big')
    for (let at = 0; at < bytes.length; at += MIB) await h.write(handle, at, bytes.subarray(at, at + MIB))
    await expect(h.write(handle, 0, Buffer.from('x'))).rejects.toMatchObject({ errno: 'ENOSPC' })
    await expect(h.read(handle, 0, 10)).rejects.toMatchObject({ errno: 'EIO' })
    await h.closeFile(handle)
    expect(Buffer.from((await h.stored('big')) ?? '', 'latin1').equals(bytes)).toBe(true)
  })

  it('refuses writes that must be staged and have no room, and leaves the bucket as it was', async () => {
    const h = await harness({ maxStagingBytes: MIB })
    await h.putOutside('f', 'old')
    const handle = await h.open('f', { write: true })
    await expect(h.write(handle, 20 * MIB, Buffer.alloc(2 * MIB))).rejects.toMatchObject({ errno: 'ENOSPC' })
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('old')
  })

  it('edits an object in place: its other bytes stay', async () => {
    const h = await harness()
    await h.putOutside('f', 'abcdefghij')
    const handle = await h.open('f', { write: true })
    await h.write(handle, 3, Buffer.from('XY'))
    expect((await h.read(handle, 0, 100)).toString()).toBe('abcXYfghij')
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('abcXYfghij')
  })

  it('edits a large object in place through several parts', async () => {
    const h = await harness()
    const bytes = pattern(12 * MIB)
    await h.store.put('f', bytes)
    const handle = await h.open('f', { write: true })
    await h.write(handle, 7 * MIB, Buffer.from('XY'))
    await h.write(handle, 13 * MIB, Buffer.from('far'))
    const expected = Buffer.concat([bytes, Buffer.alloc(MIB), Buffer.from('far')])
    expected.set(Buffer.from('XY'), 7 * MIB)
    await h.closeFile(handle)
    expect(Buffer.from((await h.stored('f')) ?? '', 'latin1').equals(expected)).toBe(true)
  })

  it('commits many edits at once though requests are few', async () => {
    const inner = openMemoryStore('few-requests')
    const h = await harness({ store: new LimitsLayer(inner, { concurrency: 2 }) })
    const handles: number[] = []
    for (let i = 0; i < 6; i++) await inner.put(`f${i}`, pattern(11 * MIB))
    for (let i = 0; i < 6; i++) {
      const handle = await h.open(`f${i}`, { write: true })
      await h.write(handle, 6 * MIB, Buffer.from('edit'))
      handles.push(handle)
    }
    await Promise.all(handles.map(handle => h.closeFile(handle)))
    for (let i = 0; i < 6; i++) expect((await h.stored(`f${i}`))?.slice(6 * MIB, 6 * MIB + 4)).toBe('edit')
  })

  it('truncates up and down, open and by path', async () => {
    const h = await harness()
    await h.writeFile('f', 'abcdefghij')
    await h.setattr('f', { sizeBytes: 4 })
    expect(await h.stored('f')).toBe('abcd')
    await h.setattr('f', { sizeBytes: 6 })
    expect(await h.stored('f')).toBe('abcd\0\0')
    const handle = await h.open('f', { write: true })
    await h.setattr('f', { sizeBytes: 2 })
    await h.write(handle, 3, Buffer.from('z'))
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('ab\0z')
  })

  it('appends at the end, wherever that is by then', async () => {
    const h = await harness()
    await h.writeFile('log', 'one\n')
    const a = await h.open('log', { write: true, append: true })
    const b = await h.open('log', { write: true, append: true })
    await Promise.all([h.write(a, 4, Buffer.from('two\n')), h.write(b, 4, Buffer.from('three\n'))])
    await h.closeFile(a)
    await h.closeFile(b)
    expect(await h.stored('log')).toBe('one\ntwo\nthree\n')
  })

  it('stores nothing while the shell that opened it runs one child after the other, however many', async () => {
    const h = await harness()
    const { handle } = await h.create('f', {}, 0o644, { pid: 7 })
    h.holders.add(7)
    for (let child = 0; child < 1000; child++) {
      const pid = 1000 + child
      await h.write(handle, child, Buffer.from('x'), { pid })
      await h.filesystem.flush(handle, h.context({ pid }))
    }
    expect(h.requests().put).toBeUndefined()
    h.holders.clear()
    await h.closeFile(handle, { pid: 7 })
    expect(h.requests().put).toBe(1)
    expect(await h.stored('f')).toBe('x'.repeat(1000))
  })

  it('commits nothing while another process holds the file', async () => {
    const h = await harness()
    await h.writeFile('f', 'old')
    const handle = await h.open('f', { write: true, truncate: true }, { pid: 7 })
    h.holders.add(7)
    await h.filesystem.flush(handle, h.context({ pid: 8 }))
    expect(await h.stored('f')).toBe('old')
    await h.write(handle, 0, Buffer.from('new'), { pid: 9 })
    await h.filesystem.flush(handle, h.context({ pid: 9 }))
    expect(await h.stored('f')).toBe('old')
    h.holders.clear()
    h.requests()
    await h.closeFile(handle, { pid: 7 })
    expect(h.requests()).toEqual({ put: 1 })
    expect(await h.stored('f')).toBe('new')
  })

  it('commits at every flush where no pid is known', async () => {
    const h = await harness()
    h.holders.add(0)
    const { handle } = await h.create('f', {}, 0o644, { pid: 0 })
    await h.write(handle, 0, Buffer.from('a'), { pid: 0 })
    await h.filesystem.flush(handle, h.context({ pid: 0 }))
    expect(await h.stored('f')).toBe('a')
    await h.closeFile(handle, { pid: 0 })
  })

  it('does not store a file that was removed while open', async () => {
    const h = await harness()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('x'))
    await h.unlink('f')
    await h.closeFile(handle)
    expect(await h.stored('f')).toBeUndefined()
    expect(await h.list('')).toEqual([])
  })
})

describe('conditions', () => {
  it('gives O_EXCL to one of two mounts: the other hears EEXIST at close and its bytes are kept', async () => {
    const a = await harness({ bucket: 'shared-excl' })
    const b = await harness({ bucket: 'shared-excl' })
    const first = await a.create('lock')
    const second = await b.create('lock')
    await a.write(first.handle, 0, Buffer.from('a'))
    await b.write(second.handle, 0, Buffer.from('b'))
    await a.closeFile(first.handle)
    await expect(b.closeFile(second.handle)).rejects.toMatchObject({ errno: 'EEXIST' })
    expect(await a.stored('lock')).toBe('a')
    const kept = await readdir(join(b.folder, 'kept'))
    const data = kept.find(name => name.endsWith('.data')) ?? ''
    expect(await readFile(join(b.folder, 'kept', data), 'utf8')).toBe('b')
    const record = kept.find(name => name !== data) ?? ''
    expect(await readFile(join(b.folder, 'kept', record), 'utf8')).toContain('"EEXIST: ')
    expect(b.invalidated).not.toEqual([])
  })

  it('gives the loser of two edits ESTALE and keeps its bytes', async () => {
    const h = await harness()
    await h.writeFile('f', 'old')
    const handle = await h.open('f', { write: true })
    await h.write(handle, 0, Buffer.from('X'))
    await h.putOutside('f', 'theirs')
    const flushed = h.filesystem.flush(handle, h.context())
    await expect(flushed).rejects.toMatchObject({ kind: 'precondition-failed' })
    await h.filesystem.release(handle)
    expect(await h.stored('f')).toBe('theirs')
    expect((await readdir(join(h.folder, 'kept'))).length).toBe(2)
  })

  it('lets the last writer win who replaces a whole file', async () => {
    const h = await harness()
    await h.writeFile('f', 'old')
    const handle = await h.open('f', { write: true, truncate: true })
    await h.write(handle, 0, Buffer.from('mine'))
    await h.putOutside('f', 'theirs')
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('mine')
  })
})

describe('failures', () => {
  it('keeps what could not be stored, and says so at close', async () => {
    const inner = openMemoryStore('failing-close')
    const rules = new FaultRules([{ operations: ['put'], fault: { kind: 'unavailable' } }])
    const store = new FaultLayer(inner, rules)
    const h = await harness({ store })
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('precious'))
    await expect(h.filesystem.flush(handle, h.context())).rejects.toMatchObject({ kind: 'unavailable' })
    const staged = (await readdir(join(h.folder, 'staging'))).find(name => name.endsWith('.data')) ?? ''
    expect(await readFile(join(h.folder, 'staging', staged), 'utf8')).toBe('precious')
    await h.filesystem.release(handle)
    const kept = (await readdir(join(h.folder, 'kept'))).find(name => name.endsWith('.data')) ?? ''
    expect(await readFile(join(h.folder, 'kept', kept), 'utf8')).toBe('precious')
    expect(await h.list('')).toEqual([])
  })

  it('answers a killed program at once with EINTR, and what it asked for is stored all the same', async () => {
    const rules = new FaultRules([{ operations: ['put'], fault: { delayMs: 50 } }])
    const h = await harness({ store: new FaultLayer(openMemoryStore('killed-fsync'), rules) })
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('x'))
    const killed = new AbortController()
    const synced = h.filesystem.fsync(handle, h.context({ signal: killed.signal }))
    killed.abort()
    await expect(synced).rejects.toMatchObject({ errno: 'EINTR' })
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('x')
  })
})

describe('removing and renaming while parts are being sent', () => {
  async function storing(name: string) {
    const rules = new FaultRules([{ operations: ['part'], nth: 1, fault: { delayMs: Number.POSITIVE_INFINITY } }])
    const h = await harness({ store: new FaultLayer(openMemoryStore(name), rules) })
    const bytes = pattern(7 * MIB)
    const { handle } = await h.create('a')
    for (let at = 0; at < bytes.length; at += MIB) await h.write(handle, at, bytes.subarray(at, at + MIB))
    return { h, bytes, handle, closed: h.closeFile(handle) }
  }

  it('removes without waiting for them', async () => {
    const { h, closed } = await storing('unlink-while-sending')
    await h.unlink('a')
    await closed
    expect(await h.stored('a')).toBeUndefined()
  })

  it('renames without waiting for them, and the close stores the file under its new name', async () => {
    const { h, bytes, closed } = await storing('rename-while-sending')
    await h.rename('a', 'b')
    await closed
    expect(await h.stored('a')).toBeUndefined()
    expect(Buffer.from((await h.stored('b')) ?? '', 'latin1').equals(bytes)).toBe(true)
  })
})

describe('a file that others have removed unnoticed', () => {
  it('is stored by who replaces it as a whole', async () => {
    const h = await harness()
    await h.store.put('f', Buffer.from('old'))
    await h.readFile('f')
    await h.store.delete([{ key: 'f' }])
    const handle = await h.open('f', { write: true, truncate: true })
    await h.write(handle, 0, Buffer.from('new'))
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('new')
  })

  it('is not made anew by who edits it', async () => {
    const h = await harness()
    await h.store.put('f', Buffer.from('old'))
    await h.readFile('f')
    await h.store.delete([{ key: 'f' }])
    const handle = await h.open('f', { write: true })
    await h.write(handle, 0, Buffer.from('n'))
    await expect(h.closeFile(handle)).rejects.toMatchObject({ kind: 'precondition-failed' })
    expect(await h.stored('f')).toBeUndefined()
  })
})
