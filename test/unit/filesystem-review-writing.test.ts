import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { SILENT } from '../../src/backend/log.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { abortLeftUploads } from '../../src/fs/left-uploads.js'
import { StagingArea } from '../../src/fs/staging.js'
import { pattern } from '../support/bytes.js'
import { Harness, type HarnessOptions } from '../support/filesystem-harness.js'
import { GatedStore } from '../support/gated-store.js'
import { WriterHarness } from '../support/writer-harness.js'

const KIB = 1024
const MIB = 1024 * KIB
const PART = 64 * KIB
let buckets = 0
let opened: { close(): Promise<void> }[] = []

/** Small parts, so that little is much. */
async function gated(options: HarnessOptions = {}) {
  const rules = new FaultRules([])
  const store = new GatedStore(
    new FaultLayer(openMemoryStore(`review-writing-${++buckets}`, { minPartBytes: PART }), rules),
  )
  const h = await Harness.open({ partSizeBytes: PART, ...options, store })
  opened.push(h)
  return { h, store, rules }
}

async function writers(partBytes = PART) {
  const h = await WriterHarness.open(openMemoryStore(`review-writers-${++buckets}`, { minPartBytes: partBytes }), {
    partBytes,
  })
  opened.push(h)
  return h
}

afterEach(async () => {
  for (const one of opened) await one.close()
  opened = []
})

async function writeAll(h: Harness, handle: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += 16 * KIB) await h.write(handle, at, bytes.subarray(at, at + 16 * KIB))
}

async function storedBytes(h: Harness, key: string): Promise<Buffer> {
  return Buffer.from((await h.stored(key)) ?? '', 'latin1')
}

/** As many turns as calls that wait for nothing but each other, and for files of this disk, can take. */
async function turns(): Promise<void> {
  for (let i = 0; i < 200; i++) await readdir('.')
}

describe('a streamed file that staging has no room for', () => {
  it('is stored whole, or can not grow by what it was not written', async () => {
    const { h } = await gated({ maxStagingBytes: 0 })
    const bytes = pattern(3 * PART + 100)
    const { handle, entry } = await h.create('f')
    await writeAll(h, handle, bytes)
    const grow = h.filesystem.setattr(entry.node, { sizeBytes: 10 * PART }, handle, h.context())
    await expect(grow).rejects.toMatchObject({ errno: 'ENOSPC' })
    await expect(h.write(handle, 8 * PART, Buffer.from('far'))).rejects.toMatchObject({ errno: 'ENOSPC' })
    const kind = { kind: 'allocate', keepSize: false } as const
    await expect(h.filesystem.allocate(handle, 0, 8 * PART, kind, h.context())).rejects.toMatchObject({
      errno: 'ENOSPC',
    })
    await h.closeFile(handle)
    expect((await storedBytes(h, 'f')).equals(bytes)).toBe(true)
  })

  it('is not taken for whole when the driver dies and another finds it', async () => {
    const { h } = await gated({ maxStagingBytes: 3 * PART })
    const { handle } = await h.create('f')
    await writeAll(h, handle, pattern(10 * PART))
    const [id] = (await readdir(join(h.folder, 'staging'))).map(name => name.split('.')[0])
    const record = JSON.parse(await readFile(join(h.folder, 'staging', `${id}.json`), 'utf8'))
    await mkdir(join(h.folder, 'later', 'staging'), { recursive: true })
    await writeFile(join(h.folder, 'later', 'staging', 'x.data'), Buffer.alloc(10 * PART))
    await writeFile(join(h.folder, 'later', 'staging', 'x.json'), JSON.stringify(record))
    await StagingArea.open({
      folder: join(h.folder, 'later'),
      source: { url: 'mem://x' },
      maxBytes: 1e9,
      maxKeptBytes: 1e9,
      log: SILENT,
    })
    const kept = JSON.parse(await readFile(join(h.folder, 'later', 'kept', 'x.json'), 'utf8'))
    expect(kept).toMatchObject({ key: 'f' })
    expect(kept.ranges).toBeUndefined()
    await h.closeFile(handle)
  })
})

