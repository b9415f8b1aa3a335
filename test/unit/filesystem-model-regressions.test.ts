import { expect, it } from 'vitest'
import { FaultLayer } from '../../src/backend/layers/fault-layer.js'
import { FaultRules } from '../../src/backend/layers/fault-rules.js'
import { openMemoryStore } from '../../src/backend/memory/memory-store.js'
import { KnownVersions } from '../../src/cache/known-versions.js'
import { ROOT_NODE } from '../../src/fs/operations.js'
import { type Harness, type HarnessOptions, harness } from '../support/filesystem-harness.js'

/** What `npm run test:model` has found. */
let buckets = 0

/** A filesystem that asks the store every time. */
function asking(options: HarnessOptions = {}): Promise<Harness> {
  return harness({ metadataTtlMs: 0, ...options })
}

/** A filesystem whose knowledge of versions has the clock of its store. */
async function clocked(): Promise<Harness> {
  let h: Harness | undefined
  const nowMs = () => h?.nowMs ?? 1_700_000_000_000
  buckets += 1
  const store = openMemoryStore(`model-regressions-${buckets}`, { nowMs })
  h = await asking({ store, known: new KnownVersions(1000, { nowMs, ttlMs: 0 }) })
  return h
}

it('a renamed file that others made keeps its time', async () => {
  const h = await asking()
  await h.putOutside('a', 'others')
  const before = (await h.walk('a')).attributes.mtime
  h.nowMs += 60_000
  await h.rename('a', 'b')
  expect((await h.walk('b')).attributes.mtime).toEqual(before)
})

it('what is appended behind others’ bytes is newer than the time that these had set', async () => {
  const h = await clocked()
  const { handle } = await h.create('log', { exclusive: false, append: true })
  await h.write(handle, 0, Buffer.from('mine'))
  await h.store.put('log', Buffer.from('others '), { metadata: { mtime: '1500000000' } })
  await h.closeFile(handle)
  expect(await h.stored('log')).toBe('others mine')
  expect((await h.walk('log')).attributes.mtime.seconds).toBe(1_700_000_000)
})

it('an edit does not put back the attributes that another machine has changed since', async () => {
  const h = await clocked()
  await h.store.put('a', Buffer.from('bytes'), { metadata: { mode: String(0o100751) } })
  expect((await h.walk('a')).attributes.mode).toBe(0o100751)
  h.nowMs += 60_000
  await h.store.copy('a', 'a', { metadata: { mode: String(0o100600) } })
  const handle = await h.open('a', { write: true })
  await h.write(handle, 0, Buffer.from('B'))
  await h.closeFile(handle)
  expect((await h.store.head('a')).metadata.mode).toBe(String(0o100600))
})

it('a folder is there while a file in it is not stored yet, though others have emptied it', async () => {
  const h = await asking()
  await h.putOutside('d/e/others', 'x')
  const { handle } = await h.create('d/e/mine')
  await h.store.delete([{ key: 'd/e/others' }])
  expect(await h.list('')).toEqual(['d'])
  expect(await h.list('d/e')).toEqual(['mine'])
  await expect(h.rmdir('d')).rejects.toThrow('ENOTEMPTY')
  await h.closeFile(handle)
  expect(await h.stored('d/e/mine')).toBe('')
})

it('a folder that this mount has emptied does not come back when a file has taken its name', async () => {
  const h = await asking()
  await h.putOutside('d/a', 'x')
  await h.unlink('d/a')
  await h.putOutside('d', 'a file')
  expect((await h.walk('d')).attributes.sizeBytes).toBe(6)
  await h.unlink('d')
  expect(await h.list('')).toEqual([])
})

it('a folder that others have emptied is there again as soon as a file of this mount is stored in it', async () => {
  const h = await harness()
  await h.putOutside('d/others', 'x')
  const { handle } = await h.create('d/mine')
  await h.store.delete([{ key: 'd/others' }])
  h.nowMs += 11_000
  expect(await h.list('')).toEqual(['d'])
  await h.closeFile(handle)
  expect(await h.list('d')).toEqual(['mine'])
})

