import { describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { BlockCache } from '../../src/cache/block-cache.js'
import { BufferBudget } from '../../src/cache/buffer-budget.js'
import { MainLane } from '../../src/cache/lanes/main-lane.js'
import { MemoryBudget } from '../../src/fs/memory-budget.js'
import { leaverOf } from '../../src/fs/mutex.js'
import { pattern } from '../support/bytes.js'
import { GatedStore } from '../support/gated-store.js'
import { gated, PART, storedBytes, writeAll } from '../support/small-parts.js'

const KIB = 1024
const SIZE = 64 * KIB
let stores = 0

/** Reading and writing share 16 KiB. */
async function shared() {
  stores += 1
  const store = new GatedStore(openMemoryStore(`memory-budget-${stores}`))
  const bytes = pattern(SIZE)
  const { etag } = await store.put('f', bytes)
  const memory = new BufferBudget(16 * KIB)
  const cache = new BlockCache({ lane: new MainLane(store), memory, blockSizeBytes: KIB })
  return { store, memory, cache, writing: new MemoryBudget(memory), source: { key: 'f', etag, sizeBytes: SIZE }, bytes }
}

describe('memory that reading and writing share', () => {
  it('holds what was read until writers ask for it, who leave a quarter to reading', async () => {
    const { memory, cache, writing, source, bytes } = await shared()
    for (let at = 0; at < 16 * KIB; at += KIB) await cache.readBytes(source, at, KIB)
    expect(cache.heldBytes).toBe(16 * KIB)
    expect(writing.take(5 * KIB)).toBe(true)
    expect(cache.heldBytes).toBe(11 * KIB)
    expect(writing.take(8 * KIB)).toBe(false)
    expect(writing.take(7 * KIB)).toBe(true)
    expect(memory.takenBytes).toBe(16 * KIB)
    for (let at = 0; at < SIZE; at += KIB)
      expect((await cache.readBytes(source, at, KIB)).equals(bytes.subarray(at, at + KIB))).toBe(true)
    expect(cache.heldBytes).toBe(4 * KIB)
  })

  it('is not taken from readers that wait for the store', async () => {
    const { store, cache, writing, source, bytes } = await shared()
    const gate = store.hold('get', 'before')
    const read = cache.readBytes(source, 0, 12 * KIB)
    await gate.reached
    expect(writing.take(5 * KIB)).toBe(false)
    expect(writing.take(4 * KIB)).toBe(true)
    gate.open()
    expect((await read).equals(bytes.subarray(0, 12 * KIB))).toBe(true)
    await expect.poll(() => writing.take(5 * KIB)).toBe(true)
  })

  it('serves readers as soon as writers give it back', async () => {
    const { store, cache, writing, source, bytes } = await shared()
    writing.take(12 * KIB)
    const gate = store.hold('get', 'before')
    const first = cache.readBytes(source, 0, 2 * KIB)
    await gate.reached
    let isServed = false
    const second = cache.readBytes(source, 8 * KIB, 4 * KIB).then(read => {
      isServed = true
      return read
    })
    await cache.readBytes({ ...source, sizeBytes: 0 }, 0, 1)
    expect(isServed).toBe(false)
    writing.giveBack(12 * KIB)
    expect((await second).equals(bytes.subarray(8 * KIB, 12 * KIB))).toBe(true)
    gate.open()
    await first
  })

  it('is read ahead into as far as writers leave it', async () => {
    const { cache, writing } = await shared()
    expect(cache.aheadRoom({})).toBe(12 * KIB)
    writing.take(12 * KIB)
    expect(cache.aheadRoom({})).toBe(3 * KIB)
  })

  it('is waited for only where it comes free by itself', async () => {
    const { writing } = await shared()
    writing.take(12 * KIB)
    expect(await writing.freed()).toBe(false)
    let store = () => {}
    const part = writing.whileLeaving(
      new Promise<void>(resolve => {
        store = resolve
      }).then(() => writing.giveBack(4 * KIB)),
    )
    const leaving = new AbortController()
    const left = writing.freed(leaverOf(leaving.signal))
    leaving.abort()
    await expect(left).rejects.toMatchObject({ errno: 'EINTR' })
    const freed = writing.freed().then(isFreed => isFreed && writing.has(4 * KIB))
    store()
    expect(await freed).toBe(true)
    await part
    expect(await writing.freed()).toBe(false)
  })

  it('is waited for by a writer while parts of another are on their way, and staging has no room', async () => {
    const { h, store } = await gated({ maxStagingBytes: 0, writeMemoryBytes: 5 * PART })
    const gates = [1, 2, 3].map(() => store.hold('part', 'before'))
    const a = await h.create('a')
    const b = await h.create('b')
    const bytes = pattern(3 * PART)
    await writeAll(h, b.handle, bytes.subarray(0, PART))
    await writeAll(h, a.handle, bytes)
    await Promise.all(gates.map(gate => gate.reached))
    const write = h.write(b.handle, PART, bytes.subarray(PART, PART + KIB))
    gates[0]?.open()
    await write
    for (const gate of gates) gate.open()
    await h.closeFile(a.handle)
    await h.closeFile(b.handle)
    expect((await storedBytes(h, 'a')).equals(bytes)).toBe(true)
    expect((await storedBytes(h, 'b')).equals(bytes.subarray(0, PART + KIB))).toBe(true)
  })
})
