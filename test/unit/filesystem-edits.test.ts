import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { StoreLayer } from '../../src/backend/layers/store-layer.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { Capabilities, ObjectStore } from '../../src/backend/object-store.js'
import { StoreError } from '../../src/backend/store-error.js'
import { pattern } from '../support/bytes.js'
import { type Harness, harness } from '../support/filesystem-harness.js'
import { GatedStore } from '../support/gated-store.js'
import { grownBytes, RopeStore } from '../support/rope-store.js'

const MIB = 1024 * 1024
const GIB = 1024 * MIB

class NoPartCopies extends StoreLayer {
  override get capabilities(): Capabilities {
    return { ...this.inner.capabilities, copyPart: false }
  }
}

/** A store that tells what is kept beside the bytes when some of these have been asked for. */
class TraitsAfterGet extends StoreLayer {
  #hasRead: () => void = () => undefined
  readonly #read = new Promise<void>(resolve => {
    this.#hasRead = resolve
  })

  override get(...given: Parameters<ObjectStore['get']>): ReturnType<ObjectStore['get']> {
    this.#hasRead()
    return this.inner.get(...given)
  }

  override async traits(...given: Parameters<ObjectStore['traits']>): ReturnType<ObjectStore['traits']> {
    await this.#read
    return this.inner.traits(...given)
  }
}

/** Answers no GET while it is deaf. */
class Deaf extends StoreLayer {
  isDeaf = false

  override async get(...given: Parameters<ObjectStore['get']>): ReturnType<ObjectStore['get']> {
    if (this.isDeaf) throw new StoreError('unavailable', 'deaf', { operation: 'get', retryable: false })
    return this.inner.get(...given)
  }
}

/** A mount on a bucket with one large object. */
async function large(name: string, sizeBytes: number) {
  const ropes = new RopeStore(openMemoryStore(name))
  ropes.grow('big', sizeBytes)
  const h = await harness({ store: ropes })
  return { h, ropes }
}

function sentBytes(h: Harness): number {
  const counts = h.meter.snapshot()
  return (counts.put?.sentBytes ?? 0) + (counts.part?.sentBytes ?? 0)
}

function total(requests: Record<string, number>): number {
  return Object.values(requests).reduce((sum, count) => sum + count, 0)
}

