import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { RetryLayer } from '../../src/backend/layers/retry/retry-layer.js'
import { StoreLayer } from '../../src/backend/layers/store-layer.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { Body, ObjectStore, PutOptions, WriteResult } from '../../src/backend/object-store.js'
import { StoreError } from '../../src/backend/store-error.js'
import { pattern } from '../support/bytes.js'
import { type Harness, type HarnessOptions, harness } from '../support/filesystem-harness.js'

const KIB = 1024
let buckets = 0

/** A store that the first PUT does not reach; its sender is told that nobody knows, after others have done something. */
class LostBefore extends StoreLayer {
  #others: (() => Promise<unknown>) | undefined

  constructor(inner: ObjectStore, others: () => Promise<unknown>) {
    super(inner)
    this.#others = others
  }

  override async put(key: string, body: Body, options?: PutOptions): Promise<WriteResult> {
    const others = this.#others
    this.#others = undefined
    if (others === undefined) return this.inner.put(key, body, options)
    await others()
    throw new StoreError('unavailable', 'put: no answer', { ambiguous: true, retryable: true })
  }
}

/** A filesystem whose first request of this kind is carried out, and its answer lost for good. */
async function losing(
  operation: 'put' | 'complete',
  options: HarnessOptions = {},
): Promise<{ h: Harness; bare: ObjectStore }> {
  const bare = openMemoryStore(`unknown-outcomes-${++buckets}`, { minPartBytes: 1 })
  const rules = new FaultRules([{ operations: [operation], nth: 1, fault: { kind: 'unavailable', when: 'after' } }])
  const store = new RetryLayer(new FaultLayer(bare, rules), { maxAttempts: 1 })
  return { h: await harness({ store, partSizeBytes: 4 * KIB, ...options }), bare }
}

async function createdAs(h: Harness, name: string, text: string): Promise<number> {
  const { handle } = await h.create(name)
  await h.write(handle, 0, Buffer.from(text))
  return handle
}

/** An fsync whose answer is lost. */
async function syncUnanswered(h: Harness, handle: number): Promise<void> {
  await expect(h.filesystem.fsync(handle, h.context())).rejects.toMatchObject({ kind: 'unavailable', ambiguous: true })
}

async function created(h: Harness, data: Uint8Array, flags = {}): Promise<number> {
  const { handle } = await h.create('f', flags)
  for (let at = 0; at < data.length; at += KIB) await h.write(handle, at, data.subarray(at, at + KIB))
  await syncUnanswered(h, handle)
  return handle
}

const keptIn = (h: Harness) => readdir(join(h.folder, 'kept'))

