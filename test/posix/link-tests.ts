import { link, lstat, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import type { PosixTests } from './posix-context.js'

export const LINK_TESTS = {
  'a hard link is the same file': async t => {
    await writeFile(t.path('a'), 'text')
    await link(t.path('a'), t.path('b'))
    expect((await stat(t.path('b'))).nlink).toBe(2)
    expect(await t.text('b')).toBe('text')
  },
  'a symbolic link leads to a file': async t => {
    await writeFile(t.path('a'), 'text')
    await symlink('a', t.path('b'))
    expect(await readlink(t.path('b'))).toBe('a')
    expect((await lstat(t.path('b'))).isSymbolicLink()).toBe(true)
    expect(await t.text('b')).toBe('text')
  },
  'a pipe has a name': async t => {
    await t.sh('mkfifo p')
    expect((await stat(t.path('p'))).isFIFO()).toBe(true)
  },
  'mknod makes a file': async t => {
    await t.python('os.mknod("f", 0o100640)')
    const status = await stat(t.path('f'))
    expect([status.isFile(), status.size, status.mode & 0o777]).toEqual([true, 0, 0o640])
    await t.sh('echo text > f')
    expect(await t.text('f')).toBe('text\n')
  },
} satisfies PosixTests