async function bytesOf(store: RopeStore, key: string, offset: number, lengthBytes: number): Promise<Buffer> {
  const { body } = await store.get(key, { range: { offset, lengthBytes } })
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function keptBytes(h: Harness): Promise<Buffer[]> {
  const names = (await readdir(join(h.folder, 'kept'))).filter(name => name.endsWith('.data'))
  return Promise.all(names.map(name => readFile(join(h.folder, 'kept', name))))
}

describe('an edit of 4 KiB in the middle of 256 MiB', () => {
  it('sends little, asks little, and leaves every other byte', async () => {
    const { h, ropes } = await large('edit-middle', 256 * MIB)
    const handle = await h.open('big', { write: true })
    await h.write(handle, 128 * MIB + 77, Buffer.alloc(4096, 'x'))
    await h.closeFile(handle)
    const requests = h.requests()
    // What the part is filled up with comes by two requests side by side.
    expect(requests).toMatchObject({ createUpload: 1, copyPart: 2, part: 1, complete: 1, get: 2 })
    // Of two questions about traits one is answered by what a GET told.
    expect(total(requests)).toBeLessThanOrEqual(11)
    expect(sentBytes(h)).toBe(5 * MIB)
    const info = await ropes.head('big')
    expect(info.sizeBytes).toBe(256 * MIB)
    const around = Buffer.concat([
      grownBytes(128 * MIB - 1000, 1077),
      Buffer.alloc(4096, 'x'),
      grownBytes(128 * MIB + 77 + 4096, 10 * MIB),
    ])
    expect((await bytesOf(ropes, 'big', 128 * MIB - 1000, around.length)).equals(around)).toBe(true)
    expect((await bytesOf(ropes, 'big', 256 * MIB - 100, 100)).equals(grownBytes(256 * MIB - 100, 100))).toBe(true)
    expect(await readdir(join(h.folder, 'staging'))).toEqual([])
    expect(await readdir(join(h.folder, 'uploads'))).toEqual([])
  })

  it('fetches what it needs of the bytes while it asks for what is kept beside them', async () => {
    const ropes = new RopeStore(openMemoryStore('edit-beside'))
    ropes.grow('big', 64 * MIB)
    const store = new TraitsAfterGet(ropes)
    const h = await harness({ store })
    const handle = await h.open('big', { write: true })
    await h.write(handle, 20 * MIB, Buffer.from('edit'))
    await h.closeFile(handle)
    expect(h.requests()).toMatchObject({ traits: 2, get: 2, complete: 1 })
  })

  it('fails, and leaves no upload, when it can fetch nothing; the next one stores it', async () => {
    const ropes = new RopeStore(openMemoryStore('edit-unfetched'))
    ropes.grow('big', 2048 * MIB)
    const store = new Deaf(ropes)
    // One after the other: many parts come before the one that is to be filled up.
    const h = await harness({ store, uploadConcurrency: 1 })
    const handle = await h.open('big', { write: true })
    await h.write(handle, 2000 * MIB, Buffer.from('edit'))
    store.isDeaf = true
    await expect(h.filesystem.fsync(handle, h.context())).rejects.toMatchObject({ kind: 'unavailable' })
    expect(await ropes.listUploads()).toEqual([])
    store.isDeaf = false
    await h.closeFile(handle)
    expect((await bytesOf(ropes, 'big', 2000 * MIB, 4)).toString()).toBe('edit')
  })

  it('reads through the edit before and after the close', async () => {
    const { h } = await large('edit-read', 64 * MIB)
    const handle = await h.open('big', { write: true })
    await h.write(handle, 20 * MIB, Buffer.from('edit'))
    const expected = Buffer.concat([grownBytes(20 * MIB - 5, 5), Buffer.from('edit'), grownBytes(20 * MIB + 4, 5)])
    expect((await h.read(handle, 20 * MIB - 5, 14)).equals(expected)).toBe(true)
    await h.filesystem.fsync(handle, h.context())
    expect((await h.read(handle, 20 * MIB - 5, 14)).equals(expected)).toBe(true)
    await h.write(handle, 40 * MIB, Buffer.from('more'))
    await h.closeFile(handle)
    expect(h.requests()).toMatchObject({ complete: 2, part: 2 })
    const again = await h.open('big')
    expect((await h.read(again, 20 * MIB - 5, 14)).equals(expected)).toBe(true)
    expect((await h.read(again, 40 * MIB, 4)).toString()).toBe('more')
    await h.closeFile(again)
  })

  it('costs the loser of two editors ESTALE, whoever comes first to the parts, and keeps its bytes', async () => {
    const { h, ropes } = await large('edit-lost', 64 * MIB)
    const handle = await h.open('big', { write: true })
    await h.write(handle, 20 * MIB, Buffer.from('mine'))
    ropes.grow('big', 64 * MIB)
    await expect(h.filesystem.flush(handle, h.context())).rejects.toMatchObject({ kind: 'precondition-failed' })
    await h.filesystem.release(handle)
    expect((await keptBytes(h))[0]?.subarray(-4).toString()).toBe('mine')
    expect(await readdir(join(h.folder, 'uploads'))).toEqual([])
  })

  it('is the loser also where the object was removed meanwhile', async () => {
    const h = await harness()
    await h.store.put('f', pattern(12 * MIB))
    const handle = await h.open('f', { write: true })
    await h.write(handle, 6 * MIB, Buffer.from('mine'))
    await h.store.delete([{ key: 'f' }])
    await expect(h.filesystem.flush(handle, h.context())).rejects.toMatchObject({ kind: 'precondition-failed' })
    await h.filesystem.release(handle)
    expect(await h.stored('f')).toBeUndefined()
  })
})

describe('an append to a large object', () => {
  it('sends what was appended and fetches nothing', async () => {
    const { h, ropes } = await large('append', 256 * MIB)
    const handle = await h.open('big', { write: true, append: true })
    await h.write(handle, 0, Buffer.alloc(1000, 'y'))
    await h.closeFile(handle)
    const requests = h.requests()
    expect(requests).toMatchObject({ createUpload: 1, copyPart: 1, part: 1, complete: 1 })
    expect(requests.get).toBeUndefined()
    expect(total(requests)).toBeLessThanOrEqual(10)
    expect(sentBytes(h)).toBe(1000)
    const tail = Buffer.concat([grownBytes(256 * MIB - 10, 10), Buffer.alloc(1000, 'y')])
    expect((await bytesOf(ropes, 'big', 256 * MIB - 10, 2000)).equals(tail)).toBe(true)
  })

  it('works on more than one copy can hold', async () => {
    const { h, ropes } = await large('append-huge', 11 * GIB)
    const handle = await h.open('big', { write: true, append: true })
    await h.write(handle, 0, Buffer.from('end'))
    await h.closeFile(handle)
    expect(h.requests()).toMatchObject({ copyPart: 22, part: 1 })
    expect((await bytesOf(ropes, 'big', 11 * GIB - 1, 10)).subarray(1).toString()).toBe('end')
  })
})

describe('many edits', () => {
  it('are sent together where they lie close, and fetched with few requests', async () => {
    const { h, ropes } = await large('many-edits', 96 * MIB)
    const handle = await h.open('big', { write: true })
    for (let i = 0; i < 40; i++) await h.write(handle, 30 * MIB + i * 100_000, Buffer.from(`edit ${i}`))
    await h.write(handle, 80 * MIB, Buffer.from('far'))
    await h.closeFile(handle)
    // Two ranges, each by two requests side by side.
    expect(h.requests()).toMatchObject({ get: 4, part: 2, copyPart: 3 })
    for (let i = 0; i < 40; i++)
      expect((await bytesOf(ropes, 'big', 30 * MIB + i * 100_000, 7)).toString()).toMatch(/^edit \d/)
    expect((await bytesOf(ropes, 'big', 30 * MIB + 50_000, 10)).equals(grownBytes(30 * MIB + 50_000, 10))).toBe(true)
  })

  it('rewrite the file where the store copies no parts', async () => {
    const inner = openMemoryStore('no-copy-part')
    const store = new NoPartCopies(inner)
    const h = await harness({ store })
    const bytes = pattern(13 * MIB)
    await inner.put('f', bytes)
    const handle = await h.open('f', { write: true })
    await h.write(handle, 7 * MIB, Buffer.from('edit'))
    bytes.set(Buffer.from('edit'), 7 * MIB)
    await h.closeFile(handle)
    expect(h.requests().copyPart).toBeUndefined()
    expect(Buffer.from((await h.stored('f')) ?? '', 'latin1').equals(bytes)).toBe(true)
  })

  it('made while a commit sends its parts are the next commit’s', async () => {
    const inner = openMemoryStore('edit-while-committing')
    const gated = new GatedStore(inner)
    const h = await harness({ store: gated })
    const bytes = pattern(20 * MIB)
    await inner.put('f', bytes)
    const handle = await h.open('f', { write: true })
    await h.write(handle, 8 * MIB, Buffer.from('first'))
    const gate = gated.hold('complete', 'before')
    const synced = h.filesystem.fsync(handle, h.context())
    await gate.reached
    const written = h.write(handle, 8 * MIB + 2, Buffer.from('SECOND'))
    gate.open()
    await synced
    await written
    bytes.set(Buffer.from('first'), 8 * MIB)
    expect(Buffer.from((await h.stored('f')) ?? '', 'latin1').equals(bytes)).toBe(true)
    await h.closeFile(handle)
    bytes.set(Buffer.from('SECOND'), 8 * MIB + 2)
    expect(Buffer.from((await h.stored('f')) ?? '', 'latin1').equals(bytes)).toBe(true)
  })
})

describe('a log that two mounts append to', () => {
  it('holds what both wrote, also where both made it', async () => {
    const [a, b] = [await harness({ bucket: 'two-logs' }), await harness({ bucket: 'two-logs' })]
    const first = await a.create('log', { append: true, exclusive: false }, 0o600)
    const second = await b.create('log', { append: true, exclusive: false })
    await a.write(first.handle, 0, Buffer.from('a1\n'))
    await b.write(second.handle, 0, Buffer.from('b1\n'))
    await a.closeFile(first.handle)
    await b.filesystem.fsync(second.handle, b.context())
    expect((await b.read(second.handle, 0, 100)).toString()).toBe('a1\nb1\n')
    await b.write(second.handle, 0, Buffer.from('b2\n'))
    await b.closeFile(second.handle)
    expect(await a.stored('log')).toBe('a1\nb1\nb2\n')
    expect((await b.walk('log')).attributes).toMatchObject({ mode: 0o100600, sizeBytes: 9 })
    expect(b.invalidated).toContain(`node ${second.entry.node}`)
  })

  it('keeps what the other mount stored beside it', async () => {
    const [a, b] = [await harness({ bucket: 'log-headers' }), await harness({ bucket: 'log-headers' })]
    await a.writeFile('log', 'old\n')
    const handle = await b.open('log', { write: true, append: true })
    await b.write(handle, 0, Buffer.from('b\n'))
    const put = { metadata: { owner: 'somebody' }, headers: { contentType: 'text/x-log' } }
    await a.store.put('log', Buffer.from('old\na\n'), put)
    await b.closeFile(handle)
    expect(await a.stored('log')).toBe('old\na\nb\n')
    expect(await a.store.head('log')).toMatchObject(put)
  })
})

describe('copying a range of another file', () => {
  it('happens on the server, and the source may change its attributes before the close', async () => {
    const h = await harness()
    await h.writeFile('source', pattern(12 * MIB))
    const sent = sentBytes(h)
    const from = await h.open('source')
    const { handle } = await h.create('copy')
    expect(await h.filesystem.copyFileRange(from, 0, handle, 0, 1e12, h.context())).toBe(12 * MIB)
    const { etag } = await h.store.head('source')
    await h.setattr('source', { mode: 0o600 })
    expect((await h.store.head('source')).etag).not.toBe(etag)
    h.requests()
    await h.closeFile(handle)
    expect(h.requests()).toEqual({ createUpload: 1, copyPart: 1, complete: 1 })
    expect(sentBytes(h)).toBe(sent)
    expect(Buffer.from((await h.stored('copy')) ?? '', 'latin1').equals(pattern(12 * MIB))).toBe(true)
    await h.closeFile(from)
  })
})

describe('going back into what was streamed', () => {
  it('sends only the part again that was patched', async () => {
    const h = await harness()
    const bytes = pattern(31 * MIB)
    const { handle } = await h.create('mp4')
    for (let at = 0; at < bytes.length; at += MIB) await h.write(handle, at, bytes.subarray(at, at + MIB))
    await h.write(handle, 4, Buffer.from('HEADER'))
    bytes.set(Buffer.from('HEADER'), 4)
    await h.closeFile(handle)
    expect(Buffer.from((await h.stored('mp4')) ?? '', 'latin1').equals(bytes)).toBe(true)
    expect(sentBytes(h)).toBe(bytes.length + 5 * MIB)
    expect(h.requests()).toMatchObject({ createUpload: 1, part: 8, complete: 1 })
  })
})
