import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { StoreLayer } from '../../src/backend/layers/store-layer.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import type { CopyOptions, ObjectTraits, WriteResult } from '../../src/backend/object-store.js'
import { type Harness, harness } from '../support/filesystem-harness.js'

let buckets = 0

const newStore = () => openMemoryStore(`rename-files-${++buckets}`)
const EXCHANGE = { noReplace: false, exchange: true }
const NO_REPLACE = { noReplace: true, exchange: false }
const MIB = 1024 * 1024

async function stagingOf(h: Harness): Promise<string[]> {
  return [...(await readdir(join(h.folder, 'staging'))), ...(await readdir(join(h.folder, 'kept')))]
}

describe('a file that is removed or renamed over while it is open', () => {
  for (const [how, remove] of [
    ['removed', (h: Harness) => h.unlink('f')],
    ['renamed over', (h: Harness) => h.rename('other', 'f')],
    ['renamed over by a file that is not stored', (h: Harness) => h.rename('unstored', 'f')],
  ] as const)
    it(`is read and written on when ${how}, and nothing of it is stored`, async () => {
      const h = await harness()
      const bytes = Buffer.alloc(12 * MIB, 'abcdefg')
      await h.putOutside('f', bytes.toString('latin1'))
      await h.putOutside('other', 'other')
      const unstored = (await h.create('unstored')).handle
      await h.write(unstored, 0, Buffer.from('unstored'))
      const reader = await h.open('f')
      const writer = await h.open('f', { write: true })
      const { node } = await h.walk('f')
      await remove(h)
      expect((await h.filesystem.getattr(node)).attributes.nlink).toBe(0)
      for (const at of [0, 5 * MIB, 12 * MIB - 100])
        expect(await h.read(reader, at, 100)).toEqual(bytes.subarray(at, at + 100))
      await h.write(writer, 12 * MIB, Buffer.from('more'))
      expect((await h.read(reader, 12 * MIB, 100)).toString()).toBe('more')
      await h.filesystem.setattr(node, { mode: 0o600 }, reader, h.context())
      await h.filesystem.setattr(node, { sizeBytes: 3 }, writer, h.context())
      expect((await h.read(reader, 0, 100)).toString()).toBe('abc')
      h.requests()
      await h.closeFile(writer)
      expect((await h.read(reader, 0, 100)).toString()).toBe('abc')
      await h.closeFile(reader)
      expect(h.requests()).toEqual({})
      await h.closeFile(unstored)
      expect(await stagingOf(h)).toEqual([])
      const expected = { removed: undefined, 'renamed over': 'other' }[how as string]
      if (how !== 'renamed over by a file that is not stored') expect(await h.stored('f')).toBe(expected)
      else expect(await h.stored('f')).toBe('unstored')
    })

  it('is not fetched when nobody has it open', async () => {
    const h = await harness()
    await h.putOutside('f', 'content')
    await h.walk('f')
    h.requests()
    await h.unlink('f')
    expect(h.requests().get).toBeUndefined()
  })

  it('goes all the same where staging has no room for it: reading beyond what is held is ESTALE', async () => {
    const heard: string[] = []
    const hear = (message: string) => heard.push(message)
    const log = { debug: () => {}, info: () => {}, warn: hear, error: hear }
    const h = await harness({ maxStagingBytes: 8 * MIB, log })
    await h.putOutside('f', 'x'.repeat(20 * MIB))
    const reader = await h.open('f')
    await h.unlink('f')
    expect(await h.stored('f')).toBeUndefined()
    expect(heard.filter(message => message.includes('--staging-size'))).toHaveLength(1)
    await expect(h.read(reader, 19 * MIB, 100)).rejects.toMatchObject({ errno: 'ESTALE' })
    await h.closeFile(reader)
    expect(await stagingOf(h)).toEqual([])
  })

  it('is as before when removing it fails', async () => {
    const rules = new FaultRules([])
    const h = await harness({ store: new FaultLayer(newStore(), rules) })
    await h.putOutside('f', 'content')
    const reader = await h.open('f')
    rules.add({ operations: ['delete'], nth: 1, fault: { kind: 'denied' } })
    await expect(h.unlink('f')).rejects.toMatchObject({ kind: 'denied' })
    expect((await h.read(reader, 0, 100)).toString()).toBe('content')
    await h.setattr('f', { sizeBytes: 3 })
    expect(await h.stored('f')).toBe('con')
    await h.closeFile(reader)
  })

  it('stays readable when its writer, who never stored it, is gone', async () => {
    const h = await harness()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('never stored'))
    const reader = await h.open('f')
    await h.unlink('f')
    await h.closeFile(handle)
    expect((await h.read(reader, 0, 100)).toString()).toBe('never stored')
    await h.closeFile(reader)
    expect((await h.store.list()).objects).toEqual([])
  })
})

describe('renaming a file', () => {
  it('swaps two files that are not stored yet, and no others', async () => {
    const h = await harness()
    await h.mkdir('d')
    const a = (await h.create('a')).handle
    const b = (await h.create('d/b')).handle
    await h.write(a, 0, Buffer.from('A'))
    await h.write(b, 0, Buffer.from('B'))
    await h.rename('a', 'd/b', EXCHANGE)
    await h.closeFile(a)
    await expect(h.rename('a', 'd/b', EXCHANGE)).rejects.toMatchObject({ errno: 'EINVAL' })
    await h.closeFile(b)
    expect(await h.stored('a')).toBe('B')
    expect(await h.stored('d/b')).toBe('A')
    await expect(h.rename('a', 'd/b', EXCHANGE)).rejects.toMatchObject({ errno: 'EINVAL' })
    await expect(h.rename('a', 'missing', EXCHANGE)).rejects.toMatchObject({ errno: 'ENOENT' })
  })

  it('never replaces with NOREPLACE what others made meanwhile', async () => {
    const h = await harness()
    await h.writeFile('a', 'mine')
    expect(await h.tryWalk('b')).toBeUndefined()
    await h.putOutside('b', 'theirs')
    await expect(h.rename('a', 'b', NO_REPLACE)).rejects.toMatchObject({ errno: 'EEXIST' })
    expect(await h.stored('b')).toBe('theirs')
    expect((await h.readFile('b')).toString()).toBe('theirs')
  })

  it('shows what came of a rename whose answer was lost', async () => {
    const rules = new FaultRules([])
    const h = await harness({ store: new FaultLayer(newStore(), rules) })
    await h.writeFile('a', 'content')
    expect(await h.tryWalk('b')).toBeUndefined()
    rules.add({ operations: ['copy'], nth: 1, fault: { kind: 'unavailable', when: 'after' } })
    await expect(h.rename('a', 'b')).rejects.toMatchObject({ kind: 'unavailable' })
    expect((await h.readFile('a')).toString()).toBe('content')
    expect((await h.readFile('b')).toString()).toBe('content')
  })

  it('keeps what a copy would lose, of objects that others made', async () => {
    const copied: (ObjectTraits | undefined)[] = []
    class TraitsStore extends StoreLayer {
      override async traits(): Promise<ObjectTraits> {
        return { storageClass: 'GLACIER_IR' }
      }
      override copy(from: string, to: string, options?: CopyOptions): Promise<WriteResult> {
        copied.push(options?.traits)
        return this.inner.copy(from, to, options)
      }
    }
    const h = await harness({ store: new TraitsStore(newStore()) })
    await h.putOutside('theirs', 'x')
    await h.writeFile('ours', 'x')
    await h.rename('theirs', 'b')
    await h.rename('ours', 'c')
    expect(copied).toEqual([{ storageClass: 'GLACIER_IR' }, {}])
  })
})
