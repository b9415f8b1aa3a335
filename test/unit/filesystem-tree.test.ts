import { describe, expect, it } from 'vitest'
import { ROOT_NODE } from '../../src/fs/operations.js'
import { harness } from '../support/filesystem-harness.js'

describe('lookup', () => {
  it('costs two requests cold, sent together, and none while it counts', async () => {
    const h = await harness()
    await h.putOutside('f', 'x')
    await h.walk('f')
    expect(h.requests()).toEqual({ head: 1, list: 1 })
    await h.walk('f')
    expect(h.requests()).toEqual({})
    h.nowMs += 10_001
    await h.walk('f')
    expect(h.requests()).toEqual({ head: 1, list: 1 })
  })

  it('asks the store every time when the TTL is 0', async () => {
    const h = await harness({ metadataTtlMs: 0 })
    await h.putOutside('f', 'x')
    await h.walk('f')
    await h.putOutside('f', 'xyz')
    expect((await h.walk('f')).attributes.sizeBytes).toBe(3)
  })

  it('costs nothing in a directory that was listed, also for names that are not there', async () => {
    const h = await harness()
    await h.putOutside('d/a', 'x')
    await h.list('d')
    h.requests()
    await h.walk('d/a')
    expect(await h.tryWalk('d/nothing')).toBeUndefined()
    expect(h.requests()).toEqual({})
  })

  it('lists a directory after four cold lookups in it', async () => {
    const h = await harness()
    for (let i = 0; i < 20; i++) await h.putOutside(`f${i}`, 'x')
    for (let i = 0; i < 20; i++) await h.walk(`f${i}`)
    expect(h.requests()).toEqual({ head: 4, list: 5 })
  })

  it('believes the page that told of a directory after four lookups in it', async () => {
    const h = await harness()
    for (let i = 0; i < 20; i++) await h.putOutside(`d/f${i}`, 'x')
    await h.walk('d')
    expect(h.requests()).toEqual({ head: 1, list: 1 })
    for (let i = 0; i < 20; i++) await h.walk(`d/f${i}`)
    expect(await h.tryWalk('d/g')).toBeUndefined()
    expect(h.requests()).toEqual({ head: 4 })
  })

  it('tells how long the answer counts still', async () => {
    const h = await harness()
    await h.putOutside('f', 'x')
    expect((await h.walk('f')).entryTtlMs).toBe(10_000)
    h.nowMs += 4000
    expect((await h.walk('f')).entryTtlMs).toBe(6000)
    expect(await h.filesystem.lookup(ROOT_NODE, Buffer.from('no'), h.context())).toEqual({
      node: 0,
      entryTtlMs: 10_000,
    })
    h.nowMs += 3000
    expect(await h.filesystem.lookup(ROOT_NODE, Buffer.from('no'), h.context())).toEqual({ node: 0, entryTtlMs: 7000 })
  })

  it('gives a version made by others a node of its own with the same ino', async () => {
    const h = await harness()
    await h.putOutside('f', 'one')
    const first = await h.walk('f')
    const handle = await h.open('f')
    await h.putOutside('f', 'two')
    h.nowMs += 10_001
    const second = await h.walk('f')
    expect(second.node).not.toBe(first.node)
    expect(second.attributes.ino).toBe(first.attributes.ino)
    await expect(h.read(handle, 0, 10)).rejects.toMatchObject({ kind: 'precondition-failed' })
    await expect(h.filesystem.open(first.node, { ...allFlags, read: true }, h.context())).rejects.toMatchObject({
      errno: 'ESTALE',
    })
    await h.closeFile(handle)
    expect((await h.readFile('f')).toString()).toBe('two')
  })

  it('moves open handles to the version that this mount commits', async () => {
    const h = await harness()
    await h.writeFile('f', 'one')
    const reader = await h.open('f')
    const { node } = await h.walk('f')
    await h.writeFile('f', 'other')
    expect((await h.walk('f')).node).toBe(node)
    expect((await h.read(reader, 0, 10)).toString()).toBe('other')
    await h.closeFile(reader)
  })
})