describe('a staging file', () => {
  it('shows a reader the bytes that were there when it began, though they are dropped meanwhile', async () => {
    const h = await writers()
    const file = await h.services.area.createFile({ key: 'f', baseEtag: undefined })
    const bytes = pattern(4 * MIB)
    await file.write(0, bytes)
    for (let i = 0; i < 20; i++) {
      const reads = Array.from({ length: 4 }, (_, n) => file.read(n * MIB, MIB))
      file.drop(0, 4 * MIB)
      const again = file.write(0, Buffer.from('new'))
      const [first, ...others] = await Promise.all(reads)
      expect(first?.subarray(3).equals(bytes.subarray(3, MIB))).toBe(true)
      for (const [n, read] of others.entries())
        expect(read.equals(bytes.subarray((n + 1) * MIB, (n + 2) * MIB))).toBe(true)
      await again
      expect((await file.read(0, 3)).toString()).toBe('new')
      await file.write(0, bytes)
    }
    await h.services.area.remove(file)
  })
})

describe('what is taken from another object', () => {
  it('is not asked for by a writer that has ended', async () => {
    const h = await writers()
    await h.store.put('a', pattern(1 * MIB))
    const version = await h.version('a')
    if (version === undefined) throw new Error('it is not there')
    const writer = await h.writer('b')
    writer.create('believed')
    expect(await writer.borrow(0, MIB, version, 0)).toBe(true)
    await Promise.all([writer.close(undefined), writer.fetchFrom('a')])
    expect(await readdir(join(h.folder, 'staging'))).toEqual([])
    expect(h.services.budget.takenBytes).toBe(0)
  })

  it('is there although the source is being stored anew', async () => {
    const { h, store } = await gated()
    const before = pattern(MIB)
    await h.writeFile('a', before)
    const source = await h.open('a', { write: true })
    await h.write(source, 0, Buffer.from('changed'))
    const gate = store.hold('complete', 'before')
    const closed = h.filesystem.fsync(source, h.context())
    await gate.reached
    const { handle } = await h.create('b')
    const copied = h.filesystem.copyFileRange(source, 0, handle, 0, MIB, h.context())
    await turns()
    gate.open()
    await closed
    expect(await copied).toBe(MIB)
    await h.closeFile(handle)
    expect((await storedBytes(h, 'b')).subarray(7).equals(before.subarray(7))).toBe(true)
    await h.closeFile(source)
  })

  it('is there although the source was stored anew while the target was being stored', async () => {
    const { h, store } = await gated()
    const before = pattern(MIB)
    await h.writeFile('a', before)
    const source = await h.open('a', { write: true })
    const { handle } = await h.create('b')
    await h.write(handle, 0, Buffer.from('x'))
    const gate = store.hold('put', 'before')
    const synced = h.filesystem.fsync(handle, h.context())
    await gate.reached
    const copied = h.filesystem.copyFileRange(source, 0, handle, 0, MIB, h.context())
    await turns()
    await h.write(source, 0, Buffer.from('changed'))
    await h.filesystem.fsync(source, h.context())
    gate.open()
    await synced
    expect(await copied).toBe(MIB)
    await h.closeFile(handle)
    expect((await storedBytes(h, 'b')).subarray(7).equals(before.subarray(7))).toBe(true)
    await h.closeFile(source)
  })

  it('is there although the source is renamed while the target is being stored', async () => {
    const { h, store } = await gated()
    const before = pattern(MIB)
    await h.writeFile('a', before)
    const source = await h.open('a')
    const { handle } = await h.create('b')
    expect(await h.filesystem.copyFileRange(source, 0, handle, 0, MIB, h.context())).toBe(MIB)
    const gate = store.hold('copyPart', 'before')
    const closed = h.closeFile(handle)
    await gate.reached
    const deleted = store.hold('delete', 'after')
    const renamed = h.rename('a', 'c')
    await deleted.reached
    gate.open()
    await turns()
    deleted.open()
    await renamed
    await closed
    expect((await storedBytes(h, 'b')).equals(before)).toBe(true)
    await h.closeFile(source)
  })

  it('is there although the source is being removed', async () => {
    const { h, store } = await gated()
    const before = pattern(MIB)
    await h.writeFile('a', before)
    const source = await h.open('a')
    const { handle } = await h.create('b')
    const gate = store.hold('get', 'after')
    const removed = h.unlink('a')
    await gate.reached
    const copied = h.filesystem.copyFileRange(source, 0, handle, 0, MIB, h.context())
    await turns()
    gate.open()
    await removed
    expect(await copied).toBe(MIB)
    await h.closeFile(handle)
    expect((await storedBytes(h, 'b')).equals(before)).toBe(true)
    await h.closeFile(source)
  })
})