describe('a file that may be stored, though its program was told otherwise', () => {
  it('is no conflict with itself when it is closed', async () => {
    const { h } = await losing('put')
    await h.closeFile(await created(h, Buffer.from('text')))
    expect(await h.stored('f')).toBe('text')
    expect(await keptIn(h)).toEqual([])
    expect((await h.readFile('f')).toString()).toBe('text')
  })

  it('nor is what was edited', async () => {
    const { h, bare } = await losing('put')
    await bare.put('f', Buffer.from('text'))
    const handle = await h.open('f', { write: true })
    await h.write(handle, 0, Buffer.from('n'))
    await syncUnanswered(h, handle)
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('next')
    expect(await keptIn(h)).toEqual([])
  })

  it('nor one that was sent in parts', async () => {
    const { h } = await losing('complete')
    const data = pattern(50 * KIB)
    const handle = await created(h, data)
    await h.closeFile(handle)
    expect((await h.readFile('f')).equals(data)).toBe(true)
    expect(await keptIn(h)).toEqual([])
  })

  it('is shown as the bucket has it to who comes after its program has given up', async () => {
    const { h, bare } = await losing('put')
    await bare.put('f', Buffer.from('text'))
    const handle = await h.open('f', { write: true })
    await h.write(handle, 0, Buffer.from('next one'))
    await syncUnanswered(h, handle)
    await h.filesystem.release(handle)
    await expect.poll(() => keptIn(h)).toHaveLength(2)
    expect((await h.walk('f')).attributes.sizeBytes).toBe(8)
    expect((await h.readFile('f')).toString()).toBe('next one')
  })

  it('is one with what others have made of it', async () => {
    const { h, bare } = await losing('put')
    const handle = await created(h, Buffer.from('text'))
    await bare.put('f', Buffer.from('theirs'))
    await expect(h.closeFile(handle)).rejects.toMatchObject({ errno: 'EEXIST' })
    expect(await h.stored('f')).toBe('theirs')
    await expect.poll(() => keptIn(h)).toHaveLength(2)
  })

  it('is no lock that two have taken', async () => {
    const { h, bare } = await losing('put')
    const handle = await created(h, new Uint8Array(0))
    await bare.put('f', new Uint8Array(0))
    await expect(h.closeFile(handle)).rejects.toMatchObject({ errno: 'EEXIST' })
  })

  it('goes from the bucket when its name is removed', async () => {
    const { h } = await losing('put')
    const handle = await created(h, Buffer.from('text'))
    expect(await h.stored('f')).toBe('text')
    await h.unlink('f')
    expect(await h.stored('f')).toBeUndefined()
    await h.closeFile(handle)
    expect(await h.stored('f')).toBeUndefined()
  })

  it('is not left under the old name when it is renamed', async () => {
    const { h } = await losing('put')
    const handle = await created(h, Buffer.from('text'))
    await h.rename('f', 'g')
    await h.closeFile(handle)
    expect(await h.stored('f')).toBeUndefined()
    expect(await h.stored('g')).toBe('text')
  })

  it('leaves what others have stored meanwhile under the old name when it is renamed', async () => {
    const { h, bare } = await losing('put')
    const handle = await created(h, Buffer.from('text'))
    await bare.put('f', Buffer.from('theirs'))
    await h.rename('f', 'g')
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('theirs')
    expect(await h.stored('g')).toBe('text')
    expect(await h.list('')).toEqual(['f', 'g'])
  })

  it('is not left under the old name when it was to replace another file there', async () => {
    const { h, bare } = await losing('put')
    await bare.put('g', Buffer.from('older text'))
    const handle = await createdAs(h, 'f', 'text')
    await h.rename('f', 'g')
    await syncUnanswered(h, handle)
    expect(await h.stored('g')).toBe('text')
    await h.rename('g', 'i')
    await h.closeFile(handle)
    expect(await h.list('')).toEqual(['i'])
    expect(await h.stored('i')).toBe('text')
  })

  it('goes from the bucket with the name of a file that has replaced it', async () => {
    const { h } = await losing('put')
    const old = await created(h, Buffer.from('text'))
    const handle = await createdAs(h, 'g', 'next')
    await h.rename('g', 'f')
    await h.unlink('f')
    for (const open of [old, handle]) await h.closeFile(open)
    expect(await h.stored('f')).toBeUndefined()
  })

  it('is not left where a file that has replaced it is renamed once more', async () => {
    const { h } = await losing('put')
    const old = await created(h, Buffer.from('text'))
    const handle = await createdAs(h, 'g', 'next')
    await h.rename('g', 'f')
    await h.rename('f', 'i')
    for (const open of [old, handle]) await h.closeFile(open)
    expect(await h.list('')).toEqual(['i'])
    expect(await h.stored('i')).toBe('next')
  })

  it('leaves what others have stored there when it is renamed, also where it is as large', async () => {
    const { h, bare } = await losing('put')
    const handle = await created(h, Buffer.from('text'))
    await bare.put('f', Buffer.from('their'.slice(0, 4)))
    await h.rename('f', 'g')
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('thei')
    expect(await h.stored('g')).toBe('text')
  })

  it('or when its name is removed', async () => {
    const { h, bare } = await losing('put')
    const handle = await created(h, Buffer.from('text'))
    await bare.put('f', Buffer.from('thei'))
    await h.unlink('f')
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('thei')
    expect(await h.list('')).toEqual(['f'])
  })

  it('goes with its name also when it was written on since', async () => {
    const { h } = await losing('put')
    const handle = await created(h, Buffer.from('text'))
    await h.write(handle, 0, Buffer.from('next'))
    await h.rename('f', 'g')
    await h.closeFile(handle)
    expect(await h.list('')).toEqual(['g'])
    expect(await h.stored('f')).toBeUndefined()
    expect(await h.stored('g')).toBe('next')
  })

  it('goes with its name when it was sent in parts', async () => {
    const { h } = await losing('complete')
    const data = pattern(50 * KIB)
    const handle = await created(h, data)
    await h.rename('f', 'g')
    await h.closeFile(handle)
    expect(await h.stored('f')).toBeUndefined()
    expect((await h.readFile('g')).equals(data)).toBe(true)
  })

  it('is written on and stored anew', async () => {
    const { h } = await losing('put')
    const handle = await created(h, Buffer.from('text'))
    await h.write(handle, 4, Buffer.from(' and more'))
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('text and more')
    expect(await keptIn(h)).toEqual([])
  })

  it('is appended to line by line, though one of them got no answer', async () => {
    const { h, bare } = await losing('put')
    await bare.put('f', Buffer.from('one\n'))
    const handle = await h.open('f', { write: true, append: true })
    await h.write(handle, 0, Buffer.from('two\n'))
    await syncUnanswered(h, handle)
    await h.write(handle, 0, Buffer.from('three\n'))
    await h.filesystem.fsync(handle, h.context())
    await h.write(handle, 0, Buffer.from('four\n'))
    await h.closeFile(handle)
    expect(await h.stored('f')).toBe('one\ntwo\nthree\nfour\n')
    expect(await keptIn(h)).toEqual([])
  })

  it('is renamed when it was edited', async () => {
    const { h, bare } = await losing('put')
    await bare.put('f', Buffer.from('text'))
    const handle = await h.open('f', { write: true })
    await h.write(handle, 0, Buffer.from('n'))
    await syncUnanswered(h, handle)
    await h.write(handle, 1, Buffer.from('o'))
    await h.rename('f', 'g')
    await h.closeFile(handle)
    expect(await h.stored('f')).toBeUndefined()
    expect(await h.stored('g')).toBe('noxt')
  })

  it('moves with its folder, and is written on there', async () => {
    const { h, bare } = await losing('put')
    await bare.put('a/', new Uint8Array(0))
    const handle = await createdAs(h, 'a/f', 'text')
    await syncUnanswered(h, handle)
    await h.rename('a', 'b')
    await h.write(handle, 4, Buffer.from(' and more'))
    await h.closeFile(handle)
    expect(await h.stored('a/f')).toBeUndefined()
    expect(await h.stored('b/f')).toBe('text and more')
    expect(await keptIn(h)).toEqual([])
  })

  it('moves with its folder when it was edited', async () => {
    const { h, bare } = await losing('put')
    await bare.put('a/f', Buffer.from('text'))
    const handle = await h.open('a/f', { write: true })
    await h.write(handle, 0, Buffer.from('n'))
    await syncUnanswered(h, handle)
    await h.rename('a', 'b')
    await h.write(handle, 1, Buffer.from('o'))
    await h.closeFile(handle)
    expect(await h.list('b')).toEqual(['f'])
    expect(await h.stored('b/f')).toBe('noxt')
  })

  it('gives what was not edited, which is in another version now', async () => {
    const { h, bare } = await losing('complete')
    const data = pattern(50 * KIB)
    await bare.put('f', data)
    const handle = await h.open('f', { write: true })
    await h.write(handle, 0, Buffer.from('edited'))
    await syncUnanswered(h, handle)
    data.write('edited')
    expect((await h.read(handle, 40 * KIB, KIB)).equals(data.subarray(40 * KIB, 41 * KIB))).toBe(true)
    await h.write(handle, 20 * KIB, Buffer.from('again'))
    data.write('again', 20 * KIB)
    await h.closeFile(handle)
    expect((await h.readFile('f')).equals(data)).toBe(true)
    expect(await keptIn(h)).toEqual([])
  })

  it('is copied from within itself meanwhile', async () => {
    const { h, bare } = await losing('complete')
    const data = pattern(50 * KIB)
    await bare.put('f', data)
    const handle = await h.open('f', { write: true })
    await h.write(handle, 0, Buffer.from('edited'))
    await syncUnanswered(h, handle)
    data.write('edited')
    const range = [8 * KIB, handle, 60 * KIB, 40 * KIB] as const
    expect(await h.filesystem.copyFileRange(handle, ...range, h.context())).toBe(40 * KIB)
    await h.closeFile(handle)
    const copied = Buffer.concat([data, Buffer.alloc(10 * KIB), data.subarray(8 * KIB, 48 * KIB)])
    expect((await h.readFile('f')).equals(copied)).toBe(true)
  })

  it('is no lock that two have taken where the answer was lost before the store had heard of it', async () => {
    const bare = openMemoryStore(`unknown-outcomes-${++buckets}`)
    const lost = new LostBefore(bare, () => bare.put('f', new Uint8Array(0), { ifNoneMatch: '*' }))
    const h = await harness({ store: new RetryLayer(lost, { baseDelayMs: 1 }) })
    const { handle } = await h.create('f')
    await expect(h.closeFile(handle)).rejects.toMatchObject({ errno: 'EEXIST' })
  })

  it.each([
    ['folder', 'd/', '', (h: Harness) => h.mkdir('d')],
    ['link', 'l', 'x', (h: Harness) => h.filesystem.symlink(1, Buffer.from('l'), Buffer.from('x'), h.context())],
    ['pipe', 'p', '', (h: Harness) => h.filesystem.mknod(1, Buffer.from('p'), 0o010644, 0, h.context())],
  ] as const)('is no %s that two have made', async (_, key, body, make) => {
    const bare = openMemoryStore(`unknown-outcomes-${++buckets}`)
    const other = await harness({ store: openMemoryStore(`unknown-outcomes-${++buckets}`) })
    await make(other)
    const { metadata, headers } = await other.store.head(key)
    const lost = new LostBefore(bare, () => bare.put(key, Buffer.from(body), { metadata, headers }))
    const h = await harness({ store: new RetryLayer(lost, { baseDelayMs: 1 }) })
    await expect(make(h)).rejects.toMatchObject({ errno: 'EEXIST' })
  })

  it('is a lock that is taken where the answer was lost afterwards', async () => {
    const bare = openMemoryStore(`unknown-outcomes-${++buckets}`)
    const rules = new FaultRules([{ operations: ['put'], nth: 1, fault: { kind: 'unavailable', when: 'after' } }])
    const h = await harness({ store: new RetryLayer(new FaultLayer(bare, rules), { baseDelayMs: 1 }) })
    await h.closeFile((await h.create('f')).handle)
    expect(await h.list('')).toEqual(['f'])
    await h.filesystem.setattr((await h.walk('f')).node, { mode: 0o600 }, undefined, h.context())
    expect((await bare.head('f')).metadata).toMatchObject({ mode: String(0o100600) })
    expect(Object.keys((await bare.head('f')).metadata)).not.toContain('mount-bucket-write-id')
  })

  it('is no lock that nobody holds, where opening it was to take it', async () => {
    const { h, bare } = await losing('put', { exclusiveCreate: 'open' })
    await expect(h.create('f')).rejects.toMatchObject({ ambiguous: true })
    await expect.poll(() => h.stored('f')).toBeUndefined()
    await h.closeFile((await h.create('f')).handle)
    expect((await bare.head('f')).sizeBytes).toBe(0)
  })

  it('leaves the lock of another one where opening it was to take it', async () => {
    const bare = openMemoryStore(`unknown-outcomes-${++buckets}`)
    const lost = new LostBefore(bare, () => bare.put('f', new Uint8Array(0), { ifNoneMatch: '*' }))
    const h = await harness({ store: new RetryLayer(lost, { maxAttempts: 1 }), exclusiveCreate: 'open' })
    await expect(h.create('f')).rejects.toMatchObject({ ambiguous: true })
    await h.filesystem.shutdown()
    expect(await h.stored('f')).toBe('')
  })
})