const allFlags = {
  read: false,
  write: false,
  append: false,
  truncate: false,
  exclusive: false,
  sync: false,
  killPrivileges: false,
}

describe('directories', () => {
  it('lists objects, prefixes and what is not stored yet, each once', async () => {
    const h = await harness()
    await h.putOutside('b', 'x')
    await h.putOutside('d/x', 'x')
    await h.putOutside('e/', '')
    const { handle } = await h.create('a')
    await h.writeFile('c', 'x')
    for (const withAttributes of [false, true])
      expect((await h.list('', 2, withAttributes)).sort()).toEqual(['a', 'b', 'c', 'd', 'e'])
    await h.closeFile(handle)
    h.nowMs += 10_001
    expect((await h.list('')).sort()).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(await h.list('e')).toEqual([])
  })

  it('reads pages one by one while entries are taken', async () => {
    const h = await harness()
    for (let i = 0; i < 2500; i++) await h.putOutside(`d/${String(i).padStart(5, '0')}`, '')
    await h.walk('d')
    h.requests()
    const names = await h.list('d', 100)
    expect(names.length).toBe(2500)
    expect(new Set(names).size).toBe(2500)
    // The first page came with the lookup.
    expect(h.requests()).toEqual({ list: 2 })
    await h.list('d', 100)
    expect(h.requests()).toEqual({})
  })

  it('keeps its own changes true while older pages still come', async () => {
    const h = await harness()
    for (let i = 0; i < 1500; i++) await h.putOutside(`d/${String(i).padStart(5, '0')}`, '')
    const { handle } = await h.filesystem.opendir((await h.walk('d')).node, h.context())
    let last = 0
    const few = {
      add: (entry: { nextOffset: number }) => {
        if (entry.nextOffset >= 5) return false
        last = entry.nextOffset
        return true
      },
    }
    await h.filesystem.readdir(handle, 0, false, few, h.context())
    await h.unlink('d/01400')
    await h.unlink('d/00500')
    const names: string[] = []
    const all = { add: (entry: { name: string | Uint8Array }) => names.push(Buffer.from(entry.name).toString()) > 0 }
    await h.filesystem.readdir(handle, last, false, all, h.context())
    await h.filesystem.releasedir(handle)
    expect(names).not.toContain('01400')
    expect(names).not.toContain('00500')
    expect(names).toContain('01401')
    expect(await h.tryWalk('d/01400')).toBeUndefined()
  })

  it('makes and removes directories with their marker', async () => {
    const h = await harness()
    await h.mkdir('d')
    expect(await h.stored('d/')).toBe('')
    await expect(h.mkdir('d')).rejects.toMatchObject({ errno: 'EEXIST' })
    await h.writeFile('d/f', 'x')
    await expect(h.rmdir('d')).rejects.toMatchObject({ errno: 'ENOTEMPTY' })
    await h.unlink('d/f')
    await h.rmdir('d')
    expect(await h.stored('d/')).toBeUndefined()
    expect(await h.tryWalk('d')).toBeUndefined()
  })

  it('shows a directory that it emptied, though the bucket has no key of it', async () => {
    const h = await harness()
    await h.putOutside('x/y/f', '1')
    await h.unlink('x/y/f')
    h.nowMs += 10_001
    expect(await h.list('')).toEqual(['x'])
    expect(await h.list('x')).toEqual(['y'])
    expect(await h.list('x/y')).toEqual([])
    await h.rmdir('x/y')
    await h.rmdir('x')
    expect(await h.list('')).toEqual([])
  })

  it('answers mkdir with a node that the kernel can go on with', async () => {
    const h = await harness()
    const { node } = await h.filesystem.mkdir(ROOT_NODE, Buffer.from('d'), 0o755, h.context())
    await h.filesystem.create(node, Buffer.from('f'), 0o644, { ...allFlags, write: true }, h.context())
  })

  it('refuses names that no key can carry', async () => {
    const h = await harness()
    const { parent } = await h.parentOf('x')
    const name = (bytes: Uint8Array) => h.filesystem.lookup(parent, bytes, h.context())
    await expect(name(Buffer.alloc(256, 97))).rejects.toMatchObject({ errno: 'ENAMETOOLONG' })
  })
})