describe('a file that is renamed', () => {
  it('is found under its new name after a crash, also where it was emptied first', async () => {
    const { h } = await gated()
    await h.writeFile('a', 'old')
    const handle = await h.open('a', { write: true, truncate: true })
    await writeAll(h, handle, pattern(2 * PART))
    await h.rename('a', 'b')
    const records = async () =>
      Promise.all(
        (await readdir(join(h.folder, 'staging')))
          .filter(name => name.endsWith('.json'))
          .map(name => readFile(join(h.folder, 'staging', name), 'utf8')),
      )
    await expect.poll(records).toEqual([expect.stringContaining('"key":"b"')])
    await h.closeFile(handle)
    expect((await storedBytes(h, 'b')).equals(pattern(2 * PART))).toBe(true)
  })

  it('leaves no upload behind that its last close does not wait for', async () => {
    const { h, store } = await gated()
    const { handle } = await h.create('a')
    await writeAll(h, handle, pattern(4 * PART))
    const gate = store.hold('abort', 'before')
    await h.rename('a', 'b')
    let isClosed = false
    const closed = h.closeFile(handle).then(() => {
      isClosed = true
    })
    await gate.reached
    await turns()
    expect(isClosed).toBe(false)
    gate.open()
    await closed
    expect(await h.store.listUploads()).toEqual([])
    expect(await readdir(join(h.folder, 'uploads'))).toEqual([])
  })
})

describe('a commit', () => {
  it('does not append twice where its answer was lost and a rename was asked for meanwhile', async () => {
    const { h, store, rules } = await gated()
    await h.writeFile('a', 'old\n')
    const handle = await h.open('a', { write: true, append: true })
    await h.write(handle, 0, Buffer.from('new\n'))
    rules.add({ operations: ['put'], nth: 1, fault: { kind: 'unavailable', when: 'after' } })
    const gate = store.hold('put', 'before')
    const closed = h.closeFile(handle).catch((error: unknown) => error)
    await gate.reached
    const renamed = h.rename('a', 'b').catch((error: unknown) => error)
    await turns()
    gate.open()
    await Promise.all([closed, renamed])
    const all = [await h.stored('a'), await h.stored('b')].filter(text => text !== undefined)
    for (const text of all) expect(text).not.toContain('new\nnew\n')
  })

  it('of attributes alone that fails leaves the attributes that are stored', async () => {
    const { h, rules } = await gated()
    await h.writeFile('a', 'old')
    const handle = await h.open('a', { write: true })
    await h.setattr('a', { mode: 0o600 })
    rules.add({ operations: ['copy'], fault: { kind: 'unavailable' } })
    await expect(h.closeFile(handle)).rejects.toMatchObject({ kind: 'unavailable' })
    rules.clear()
    expect((await h.walk('a')).attributes.mode & 0o777).toBe(0o644)
    const second = await h.open('a', { write: true })
    await h.write(second, 3, Buffer.from('+'))
    await h.closeFile(second)
    expect((await h.store.head('a')).metadata.mode).toBeUndefined()
  })
})

