import { describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { BlockSource } from '../../src/cache/block.js'
import { BlockCache } from '../../src/cache/block-cache.js'
import { BufferBudget } from '../../src/cache/buffer-budget.js'
import { MainLane } from '../../src/cache/lanes/main-lane.js'
import type { HeldBytes } from '../../src/cache/tier-recall.js'
import { harness } from '../support/filesystem-harness.js'

class WatchedBlocks extends BlockCache {
  held: HeldBytes | undefined

  override recallFrom(held: HeldBytes): void {
    this.held = held
  }
}

let stores = 0

/** A filesystem whose kernel holds `bytes` of every node, and answers when the test says so. */
async function setUp() {
  const store = openMemoryStore(`kernel-pages-${stores++}`)
  const memory = new BufferBudget(8 * 1024 * 1024)
  const blocks = new WatchedBlocks({ lane: new MainLane(store), memory, blockSizeBytes: 64 * 1024 })
  const asked: string[] = []
  let answer = () => {}
  const fs = await harness({
    store,
    blocks,
    kernelCache: {
      invalidateNode: () => {},
      invalidateEntry: () => {},
      retrieve: (node, offset, memory) => {
        asked.push(`${node} ${offset}`)
        memory.fill(1)
        return new Promise(resolve => {
          answer = () => resolve(memory.length)
        })
      },
    },
  })
  const put = async (key: string, data: string): Promise<BlockSource> => {
    const { etag } = await store.put(key, Buffer.from(data))
    return { key, etag, sizeBytes: data.length }
  }
  /** What is held of a version; `meanwhile` happens before the kernel answers. */
  const held = async (source: BlockSource, meanwhile: () => Promise<unknown> = async () => {}) => {
    const read = blocks.held?.read(source, 0, Buffer.alloc(4))
    await meanwhile()
    answer()
    return read
  }
  return { fs, put, held, asked }
}

it('who waits for what was read to be in the disk cache can be killed', async () => {
  class BusyBlocks extends BlockCache {
    override settled(): Promise<void> {
      return new Promise(() => {})
    }
  }
  const store = openMemoryStore(`kernel-pages-${stores++}`)
  const memory = new BufferBudget(8 * 1024 * 1024)
  const fs = await harness({
    store,
    blocks: new BusyBlocks({ lane: new MainLane(store), memory, blockSizeBytes: 64 * 1024 }),
  })
  await fs.putOutside('f', 'some bytes')
  const handle = await fs.open('f')
  const killed = new AbortController()
  const synced = fs.filesystem.fsync(handle, fs.context({ signal: killed.signal }))
  killed.abort()
  await expect(synced).rejects.toMatchObject({ errno: 'EINTR' })
  await fs.closeFile(handle)
})

describe('what the kernel holds of a version', () => {
  it('is that of the node which shows it', async () => {
    const { fs, put, held, asked } = await setUp()
    const version = await put('a/b/f', 'some bytes')
    expect(await held(version)).toBe(0)
    const { node } = await fs.walk('a/b/f')
    expect(await held(version)).toBe(4)
    expect(asked).toEqual([`${node} 0`])
    expect(await held({ ...version, etag: 'other' })).toBe(0)
    expect(await held({ ...version, sizeBytes: 9 })).toBe(0)
    expect(await held({ ...version, key: 'a/b' })).toBe(0)
    expect(asked).toHaveLength(1)
  })

  it('is nothing for a version that others have replaced', async () => {
    const { fs, put, held, asked } = await setUp()
    const before = await put('f', 'some bytes')
    await fs.walk('f')
    const after = await put('f', 'other ones')
    fs.nowMs += 60_000
    const { node } = await fs.walk('f')
    expect(await held(before)).toBe(0)
    expect(await held(after)).toBe(4)
    expect(asked).toEqual([`${node} 0`])
  })

  it('is nothing for a file that this mount has opened for writing, also when it has written nothing', async () => {
    const { fs, put, held, asked } = await setUp()
    const version = await put('f', 'some bytes')
    await fs.closeFile(await fs.open('f', { write: true }))
    expect(await held(version)).toBe(0)
    expect(asked).toEqual([])
  })

  it('is nothing for a file that is truncated, or what it was then', async () => {
    const { fs, put, held } = await setUp()
    const version = await put('f', 'some bytes')
    await fs.setattr('f', { sizeBytes: 3 })
    await fs.setattr('f', { sizeBytes: 10 })
    const { etag } = await fs.store.head('f')
    expect(await held(version)).toBe(0)
    expect(await held({ ...version, etag })).toBe(0)
  })

  it('is nothing where the file is opened for writing before the kernel has answered', async () => {
    const { fs, put, held, asked } = await setUp()
    const version = await put('f', 'some bytes')
    await fs.walk('f')
    expect(await held(version, async () => fs.closeFile(await fs.open('f', { write: true })))).toBe(0)
    expect(asked).toHaveLength(1)
  })
})