describe('rename', () => {
  it('moves a stored file by a copy and a delete', async () => {
    const h = await harness()
    await h.writeFile('a', 'x')
    h.requests()
    await h.rename('a', 'b')
    const { copy, delete: deleted } = h.requests()
    expect({ copy, deleted }).toEqual({ copy: 1, deleted: 1 })
    expect(await h.stored('a')).toBeUndefined()
    expect(await h.stored('b')).toBe('x')
    expect(await h.list('')).toEqual(['b'])
    expect((await h.readFile('b')).toString()).toBe('x')
  })

  it('moves a file that is not stored yet for free, also over another', async () => {
    const h = await harness()
    await h.writeFile('b', 'old')
    const { handle } = await h.create('a')
    await h.write(handle, 0, Buffer.from('new'))
    h.requests()
    await h.rename('a', 'b')
    expect(h.requests().copy).toBeUndefined()
    await h.closeFile(handle)
    expect(await h.stored('a')).toBeUndefined()
    expect(await h.stored('b')).toBe('new')
  })

  it('moves a file that is being streamed: all goes to the new name', async () => {
    const h = await harness()
    const bytes = Buffer.alloc(12 * 1024 * 1024, 'abcdefg')
    const { handle } = await h.create('a')
    for (let at = 0; at < bytes.length; at += 1 << 20) await h.write(handle, at, bytes.subarray(at, at + (1 << 20)))
    await h.rename('a', 'b')
    await h.write(handle, bytes.length, Buffer.from('end'))
    await h.closeFile(handle)
    expect(await h.stored('b')).toBe(`${bytes.toString('latin1')}end`)
    expect(await h.stored('a')).toBeUndefined()
    expect(await h.store.listUploads()).toEqual([])
  })

  it('keeps the ino of a moved file to itself when another takes its old name', async () => {
    const h = await harness()
    await h.writeFile('a', 'x')
    const reader = await h.open('a')
    await h.rename('a', 'b')
    await h.writeFile('a', 'y')
    const a = await h.walk('a')
    const b = await h.walk('b')
    expect(a.attributes.ino).not.toBe(b.attributes.ino)
    await h.closeFile(reader)
  })

  it('keeps the ino of what was moved when the kernel has forgotten it, and gives it to nothing else', async () => {
    const h = await harness()
    await h.writeFile('a', 'x')
    await h.mkdir('d')
    await h.rename('a', 'b')
    await h.rename('d', 'e')
    const inoOf = async (path: string) => (await h.walk(path)).attributes.ino
    const before = [await inoOf('b'), await inoOf('e')]
    const forgetAll = async () => {
      for (const path of ['b', 'e']) h.filesystem.forget((await h.walk(path)).node, 100)
    }
    await forgetAll()
    await h.writeFile('a', 'another')
    await h.mkdir('d')
    expect(before).not.toContain(await inoOf('a'))
    expect(before).not.toContain(await inoOf('d'))
    expect([await inoOf('b'), await inoOf('e')]).toEqual(before)
    await forgetAll()
    await h.putOutside('b', 'of others')
    h.nowMs += 20_000
    expect([await inoOf('b'), await inoOf('e')]).toEqual(before)
  })

  it('refuses with NOREPLACE and over folders', async () => {
    const h = await harness()
    await h.writeFile('a', 'x')
    await h.writeFile('b', 'y')
    await h.mkdir('d')
    await expect(h.rename('a', 'b', { noReplace: true, exchange: false })).rejects.toMatchObject({ errno: 'EEXIST' })
    await expect(h.rename('a', 'd')).rejects.toMatchObject({ errno: 'EISDIR' })
  })
})