it('a change of a folder’s attributes never takes the place of bytes that others stored under its own key', async () => {
  const h = await asking()
  await h.mkdir('d')
  await h.putOutside('d/', 'bytes')
  await expect(h.setattr('d', { mode: 0o700 })).rejects.toThrow('EPERM')
  expect(await h.stored('d/')).toBe('bytes')
})

it('a write of no byte moves no time', async () => {
  const h = await asking()
  await h.writeFile('a', 'bytes')
  const before = (await h.walk('a')).attributes.mtime
  h.nowMs += 60_000
  const handle = await h.open('a', { write: true })
  await h.write(handle, 0, new Uint8Array(0))
  expect((await h.walk('a')).attributes.mtime).toEqual(before)
  await h.closeFile(handle)
})

it('what was appended to a file does not go into a pipe that has its name by now', async () => {
  const h = await asking()
  await h.writeFile('a', 'one')
  const handle = await h.open('a', { write: true, append: true })
  await h.write(handle, 3, Buffer.from('two'))
  await h.store.put('a', new Uint8Array(0), { metadata: { mode: String(0o010600) } })
  await expect(h.closeFile(handle)).rejects.toThrow()
  expect(await h.stored('a')).toBe('')
})

it('a folder is listed once when the object beside it is removed while the list is read', async () => {
  const h = await asking()
  await h.mkdir('a')
  await h.putOutside('a', 'beside')
  await h.putOutside('b', 'x')
  const { filesystem } = h
  const { handle } = await filesystem.opendir(ROOT_NODE, h.context())
  const names: string[] = []
  let offset = 0
  const read = (most: number) => {
    const add = (entry: { name: string | Uint8Array; nextOffset: number }) => {
      if (names.length === most) return false
      names.push(Buffer.from(entry.name).toString())
      offset = entry.nextOffset
      return true
    }
    return filesystem.readdir(handle, offset, false, { add }, h.context())
  }
  await read(3)
  await h.unlink('a/\u241bo')
  await read(100)
  expect(names).toEqual(['.', '..', 'a', 'b'])
  await filesystem.releasedir(handle)
})

it('the object beside a folder does not vanish when the folder changes after an older listing', async () => {
  const h = await harness()
  await h.mkdir('a')
  await h.list('')
  await h.putOutside('a', 'beside')
  h.nowMs += 11_000
  expect((await h.walk('a/\u241bo')).attributes.sizeBytes).toBe(6)
  await h.setattr('a', { mode: 0o700 })
  expect((await h.walk('a/\u241bo')).attributes.sizeBytes).toBe(6)
})

it('a time that was set stays when what was appended goes behind what others wrote', async () => {
  const h = await harness()
  const { handle } = await h.create('a', { append: true, exclusive: false })
  await h.putOutside('a', 'others')
  await h.setattr('a', { mtime: { seconds: 1_000_000_000, nanoseconds: 0 } })
  await h.closeFile(handle)
  expect(await h.stored('a')).toBe('others')
  expect((await h.walk('a')).attributes.mtime).toEqual({ seconds: 1_000_000_000, nanoseconds: 0 })
})

it('a change of times that could not be stored shows no time of its own', async () => {
  let nowMs = 1_700_000_000_000
  const rules = new FaultRules([{ fault: { kind: 'denied' }, operations: ['copy'] }])
  const inner = openMemoryStore('times-undone', { nowMs: () => nowMs })
  const h = await harness({ store: new FaultLayer(inner, rules) })
  await h.writeFile('a', 'bytes')
  const before = (await h.walk('a')).attributes
  nowMs += 60_000
  h.nowMs = nowMs
  await expect(h.setattr('a', { mtime: 'now', atime: 'now' })).rejects.toThrow('injected')
  expect((await h.walk('a')).attributes).toEqual(before)
})
