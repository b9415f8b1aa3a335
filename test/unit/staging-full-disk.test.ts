import type { FileHandle } from 'node:fs/promises'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { KeptFiles } from '../../src/fs/kept-files.js'
import { StagingFile } from '../../src/fs/staging-file.js'
import { pattern } from '../support/bytes.js'
import { gated, PART, storedBytes, writeAll, writers } from '../support/small-parts.js'

/** From now on the disk of the state folder takes no bytes of files. */
async function fillDisk(folder: string): Promise<void> {
  const handle = await open(join(folder, 'probe'), 'w')
  const prototype = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  const spy = vi.spyOn(prototype, 'writev').mockRejectedValue(full)
  onTestFinished(() => spy.mockRestore())
}

describe('a streamed file that can not be stored, and whose last bytes the disk did not take', () => {
  it('is kept but for these', async () => {
    const { h, rules } = await gated()
    const bytes = pattern(5 * PART + 1000)
    const { handle } = await h.create('f')
    await writeAll(h, handle, bytes.subarray(0, 3 * PART))
    // A read waits for nothing, a patch does: what was written before is in the file then.
    await h.write(handle, 10, bytes.subarray(10, 20))
    await fillDisk(h.folder)
    rules.add({ operations: ['part', 'complete', 'createUpload', 'put'], fault: { kind: 'denied' } })
    await h.write(handle, 3 * PART, bytes.subarray(3 * PART)).catch(() => undefined)
    await expect(h.closeFile(handle)).rejects.toMatchObject({ kind: 'denied' })
    const [kept] = await new KeptFiles(h.folder).list()
    expect(kept?.record).toMatchObject({ key: 'f' })
    expect((await readFile(kept?.dataPath ?? '')).equals(bytes.subarray(0, 3 * PART))).toBe(true)
  })
})

describe('a range of a staging file that its disk can not give back', () => {
  it('is forgotten all the same, with what was on its way to it', async () => {
    const h = await writers()
    const real = await open(join(h.folder, 'some'), 'wx+')
    let fd = real.fd
    const stubborn = new Proxy(real, {
      get: (target, name) => {
        const value: unknown = name === 'fd' ? fd : Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const file = new StagingFile(h.services.area, 'some', join(h.folder, 'some'), stubborn)
    await file.write(0, pattern(300))
    // No hole can be punched with it.
    fd = -1
    file.drop(100, 200)
    expect(file.held.ranges).toEqual([
      { start: 0, end: 100 },
      { start: 200, end: 300 },
    ])
    await file.write(100, pattern(100, 5))
    expect((await file.read(100, 100)).equals(pattern(100, 5))).toBe(true)
    await file.close()
  })
})

describe('a small file that can neither be stored nor kept', () => {
  it('takes no memory from others', async () => {
    const { h, rules } = await gated({ maxStagingBytes: 0, writeMemoryBytes: PART })
    rules.add({ operations: ['put'], nth: 1, fault: { kind: 'denied' } })
    const { handle } = await h.create('lost')
    await h.write(handle, 0, pattern(PART))
    await expect(h.closeFile(handle)).rejects.toMatchObject({ kind: 'denied' })
    const other = await h.create('other')
    await h.write(other.handle, 0, pattern(PART))
    await h.closeFile(other.handle)
    expect((await storedBytes(h, 'other')).equals(pattern(PART))).toBe(true)
  })
})