describe('attributes', () => {
  it('stores what differs from the defaults with the PUT, in the form of s3fs', async () => {
    const h = await harness()
    const { handle } = await h.create('f', {}, 0o600, { uid: 5, gid: 1000 })
    await h.write(handle, 0, Buffer.from('text'))
    await h.filesystem.setattr(
      (await h.walk('f')).node,
      { mtime: { seconds: 1_600_000_000, nanoseconds: 5_000_000 } },
      handle,
      h.context(),
    )
    h.requests()
    await h.closeFile(handle)
    expect(h.requests()).toEqual({ put: 1 })
    const { metadata } = await h.store.head('f')
    expect(metadata).toEqual({ mode: String(0o100600), uid: '5', mtime: '1600000000.005000000' })
  })

  it('changes a clean file by one copy on the server, and shows it after a remount', async () => {
    const a = await harness({ bucket: 'attributes-remount' })
    await a.writeFile('f', 'x')
    a.requests()
    await a.setattr('f', { mode: 0o755 })
    expect(a.requests()).toEqual({ copy: 1 })
    const b = await harness({ bucket: 'attributes-remount' })
    const { attributes } = await b.walk('f')
    expect(attributes.mode).toBe(0o100755)
  })

  it('takes setuid and setgid from files, not from folders', async () => {
    const h = await harness()
    await h.writeFile('f', 'x')
    await h.mkdir('folder')
    for (const name of ['f', 'folder']) {
      await h.setattr(name, { mode: 0o6775 })
      await h.setattr(name, { killPrivileges: true })
    }
    expect((await h.walk('f')).attributes.mode).toBe(0o100775)
    expect((await h.walk('folder')).attributes.mode).toBe(0o046775)
  })

  it('keeps metadata and headers of an object that is overwritten', async () => {
    const h = await harness()
    await h.store.put('f', Buffer.from('x'), {
      metadata: { mode: String(0o100640), colour: 'red' },
      headers: { contentType: 'text/x-own' },
    })
    await h.writeFile('f', 'yy')
    const info = await h.store.head('f')
    expect(info.metadata).toEqual({ mode: String(0o100640), colour: 'red' })
    expect(info.headers.contentType).toBe('text/x-own')
  })

  it('shows the same modification time before and after storing', async () => {
    const h = await harness()
    const { handle } = await h.create('f')
    await h.write(handle, 0, Buffer.from('x'))
    const before = (await h.walk('f')).attributes.mtime
    h.nowMs += 5000
    await h.closeFile(handle)
    expect((await h.walk('f')).attributes.mtime).toEqual(before)
    h.nowMs += 20_000
    expect((await h.walk('f')).attributes.mtime).toEqual(before)
  })

  it('gives a new folder one time, which it shows also when the kernel has forgotten it', async () => {
    let nowMs = 1_700_000_000_000
    // Time passes within the call, too.
    const h = await harness({ clock: { nowMs: () => nowMs++ } })
    await h.mkdir('d')
    const times = async () => {
      const { node, attributes } = await h.walk('d')
      h.filesystem.forget(node, 100)
      return [attributes.atime, attributes.mtime]
    }
    const [atime, mtime] = await times()
    expect(atime).toEqual(mtime)
    expect(await times()).toEqual([atime, mtime])
  })

  it('lets nodes go that nobody needs', async () => {
    const h = await harness()
    await h.putOutside('d/f', 'x')
    const d = await h.walk('d')
    const f = await h.walk('d/f')
    h.filesystem.forget(f.node, 1)
    h.filesystem.forget(d.node, 2)
    await expect(h.filesystem.getattr(f.node)).rejects.toMatchObject({ errno: 'ESTALE' })
    await expect(h.filesystem.getattr(d.node)).rejects.toMatchObject({ errno: 'ESTALE' })
  })
})
