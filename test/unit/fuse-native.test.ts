import { describe, expect, it } from 'vitest'
import { FsError } from '../../src/fs/fs-error.js'
import { AnonymousCall } from '../../src/fuse/fuse-native/anonymous-call.js'
import { OpenFiles } from '../../src/fuse/fuse-native/open-files.js'
import { PathNodes } from '../../src/fuse/fuse-native/path-nodes.js'
import { statFields, statfsFields } from '../../src/fuse/fuse-native/stat-fields.js'
import { MemoryFilesystem } from '../support/fuse-memory-filesystem.js'

const call = new AnonymousCall({ uid: 1, gid: 2 })

async function tree() {
  const events: string[] = []
  const counts = new Map<number, number>()
  const filesystem = new (class extends MemoryFilesystem {
    override async lookup(parent: number, name: Uint8Array) {
      const entry = await super.lookup(parent, name)
      events.push(Buffer.from(name).toString())
      if (entry.node !== 0) counts.set(entry.node, (counts.get(entry.node) ?? 0) + 1)
      return entry
    }
    override forget(node: number, lookups: number) {
      super.forget(node, lookups)
      counts.set(node, (counts.get(node) ?? 0) - lookups)
    }
  })({ FsError, ttlMs: 1000, trace: event => events.push(event) })
  const { node } = await filesystem.mkdir(1, Buffer.from('a'), 0o755, call)
  filesystem.forget(node, 1)
  const { entry, open } = await filesystem.create(node, Buffer.from('f'), 0o644, flags, call)
  await filesystem.release(open.handle)
  filesystem.forget(entry.node, 1)
  counts.clear()
  let nowMs = 0
  const nodes = new PathNodes(filesystem, () => nowMs)
  return { filesystem, nodes, events, counts, file: entry.node, pass: (ms: number) => (nowMs += ms) }
}

const flags = {
  read: true,
  write: true,
  append: false,
  truncate: false,
  exclusive: false,
  sync: false,
  killPrivileges: false,
}

describe('paths', () => {
  it('are walked, and remembered as long as they are valid', async () => {
    const { nodes, events, file, pass } = await tree()
    const find = () => nodes.at('/a/f', call, async ({ node }) => node)
    expect([await find(), await find()]).toEqual([file, file])
    expect(events).toEqual(['a', 'f'])
    pass(1001)
    expect(await find()).toBe(file)
    expect(events).toEqual(['a', 'f', 'a', 'f'])
    await expect(nodes.at('/a/none', call, async () => 0)).rejects.toMatchObject({ errno: 'ENOENT' })
    expect(await nodes.at('/', call, async ({ node }) => node)).toBe(1)
  })

  it('give back each lookup exactly once', async () => {
    const { nodes, events, counts, file, pass } = await tree()
    const kept = await nodes.at('/a/f', call, async held => held.keep())
    pass(2000)
    await nodes.at('/a/f', call, async () => 0)
    expect([...counts.values()]).toEqual([1, 1])
    nodes.clear()
    // Still held by an open file.
    expect(counts.get(file)).toBe(1)
    kept.release()
    kept.release()
    expect([...counts.values()]).toEqual([0, 0])
    expect(events.filter(event => event.startsWith('forgotten'))).toEqual([])
  })

  it('are dropped with all that is below', async () => {
    const { nodes, events, counts } = await tree()
    await nodes.at('/a/f', call, async () => 0)
    nodes.dropTree('/a')
    expect([...counts.values()]).toEqual([0, 0])
    await nodes.parentOf('/a/f', call, async (parent, name) => events.push(`${parent > 1} ${name}`))
    expect(events).toEqual(['a', 'f', 'a', 'true f'])
  })

  it('are looked up anew, once, when the version is another', async () => {
    const { nodes, events } = await tree()
    let stale = 1
    const use = async () => {
      if (stale-- > 0) throw new FsError('ESTALE', 'another version')
      return 'found'
    }
    expect(await nodes.at('/a/f', call, use)).toBe('found')
    expect(events).toEqual(['a', 'f', 'a', 'f'])
    stale = 2
    await expect(nodes.at('/a/f', call, use)).rejects.toMatchObject({ errno: 'ESTALE' })
  })
})

describe('open files', () => {
  it('have small numbers and give their node back', () => {
    const files = new OpenFiles()
    let released = 0
    const held = { node: 3, keep: () => held, release: () => released++ }
    const first = files.add(2 ** 40, held)
    expect([first, files.add(5, held)]).toEqual([1, 2])
    expect(files.get(first)).toMatchObject({ handle: 2 ** 40, held: { node: 3 } })
    expect([files.remove(first), released]).toEqual([2 ** 40, 1])
    expect(() => files.get(first)).toThrow('EBADF')
  })
})

describe('the package', () => {
  it('is given sizes that fit in 32 bits', () => {
    const sizes = {
      blockSizeBytes: 4096,
      totalBlocks: 2 ** 34,
      freeBlocks: 2 ** 33,
      totalFiles: 2 ** 40,
      freeFiles: 9,
      maxNameBytes: 255,
    }
    expect(statfsFields(sizes)).toMatchObject({
      frsize: 32_768,
      blocks: 2 ** 31,
      bfree: 2 ** 30,
      files: 2 ** 32 - 1,
      ffree: 9,
    })
  })

  it('is given times in milliseconds', () => {
    const before = { seconds: -1, nanoseconds: 0 }
    const attributes = {
      ino: 1,
      sizeBytes: 513,
      mode: 0o100644,
      nlink: 1,
      uid: 1,
      gid: 2,
      rdev: 0,
      atime: before,
      mtime: { seconds: 3, nanoseconds: 456_999_999 },
      ctime: before,
    }
    expect(statFields(attributes)).toMatchObject({ size: 513, blocks: 2, atime: 0, mtime: 3456 })
  })
})
