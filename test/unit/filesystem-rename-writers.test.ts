import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { type Harness, type HarnessOptions, harness } from '../support/filesystem-harness.js'
import { GatedStore } from '../support/gated-store.js'

let buckets = 0

async function gated(options: HarnessOptions = {}) {
  const store = new GatedStore(openMemoryStore(`rename-writers-${++buckets}`))
  return { store, h: await harness({ ...options, store }) }
}

const PART = 5 * 1024 * 1024

async function keysOf(h: Harness): Promise<string[]> {
  return (await h.store.list()).objects.map(object => object.key)
}

describe('files below a folder that is renamed', () => {
  it('are stored under the new name: new, changed, and closed while the folder is on its way', async () => {
    const { store, h } = await gated()
    await h.writeFile('a', 'not a folder').then(() => h.unlink('a'))
    await h.mkdir('a')
    await h.writeFile('a/changed', 'old')
    const changed = await h.open('a/changed', { write: true })
    await h.write(changed, 3, Buffer.from('+new'))
    const made = (await h.create('a/made')).handle
    await h.write(made, 0, Buffer.from('made'))
    const gate = store.hold('copy', 'before')
    const renamed = h.rename('a', 'b')
    await gate.reached
    await h.write(made, 4, Buffer.from(' on the way'))
    const late = (await h.create('a/late')).handle
    await h.write(late, 0, Buffer.from('late'))
    const closed = Promise.all([h.closeFile(changed), h.closeFile(made), h.closeFile(late)])
    gate.open()
    await renamed
    await closed
    expect(await keysOf(h)).toEqual(['b/', 'b/changed', 'b/late', 'b/made'])
    expect(await h.stored('b/changed')).toBe('old+new')
    expect(await h.stored('b/made')).toBe('made on the way')
    expect(await h.stored('b/late')).toBe('late')
  })

  it('let a commit that publishes end first', async () => {
    const { store, h } = await gated()
    await h.mkdir('a')
    const { handle } = await h.create('a/f')
    await h.write(handle, 0, Buffer.from('x'))
    const gate = store.hold('put', 'before')
    const closed = h.closeFile(handle)
    await gate.reached
    const renamed = h.rename('a', 'b')
    gate.open()
    await Promise.all([closed, renamed])
    expect(await keysOf(h)).toEqual(['b/', 'b/f'])
  })

  it('go out again from staging where they were being streamed', async () => {
    const { h } = await gated()
    await h.mkdir('a')
    const { handle } = await h.create('a/f')
    const bytes = Buffer.alloc(2 * PART, 'streamed')
    for (let at = 0; at < bytes.length; at += PART / 5) await h.write(handle, at, bytes.subarray(at, at + PART / 5))
    await h.rename('a', 'b')
    await h.write(handle, bytes.length, Buffer.from('end'))
    await h.closeFile(handle)
    expect(await h.stored('b/f')).toBe(`${bytes.toString('latin1')}end`)
    expect(await keysOf(h)).toEqual(['b/', 'b/f'])
    expect(await h.store.listUploads()).toEqual([])
  })

  it('do not hold it up for ever when removing one of them fails', async () => {
    const rules = new FaultRules([])
    const store = new GatedStore(new FaultLayer(openMemoryStore(`rename-writers-${++buckets}`), rules))
    const h = await harness({ store })
    await h.putOutside('a/f', 'content')
    const handle = await h.open('a/f', { write: true })
    await h.write(handle, 0, Buffer.from('C'))
    rules.add({ operations: ['delete'], nth: 1, fault: { kind: 'denied' } })
    const gate = store.hold('delete', 'before')
    const removed = expect(h.unlink('a/f')).rejects.toMatchObject({ kind: 'denied' })
    await gate.reached
    const renamed = h.rename('a', 'b')
    await h.walk('a')
    gate.open()
    await Promise.all([removed, renamed])
    expect(await h.stored('b/f')).toBe('content')
    await h.closeFile(handle)
    expect(await h.stored('b/f')).toBe('Content')
  })

  it('can be read all the while, and after', async () => {
    const { store, h } = await gated()
    await h.putOutside('a/f', 'content')
    const handle = await h.open('a/f')
    const copying = store.hold('copy', 'after')
    const deleting = store.hold('delete', 'after')
    const renamed = h.rename('a', 'b')
    await copying.reached
    expect((await h.read(handle, 0, 3)).toString()).toBe('con')
    copying.open()
    await deleting.reached
    // Where the object was is nothing any more.
    expect((await h.read(handle, 0, 100)).toString()).toBe('content')
    deleting.open()
    await renamed
    expect((await h.read(handle, 3, 100)).toString()).toBe('tent')
    await h.closeFile(handle)
  })

  it('wait to be made, removed and renamed until the folder has arrived', async () => {
    const { store, h } = await gated()
    for (const name of ['f', 'g']) await h.putOutside(`a/${name}`, name)
    const a = (await h.walk('a')).node
    const gate = store.hold('copy', 'before')
    const renamed = h.rename('a', 'b')
    await gate.reached
    const flags = { noReplace: false, exchange: false }
    const changes = [
      h.filesystem.mkdir(a, Buffer.from('d'), 0o755, h.context()),
      h.filesystem.unlink(a, Buffer.from('f'), h.context()),
      h.filesystem.rename(a, Buffer.from('g'), a, Buffer.from('i'), flags, h.context()),
    ]
    gate.open()
    await Promise.all([renamed, ...changes])
    expect(await keysOf(h)).toEqual(['b/d/', 'b/i'])
    expect((await h.list('b')).sort()).toEqual(['d', 'i'])
  })

  it('have ids of their own when the old name is used again', async () => {
    const { h } = await gated()
    await h.putOutside('a/f', 'x')
    const before = (await h.walk('a/f')).attributes.ino
    await h.rename('a', 'b')
    expect((await h.walk('b/f')).attributes.ino).toBe(before)
    await h.mkdir('a')
    await h.writeFile('a/f', 'y')
    expect((await h.walk('a/f')).attributes.ino).not.toBe(before)
  })

  it('are listed to the end by who was listing the folder', async () => {
    const { h } = await gated()
    for (let i = 10; i < 40; i++) await h.putOutside(`a/${i}`, 'x')
    const { handle } = await h.filesystem.opendir((await h.walk('a')).node, h.context())
    const names: string[] = []
    let offset = 0
    const take = (count: number) => {
      let left = count
      return h.filesystem.readdir(
        handle,
        offset,
        true,
        {
          add: entry => {
            if (left === 0) return false
            left -= 1
            names.push(Buffer.from(entry.name).toString())
            offset = entry.nextOffset
            return true
          },
        },
        h.context(),
      )
    }
    await take(12)
    await h.rename('a', 'b')
    await take(100)
    await h.filesystem.releasedir(handle)
    expect(names).toHaveLength(32)
    expect((await h.readFile('b/39')).toString()).toBe('x')
  })
})

