import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SILENT } from '../../src/backend/log.js'
import { FolderTimes } from '../../src/cache/folder-times.js'

describe('times of folders', () => {
  const at = (seconds: number) => ({ seconds, nanoseconds: 5 })
  const openTimes = (folder: string, maxEntries = 10) => FolderTimes.open({ maxEntries, folder, log: SILENT })
  const newFolder = () => {
    const folder = mkdtempSync(join(tmpdir(), 'times-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    return folder
  }

  it('survive a restart, unless the folder went', async () => {
    const folder = newFolder()
    let times = await openTimes(folder)
    times.set('', { modified: at(1), changed: at(2) })
    times.set('a/b', { modified: at(-3), changed: at(4) })
    times.set('gone', { modified: at(5), changed: at(6) })
    await times.close()
    times = await openTimes(folder)
    times.delete('gone')
    times.delete('never')
    await times.close()
    times = await openTimes(folder)
    expect(times.get('')).toEqual({ modified: at(1), changed: at(2) })
    expect(times.get('a/b')).toEqual({ modified: at(-3), changed: at(4) })
    expect(times.get('gone')).toBeUndefined()
  })

  it('are bounded', async () => {
    const times = await openTimes(newFolder(), 2)
    for (const path of ['a', 'b', 'c']) times.set(path, { modified: at(1), changed: at(1) })
    expect(['a', 'b', 'c'].map(path => times.get(path) !== undefined)).toEqual([false, true, true])
    await times.close()
    expect(new FolderTimes(1).get('a')).toBeUndefined()
  })
})
