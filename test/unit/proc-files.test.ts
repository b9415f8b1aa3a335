import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { ProcFiles } from '../../src/fuse/kernel/proc-files.js'

const folder = mkdtempSync(join(tmpdir(), 'proc-files-'))
let child: ChildProcess | undefined

afterEach(async () => {
  if (child?.kill('SIGKILL') === true) await once(child, 'close')
  child = undefined
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What this process has open of another one's folder in /proc. */
function openOf(pid: number | undefined): number {
  return readdirSync('/proc/self/fd').filter(name => isOf(`/proc/self/fd/${name}`, pid)).length
}

function isOf(link: string, pid: number | undefined): boolean {
  try {
    return readlinkSync(link).startsWith(`/proc/${pid}/`)
  } catch {
    // The descriptor that the folder was read with.
    return false
  }
}

describe.runIf(process.platform === 'linux')('files of /proc', () => {
  it('tell what is so at each reading, also of another file under the same number', () => {
    const fresh = new ProcFiles()
    const descriptor = openSync(join(folder, 'file'), 'w')
    const path = `/proc/${process.pid}/fdinfo/${descriptor}`
    expect(fresh.readHead(path)).toMatch(/^pos:\t0\nflags:\t0\d+1\n/)
    writeSync(descriptor, 'abc')
    expect(fresh.readHead(path)).toMatch(/^pos:\t3\n/)
    closeSync(descriptor)
    expect(() => fresh.readHead(path)).toThrow('ENOENT')
    fresh.close()
  })

  it('are those of a process as long as it lives', async () => {
    child = spawn('sleep', ['100'], { stdio: 'ignore' })
    const path = `/proc/${child.pid}/statm`
    const files = new ProcFiles()
    expect(files.readHead(path)).toMatch(/^\d+ \d+ /)
    child.kill('SIGKILL')
    await once(child, 'close')
    expect(() => files.readHead(path)).toThrow(/ENOENT|ESRCH/)
    expect(openOf(child.pid)).toBe(0)
  })

  it('stay open, but for the first of many, and until all are closed', () => {
    child = spawn('sleep', ['100'], { stdio: 'ignore' })
    const many = new ProcFiles()
    const paths = ['statm', 'limits', 'status', 'cgroup'].map(name => `/proc/${child?.pid}/${name}`)
    for (const path of [...paths, ...paths]) many.readHead(path)
    expect(openOf(child.pid)).toBe(paths.length)
    for (let n = 0; n < 100; n++) many.readHead(`/proc/${process.pid}/./${'./'.repeat(n)}statm`)
    expect(openOf(child.pid)).toBe(0)
    expect(openOf(process.pid)).toBe(64)
    many.close()
    expect(openOf(process.pid)).toBe(0)
    many.readHead(paths[0] ?? '')
    expect(openOf(child.pid)).toBe(0)
  })
})
