import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { LogFields } from '../../src/backend/log.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { KeptRecord } from '../../src/fs/kept-files.js'
import { type Harness, harness } from '../support/filesystem-harness.js'
import { GatedStore } from '../support/gated-store.js'

const SIGKILL = 9
const SIGPIPE = 13
/** The thread that the harness calls with. */
const WRITER = 1
const OTHER = 2
const MIB = 1024 * 1024

/** What is kept, the bytes as text. */
async function kept(h: Harness): Promise<readonly (KeptRecord & { readonly text: string })[]> {
  const names = (await readdir(join(h.folder, 'kept'))).filter(name => name.endsWith('.json'))
  return Promise.all(
    names.map(async name => {
      const path = join(h.folder, 'kept', name)
      const record = JSON.parse(await readFile(path, 'utf8')) as KeptRecord
      return { ...record, text: await readFile(path.replace('.json', '.data'), 'latin1') }
    }),
  )
}

/** The writer dies: the kernel closes its handles. */
async function die(h: Harness, handles: readonly number[], signal = SIGKILL): Promise<void> {
  h.killed.set(WRITER, signal)
  for (const handle of handles) await h.filesystem.flush(handle, h.context())
  h.killed.delete(WRITER)
  for (const handle of handles) await h.filesystem.release(handle)
}

