import { mkdir, open, readdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { SILENT } from '../../src/backend/log.js'
import { KeptFiles } from '../../src/fs/kept-files.js'
import { abortLeftUploads } from '../../src/fs/left-uploads.js'
import { StagingArea } from '../../src/fs/staging.js'
import { StagingFile } from '../../src/fs/staging-file.js'
import { pattern } from '../support/bytes.js'
import { gated, PART, storedBytes, writeAll, writers } from '../support/small-parts.js'

const MIB = 1024 * 1024

describe('a streamed file that staging has no room for', () => {
  it('is stored whole, or can not grow by what it was not written', async () => {
    const { h } = await gated({ maxStagingBytes: 0 })
    const bytes = pattern(3 * PART + 100)
    const { handle, entry } = await h.create('f')
    await writeAll(h, handle, bytes)
    const grow = h.filesystem.setattr(entry.node, { sizeBytes: 10 * PART }, handle, h.context())
    await expect(grow).rejects.toMatchObject({ errno: 'ENOSPC' })
    await expect(h.write(handle, 8 * PART, Buffer.from('far'))).rejects.toMatchObject({ errno: 'ENOSPC' })
    const kind = { kind: 'allocate', keepSize: false } as const
    await expect(h.filesystem.allocate(handle, 0, 8 * PART, kind, h.context())).rejects.toMatchObject({
      errno: 'ENOSPC',
    })
    await h.closeFile(handle)
    expect((await storedBytes(h, 'f')).equals(bytes)).toBe(true)
  })
})

describe('a removed file', () => {
  it('leaves nothing behind when its last reader goes before it is fetched', async () => {
    const { h, store } = await gated({ writeMemoryBytes: 0 })
    await h.putOutside('f', 'x'.repeat(2 * PART))
    const handle = await h.open('f')
    const asked = store.hold('traits', 'before')
    const removed = h.unlink('f')
    await asked.reached
    const closed = h.closeFile(handle)
    // It has come to where it waits for the removal.
    await setImmediate()
    asked.open()
    await Promise.all([removed, closed])
    expect(await h.stored('f')).toBeUndefined()
    expect(await readdir(join(h.folder, 'staging'))).toEqual([])
  })
})

describe('a staging file', () => {
  it('shows a reader the bytes that were there when it began, though they are dropped meanwhile', async () => {
    const h = await writers()
    const file = await h.services.area.createFile({ key: 'f', baseEtag: undefined })
    const bytes = pattern(4 * MIB)
    await file.write(0, bytes)
    for (let i = 0; i < 20; i++) {
      const reads = Array.from({ length: 4 }, (_, n) => file.read(n * MIB, MIB))
      file.drop(0, 4 * MIB)
      const again = file.write(0, Buffer.from('new'))
      const [first, ...others] = await Promise.all(reads)
      expect(first?.subarray(3).equals(bytes.subarray(3, MIB))).toBe(true)
      for (const [n, read] of others.entries())
        expect(read.equals(bytes.subarray((n + 1) * MIB, (n + 2) * MIB))).toBe(true)
      await again
      expect((await file.read(0, 3)).toString()).toBe('new')
      await file.write(0, bytes)
    }
    await h.services.area.remove(file)
  })

  it('has nothing left of a write that failed half way', async () => {
    const h = await writers()
    const path = join(h.folder, 'some')
    const real = await open(path, 'wx+')
    let isFull = false
    const failing = new Proxy(real, {
      get: (target, name) => {
        if (name !== 'writev') return Reflect.get(target, name, target)
        return async ([data]: Uint8Array[], offset: number) => {
          if (isFull || data === undefined) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
          isFull = data.length > 4
          return target.write(data, 0, Math.min(4, data.length), offset)
        }
      },
    })
    const file = new StagingFile(h.services.area, 'some', path, failing)
    await expect(file.write(100, Buffer.from('too much'))).rejects.toMatchObject({ errno: 'ENOSPC' })
    isFull = false
    await file.write(200, Buffer.from('end'))
    await file.sync()
    expect((await readFile(path)).subarray(0, 200)).toEqual(Buffer.alloc(200))
    await file.close()
  })
})

describe('a file that is too large to stay with who has it open when it is removed', () => {
  it('takes no room from others', async () => {
    const { h } = await gated({ maxStagingBytes: MIB, writeMemoryBytes: 0 })
    await h.putOutside('large', pattern(3 * MIB).toString('latin1'))
    const reading = await h.open('large')
    await h.unlink('large')
    const { handle } = await h.create('other')
    await h.write(handle, 0, pattern(MIB))
    await h.closeFile(handle)
    expect((await storedBytes(h, 'other')).equals(pattern(MIB))).toBe(true)
    await h.closeFile(reading)
  })
})

describe('the list of what is kept', () => {
  it('is not empty because it can not be read', async () => {
    const { h } = await gated()
    await mkdir(join(h.folder, 'x'))
    expect(await new KeptFiles(join(h.folder, 'x')).list()).toEqual([])
    await symlink('kept', join(h.folder, 'x', 'kept'))
    await expect(new KeptFiles(join(h.folder, 'x')).list()).rejects.toMatchObject({ code: 'ELOOP' })
  })
})

describe('uploads that an earlier mount left', () => {
  it('do not keep each other from being aborted', async () => {
    const { h, rules } = await gated()
    const ids: string[] = []
    for (const key of ['a', 'b', 'c']) {
      const { uploadId } = await h.store.createUpload(key)
      ids.push(uploadId)
    }
    const area = await StagingArea.open({
      folder: h.folder,
      source: { url: 'mem://x' },
      maxBytes: 1e9,
      maxKeptBytes: 1e9,
      log: SILENT,
    })
    for (const [i, key] of ['a', 'b', 'c'].entries())
      await area.recordUpload({ key, uploadId: ids[i] ?? '', startedMs: 0 })
    rules.add({ operations: ['abort'], nth: 1, fault: { kind: 'denied' } })
    await abortLeftUploads(h.store, area, { olderThanMs: 1, clock: { nowMs: () => h.nowMs }, log: SILENT })
    expect(await h.store.listUploads()).toHaveLength(1)
    expect(await readdir(join(h.folder, 'uploads'))).toHaveLength(1)
  })
})