describe('the program that renames a folder is killed', () => {
  it('is answered at once while nothing has changed', async () => {
    const { store, h } = await gated()
    await h.mkdir('a')
    const { handle } = await h.create('a/f')
    const gate = store.hold('put', 'before')
    const closed = h.closeFile(handle)
    await gate.reached
    const killed = new AbortController()
    const flags = { noReplace: false, exchange: false }
    const context = h.context({ signal: killed.signal })
    const renamed = h.filesystem.rename(1, Buffer.from('a'), 1, Buffer.from('b'), flags, context)
    const failed = expect(renamed).rejects.toMatchObject({ errno: 'EINTR' })
    await h.walk('a/f')
    killed.abort()
    await failed
    gate.open()
    await closed
    expect(await keysOf(h)).toEqual(['a/', 'a/f'])
  })

  it('has renamed it once that has begun', async () => {
    const { store, h } = await gated()
    await h.putOutside('a/f', 'x')
    const gate = store.hold('copy', 'after')
    const killed = new AbortController()
    const flags = { noReplace: false, exchange: false }
    const context = h.context({ signal: killed.signal })
    const renamed = h.filesystem.rename(1, Buffer.from('a'), 1, Buffer.from('b'), flags, context)
    await gate.reached
    killed.abort()
    gate.open()
    await renamed
    expect(await keysOf(h)).toEqual(['b/f'])
  })
})

describe('a file whose last close fails while it is renamed', () => {
  const lost = { kind: 'unavailable', when: 'after' } as const

  it.each([false, true])('is not there as an empty one afterwards (the new name is taken: %s)', async isTaken => {
    const rules = new FaultRules([])
    const store = new GatedStore(new FaultLayer(openMemoryStore(`rename-writers-${++buckets}`), rules))
    const h = await harness({ store })
    if (isTaken) await h.putOutside('b', 'other')
    const { handle } = await h.create('a')
    await h.write(handle, 0, Buffer.from('x'))
    rules.add({ operations: ['put'], fault: lost })
    await expect(h.filesystem.flush(handle, h.context())).rejects.toMatchObject({ kind: 'unavailable' })
    const gate = store.hold('delete', 'before')
    const renamed = h.rename('a', 'b')
    await gate.reached
    const released = h.filesystem.release(handle)
    await setImmediate()
    gate.open()
    await expect(renamed).rejects.toMatchObject({ errno: 'ESTALE' })
    await released
    expect(await h.list('')).toEqual(isTaken ? ['b'] : [])
    if (isTaken) expect((await h.readFile('b')).toString()).toBe('other')
  })

  it('leaves what stands at the new name where what it perhaps stored can not be removed', async () => {
    const rules = new FaultRules([])
    const h = await harness({ store: new FaultLayer(openMemoryStore(`rename-writers-${++buckets}`), rules) })
    await h.putOutside('b', 'other')
    const { handle } = await h.create('a')
    await h.write(handle, 0, Buffer.from('x'))
    rules.add({ operations: ['put'], nth: 1, fault: lost })
    await expect(h.filesystem.flush(handle, h.context())).rejects.toMatchObject({ kind: 'unavailable' })
    const { node } = await h.walk('b')
    rules.add({ operations: ['delete'], nth: 1, fault: { kind: 'unavailable' } })
    await expect(h.rename('a', 'b')).rejects.toMatchObject({ kind: 'unavailable' })
    expect((await h.walk('b')).node).toBe(node)
    expect((await h.readFile('b')).toString()).toBe('other')
    await h.rename('a', 'b')
    await h.closeFile(handle)
    expect(await h.stored('b')).toBe('x')
  })
})
