import { chmod, chown, mkdir, stat, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import type { PosixContext, PosixTests } from './posix-context.js'

/** A folder in which everybody may make files. */
async function sharedFolder(t: PosixContext): Promise<void> {
  await chmod(t.path(), 0o777)
}

export const ACCESS_TESTS = {
  'permissions hold for other users': async t => {
    await sharedFolder(t)
    await writeFile(t.path('secret'), 'x', { mode: 0o600 })
    await writeFile(t.path('open'), 'y', { mode: 0o644 })
    expect((await t.asNobody('cat secret')).stderr).toContain('Permission denied')
    expect((await t.asNobody('cat open')).stdout).toBe('y')
    expect((await t.asNobody('echo z >> open')).stderr).toContain('Permission denied')
    expect((await t.asNobody('chmod 666 open')).stderr).toContain('Operation not permitted')
    expect((await t.asNobody('test -r open && test ! -w open && test ! -r secret')).code).toBe(0)
  },
  'an owner may what others may not': async t => {
    await writeFile(t.path('f'), 'x', { mode: 0o600 })
    await chown(t.path('f'), 65534, 65534)
    expect((await t.asNobody('cat f; echo y >> f; chmod 640 f')).code).toBe(0)
    expect(await t.text('f')).toBe('xy\n')
    expect((await stat(t.path('f'))).mode & 0o777).toBe(0o640)
  },
  'a new file belongs to who made it': async t => {
    await sharedFolder(t)
    expect((await t.asNobody('echo x > f; mkdir d; echo y > d/g')).stderr).toBe('')
    expect(await t.sh('stat -c "%u %g" f d d/g')).toBe('65534 65534\n65534 65534\n65534 65534\n')
    expect(await t.text('d', 'g')).toBe('y\n')
  },
  'a folder keeps others out': async t => {
    await mkdir(t.path('d'), { mode: 0o700 })
    await writeFile(t.path('d', 'f'), 'x')
    expect((await t.asNobody('cat d/f')).stderr).toContain('Permission denied')
    expect((await t.asNobody('ls d')).stderr).toContain('Permission denied')
    await chmod(t.path('d'), 0o711)
    expect((await t.asNobody('cat d/f')).stdout).toBe('x')
    expect((await t.asNobody('ls d')).stderr).toContain('Permission denied')
  },
  'names are changed only by who may write the folder': async t => {
    await mkdir(t.path('d'), { mode: 0o755 })
    await writeFile(t.path('d', 'f'), 'x', { mode: 0o666 })
    for (const script of ['rm -f d/f', 'mv d/f d/g', 'echo x > d/new', 'mkdir d/e', 'rmdir d'])
      expect((await t.asNobody(script)).stderr).toContain('Permission denied')
    expect(await t.names('d')).toEqual(['f'])
  },
  'others can not remove from a sticky folder': async t => {
    await chmod(t.path(), 0o1777)
    await writeFile(t.path('f'), 'x')
    expect((await t.asNobody('rm -f f')).stderr).toContain('Operation not permitted')
    expect((await t.asNobody('echo y > mine; rm mine')).stderr).toBe('')
  },
  'a write of others takes setuid away': async t => {
    await writeFile(t.path('f'), 'x')
    await chmod(t.path('f'), 0o4777)
    expect((await t.asNobody('echo y >> f')).stderr).toBe('')
    expect((await stat(t.path('f'))).mode & 0o7777).toBe(0o777)
  },
} satisfies PosixTests