describe('a file that was removed and is open still', () => {
  it('sends nothing to the store', async () => {
    const { h } = await gated()
    const { handle } = await h.create('a')
    await h.unlink('a')
    h.requests()
    await writeAll(h, handle, pattern(6 * PART))
    expect((await h.read(handle, PART, PART)).equals(pattern(6 * PART).subarray(PART, 2 * PART))).toBe(true)
    await h.closeFile(handle)
    expect(h.requests()).toEqual({})
    expect(await readdir(join(h.folder, 'staging'))).toEqual([])
  })

  it('is not kept when the mount ends', async () => {
    const { h } = await gated()
    const { handle } = await h.create('a')
    await writeAll(h, handle, pattern(2 * PART))
    await h.unlink('a')
    await h.filesystem.shutdown()
    expect(await readdir(join(h.folder, 'staging'))).toEqual([])
  })
})

describe('a program that is killed while it opens a file', () => {
  it('has not emptied it', async () => {
    const { h } = await gated()
    await h.writeFile('a', pattern(4 * PART))
    const writing = await h.open('a', { write: true })
    await writeAll(h, writing, pattern(4 * PART))
    await h.closeFile(writing)
    const killed = new AbortController()
    const { node } = await h.walk('a')
    const opening = h.filesystem.open(
      node,
      { read: false, write: true, append: false, truncate: true, exclusive: false, sync: false, killPrivileges: false },
      h.context({ signal: killed.signal }),
    )
    // The kernel asks for the size once it is gone.
    const look = async () => {
      while ((await h.filesystem.getattr(node)).attributes.sizeBytes > 0) await Promise.resolve()
      killed.abort()
    }
    await Promise.all([look(), expect(opening).rejects.toMatchObject({ errno: 'EINTR' })])
    await turns()
    expect((await storedBytes(h, 'a')).equals(pattern(4 * PART))).toBe(true)
  })
})

describe('a truncation by path', () => {
  it('that loses leaves nothing to recover, since nobody wrote anything', async () => {
    const { h, store } = await gated()
    await h.writeFile('a', 'old text')
    const gate = store.hold('put', 'before')
    const { node } = await h.walk('a')
    const truncated = h.filesystem.setattr(node, { sizeBytes: 3 }, undefined, h.context())
    await gate.reached
    await h.putOutside('a', 'others')
    gate.open()
    await expect(truncated).rejects.toMatchObject({ kind: 'precondition-failed' })
    expect(await readdir(join(h.folder, 'kept'))).toEqual([])
    expect((await h.readFile('a')).toString()).toBe('others')
  })
})

describe('uploads that an earlier mount left', () => {
  it('do not keep each other from being aborted', async () => {
    const { h, rules } = await gated()
    const ids: string[] = []
    for (const key of ['a', 'b', 'c']) {
      const { uploadId } = await h.store.createUpload(key)
      ids.push(uploadId)
    }
    const area = await StagingArea.open({
      folder: h.folder,
      source: { url: 'mem://x' },
      maxBytes: 1e9,
      maxKeptBytes: 1e9,
      log: SILENT,
    })
    for (const [i, key] of ['a', 'b', 'c'].entries())
      await area.recordUpload({ key, uploadId: ids[i] ?? '', startedMs: 0 })
    rules.add({ operations: ['abort'], nth: 1, fault: { kind: 'denied' } })
    await abortLeftUploads(h.store, area, { olderThanMs: 1, clock: { nowMs: () => h.nowMs }, log: SILENT })
    expect(await h.store.listUploads()).toHaveLength(1)
    expect(await readdir(join(h.folder, 'uploads'))).toHaveLength(1)
  })
})