describe('a writer that is killed', () => {
  it('leaves no new file, and its bytes are kept', async () => {
    const h = await harness()
    const { handle, entry } = await h.create('f')
    await h.write(handle, 0, Buffer.from('half'))
    await die(h, [handle])
    expect(await h.stored('f')).toBeUndefined()
    // The kernel asks for what it still remembers.
    await expect(h.filesystem.getattr(entry.node)).rejects.toMatchObject({ errno: 'ESTALE' })
    expect(await h.tryWalk('f')).toBeUndefined()
    expect(await h.list('')).toEqual([])
    expect(h.invalidated).toEqual([`node ${entry.node}`, 'entry 1 f'])
    expect(await kept(h)).toMatchObject([
      { key: 'f', path: 'f', text: 'half', sizeBytes: 4, ranges: [[0, 4]], reason: 'killed by SIGKILL' },
    ])
    expect(h.requests()).not.toHaveProperty('put')
  })

  it('leaves an edited file as it was, with its attributes', async () => {
    const h = await harness()
    await h.writeFile('f', 'old text')
    await h.setattr('f', { mode: 0o600, mtime: { seconds: 1000, nanoseconds: 0 } })
    const before = await h.walk('f')
    h.nowMs += 5000
    const handle = await h.open('f', { write: true })
    await h.write(handle, 4, Buffer.from('edited'))
    await h.setattr('f', { mode: 0o777 })
    expect((await h.walk('f')).attributes.sizeBytes).toBe(10)
    await die(h, [handle])
    const after = await h.walk('f')
    expect(after.node).toBe(before.node)
    // Opening it was an access.
    expect(after.attributes).toEqual({ ...before.attributes, atime: after.attributes.atime })
    expect((await h.readFile('f')).toString()).toBe('old text')
    expect(await h.stored('f')).toBe('old text')
    const [record] = await kept(h)
    const { etag } = await h.store.head('f')
    expect(record).toMatchObject({ baseEtag: etag, shownEtag: etag, ranges: [[4, 10]] })
  })

  it('leaves a file that it has truncated as it was', async () => {
    const h = await harness()
    await h.writeFile('f', 'old text')
    const handle = await h.open('f', { write: true, truncate: true })
    await die(h, [handle])
    expect((await h.readFile('f')).toString()).toBe('old text')
    expect(await kept(h)).toEqual([])
    const second = await h.open('f', { write: true, truncate: true })
    await h.write(second, 0, Buffer.from('new'))
    await die(h, [second])
    expect((await h.readFile('f')).toString()).toBe('old text')
    const [record] = await kept(h)
    expect(record).toMatchObject({ shownEtag: (await h.store.head('f')).etag, text: 'new', ranges: [[0, 3]] })
    expect(record?.baseEtag).toBeUndefined()
  })

  it('gives a name back to what it was to replace', async () => {
    const h = await harness()
    await h.writeFile('f', 'stored')
    const { handle } = await h.create('temporary')
    await h.write(handle, 0, Buffer.from('half'))
    await h.rename('temporary', 'f')
    expect((await h.readFile('f')).toString()).toBe('half')
    await die(h, [handle])
    expect((await h.readFile('f')).toString()).toBe('stored')
    expect(await kept(h)).toMatchObject([{ key: 'f', shownEtag: (await h.store.head('f')).etag }])
  })

  it('keeps what it has synced, and loses nothing else', async () => {
    const h = await harness()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('one'))
    await h.filesystem.fsync(handle, h.context())
    await h.write(handle, 3, Buffer.from(' two'))
    await die(h, [handle])
    expect(await h.stored('f')).toBe('one')
    expect((await h.readFile('f')).toString()).toBe('one')
    expect(await kept(h)).toMatchObject([{ text: 'one two', ranges: [[0, 7]] }])
  })

  it('leaves no trace of an empty file, nor of one that was removed', async () => {
    const h = await harness()
    const { handle } = await h.create('empty')
    const removed = await h.create('removed')
    await h.write(removed.handle, 0, Buffer.from('x'))
    await h.unlink('removed')
    await die(h, [handle, removed.handle])
    expect(await h.list('')).toEqual([])
    expect(await kept(h)).toEqual([])
    expect(await readdir(join(h.folder, 'staging'))).toEqual([])
  })

  it('stores the attributes of a file whose bytes nobody changed', async () => {
    const h = await harness()
    await h.writeFile('f', 'text')
    const handle = await h.open('f', { write: true })
    await h.setattr('f', { mode: 0o600 })
    await die(h, [handle])
    expect((await h.store.head('f')).metadata).toMatchObject({ mode: String(0o100600) })
    expect(await kept(h)).toEqual([])
  })

  it('has its upload aborted', async () => {
    const h = await harness()
    const { handle } = await h.create('big')
    for (let at = 0; at < 12 * MIB; at += MIB) await h.write(handle, at, Buffer.alloc(MIB, at / MIB))
    expect(await h.store.listUploads()).toHaveLength(1)
    await die(h, [handle])
    expect(await h.store.listUploads()).toEqual([])
    expect(await readdir(join(h.folder, 'uploads'))).toEqual([])
    const [record] = await kept(h)
    expect(record).toMatchObject({ sizeBytes: 12 * MIB, ranges: [[0, 12 * MIB]], lost: [] })
    expect(record?.text.at(-1)).toBe('\x0b')
  })

  it('has what it wrote in several handles of a file kept once', async () => {
    const h = await harness()
    const { handle } = await h.create('f')
    const second = await h.open('f', { write: true })
    await h.write(handle, 0, Buffer.from('a'))
    await h.write(second, 1, Buffer.from('b'))
    await die(h, [handle, second])
    expect(await kept(h)).toMatchObject([{ text: 'ab' }])
    expect(await h.tryWalk('f')).toBeUndefined()
  })

  it('says what happened, in one line', async () => {
    const lines: [string, LogFields | undefined][] = []
    const note = (message: string, fields?: LogFields) => void lines.push([message, fields])
    const h = await harness({ log: { error: note, warn: note, info: note, debug: () => undefined } })
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('half'))
    await die(h, [handle])
    expect(lines).toHaveLength(1)
    expect(lines[0]?.[0]).toContain('mount-bucket recover')
    expect(lines[0]?.[1]).toMatchObject({ path: 'f', reason: 'killed by SIGKILL' })
  })
})

