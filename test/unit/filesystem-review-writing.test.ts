import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { pattern } from '../support/bytes.js'
import { gated, PART, storedBytes, writeAll, writers } from '../support/small-parts.js'

const MIB = 1024 * 1024

/** As many turns as calls that wait for nothing but each other, and for files of this disk, can take. */
async function turns(): Promise<void> {
  for (let i = 0; i < 200; i++) await readdir('.')
}

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

  it('is there although only attributes of the source were to be stored when somebody wrote to it', async () => {
    const { h, store } = await gated()
    const before = pattern(MIB)
    await h.writeFile('a', before)
    const source = await h.open('a', { write: true })
    await h.setattr('a', { mode: 0o600 })
    const gate = store.hold('copy', 'before')
    const first = h.filesystem.fsync(source, h.context())
    await gate.reached
    const { handle } = await h.create('b')
    await h.setattr('a', { mode: 0o640 })
    const second = h.filesystem.fsync(source, h.context())
    const written = h.write(source, 0, Buffer.from('changed'))
    const third = h.filesystem.fsync(source, h.context())
    gate.open()
    await first
    expect(await h.filesystem.copyFileRange(source, 0, handle, 0, MIB, h.context())).toBe(MIB)
    await Promise.all([second, written, third])
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
    await gate.reached
    await h.filesystem.flush(handle, h.context())
    expect(await storedBytes(h, 'b')).toHaveLength(4 * PART)
    let isReleased = false
    const released = h.filesystem.release(handle).then(() => {
      isReleased = true
    })
    await turns()
    expect(isReleased).toBe(false)
    gate.open()
    await released
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