describe('a file of a killed writer is published all the same', () => {
  it('when the signal is none to keep for', async () => {
    const h = await harness()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('text'))
    await die(h, [handle], SIGPIPE)
    expect(await h.stored('f')).toBe('text')
    expect(await kept(h)).toEqual([])
  })

  it('when it was opened for appending', async () => {
    const h = await harness()
    const { handle } = await h.create('log', { append: true, exclusive: false })
    await h.write(handle, 0, Buffer.from('line\n'))
    await die(h, [handle])
    expect(await h.stored('log')).toBe('line\n')
  })

  it('when nobody knows who closes it', async () => {
    const h = await harness()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('text'))
    h.killed.set(0, SIGKILL)
    await h.closeFile(handle, { pid: 0 })
    expect(await h.stored('f')).toBe('text')
  })

  it('when another process holds it still and closes it', async () => {
    const h = await harness()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('one'))
    h.killed.set(WRITER, SIGKILL)
    h.holders.add(OTHER)
    await h.write(handle, 3, Buffer.from(' two'), { pid: OTHER })
    await h.filesystem.flush(handle, h.context())
    expect(await h.stored('f')).toBeUndefined()
    h.holders.clear()
    await h.closeFile(handle, { pid: OTHER })
    expect(await h.stored('f')).toBe('one two')
    expect(await kept(h)).toEqual([])
  })

  it('when a child that nobody knew of closes it later', async () => {
    const h = await harness()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('one'))
    h.killed.set(WRITER, SIGKILL)
    await h.filesystem.flush(handle, h.context())
    expect(await h.stored('f')).toBeUndefined()
    expect((await h.walk('f')).attributes.sizeBytes).toBe(3)
    await h.write(handle, 3, Buffer.from(' two'), { pid: OTHER })
    await h.closeFile(handle, { pid: OTHER })
    expect(await h.stored('f')).toBe('one two')
  })

  it('when another writer of the file closes it', async () => {
    const h = await harness()
    const { handle } = await h.create('f')
    const theirs = await h.open('f', { write: true }, { pid: OTHER })
    await h.write(handle, 0, Buffer.from('one'))
    await die(h, [handle])
    expect(await h.stored('f')).toBeUndefined()
    expect(await kept(h)).toEqual([])
    await h.closeFile(theirs, { pid: OTHER })
    expect(await h.stored('f')).toBe('one')
  })

  it('when its commit was under way', async () => {
    const store = new GatedStore(openMemoryStore('killed-under-way'))
    const h = await harness({ store })
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('text'))
    const gate = store.hold('put', 'after')
    const abort = new AbortController()
    const synced = h.filesystem.fsync(handle, h.context({ signal: abort.signal }))
    await gate.reached
    abort.abort()
    await expect(synced).rejects.toMatchObject({ errno: 'EINTR' })
    const dead = die(h, [handle])
    gate.open()
    await dead
    expect(await h.stored('f')).toBe('text')
    expect((await h.readFile('f')).toString()).toBe('text')
    expect(await kept(h)).toEqual([])
  })

  it('when the mount ends before its child does', async () => {
    const h = await harness()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('text'))
    expect(await h.filesystem.shutdown()).toEqual({ stored: 1, kept: [] })
    expect(await h.stored('f')).toBe('text')
  })
})

describe('whoever opens the file next', () => {
  it('begins with the old version, however long it takes to keep the bytes', async () => {
    const h = await harness()
    await h.writeFile('f', 'old')
    const handle = await h.open('f', { write: true })
    await h.write(handle, 0, Buffer.from('NEW'))
    h.killed.set(WRITER, SIGKILL)
    await h.filesystem.flush(handle, h.context())
    h.killed.clear()
    const released = h.filesystem.release(handle)
    await new Promise(setImmediate)
    const next = await h.open('f', { write: true })
    expect((await h.read(next, 0, 10)).toString()).toBe('old')
    await h.write(next, 3, Buffer.from('+'))
    await released
    await h.closeFile(next)
    expect(await h.stored('f')).toBe('old+')
    expect(await kept(h)).toMatchObject([{ text: 'NEW' }])
  })
})

describe('O_EXCL that asks the store at open', () => {
  it('has one winner of twenty mounts, and the others hear it at once', async () => {
    const mounts = await Promise.all(
      Array.from({ length: 20 }, () => harness({ bucket: 'shared-lock', exclusiveCreate: 'open' })),
    )
    const outcomes = await Promise.allSettled(mounts.map(h => h.create('lock')))
    const losers = outcomes.filter(outcome => outcome.status === 'rejected')
    expect(losers).toHaveLength(19)
    for (const { reason } of losers) expect(reason).toMatchObject({ errno: 'EEXIST' })
    for (const [index, outcome] of outcomes.entries()) {
      const h = mounts[index]
      if (h === undefined) continue
      expect(await h.stored('lock')).toBe('')
      expect(await kept(h)).toEqual([])
      if (outcome.status === 'fulfilled') await h.closeFile(outcome.value.handle)
      else expect((await h.walk('lock')).attributes.sizeBytes).toBe(0)
    }
  })

  it('stores what is written later over its own empty object', async () => {
    const h = await harness({ exclusiveCreate: 'open' })
    const { handle } = await h.create('f')
    expect(await h.stored('f')).toBe('')
    await h.write(handle, 0, Buffer.from('text'))
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('text')
  })

  it('asks nothing of who creates without O_EXCL', async () => {
    const h = await harness({ exclusiveCreate: 'open' })
    const { handle } = await h.create('f', { exclusive: false })
    expect(await h.stored('f')).toBeUndefined()
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('')
  })
})
