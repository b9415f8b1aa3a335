import { execFile } from 'node:child_process'
import { lstat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { TransportKind } from '../../src/fuse/create-transport.js'
import { fuseChildren } from '../support/fuse-child.js'
import { hasFuseNative } from '../support/fuse-native-installed.js'
import { python } from '../support/fuse-python.js'
import { canMount } from '../support/mount-driver.js'

const run = promisify(execFile)

/** Calls that both transports carry, from a program through the kernel to a filesystem in memory and back. */
const KINDS: readonly TransportKind[] = canMount()
  ? ['kernel', ...(hasFuseNative() ? (['fuse-native'] as const) : [])]
  : []

describe.each(KINDS)('calls over %s', kind => {
  const children = fuseChildren()
  const mounted = () => children({ kind })

  it('make special files', async () => {
    const mount = await mounted()
    const shown = async (name: string) => (await run('stat', ['-c', '%F %t:%T %a', mount.path(name)])).stdout.trim()
    await run('mknod', ['-m', '640', mount.path('null'), 'c', '1', '3'])
    expect(await shown('null')).toBe('character special file 1:3 640')
    await run('mknod', [mount.path('disk'), 'b', '259', '70000'])
    expect(await shown('disk')).toBe('block special file 103:11170 644')
    await run('mkfifo', ['-m', '606', mount.path('pipe')])
    expect(await shown('pipe')).toBe('fifo 0:0 606')
    await python('import socket; socket.socket(socket.AF_UNIX).bind(path("socket")); tell(0)', mount.mountPoint)
    expect(await shown('socket')).toMatch(/^socket 0:0/)
    await python('os.mknod(path("file"), 0o6604); tell(0)', mount.mountPoint)
    expect(await shown('file')).toBe('regular empty file 0:0 6604')
    expect(await python('tell(told(os.mknod, path("file")))', mount.mountPoint)).toBe('EEXIST')
    const both = `(cat ${mount.path('pipe')} & echo through > ${mount.path('pipe')}; wait)`
    expect((await run('sh', ['-c', both])).stdout).toBe('through\n')
  })

  it('make and follow symbolic links', async () => {
    const mount = await mounted()
    await run('ln', ['-s', 'nowhere/ö b', mount.path('dangling')])
    expect((await run('readlink', [mount.path('dangling')])).stdout).toBe('nowhere/ö b\n')
    expect(await lstat(mount.path('dangling'))).toMatchObject({ size: 12, mode: 0o120777 })
    const answers = await python(
      `
os.symlink('file', path('link'))
with open(path('link'), 'w') as file: file.write('hello')
os.symlink('loop', path('loop'))
os.mkdir(path('folder'))
os.symlink('../' * 1000 + 'file', path('folder/long'))
os.symlink('x' * 4095, path('longest'))
tell([
  open(path('file')).read(), told(open, path('loop')), told(os.readlink, path('folder/long')) == '../' * 1000 + 'file',
  len(os.readlink(path('longest'))), told(os.symlink, 'x' * 4096, path('longer')), told(os.readlink, path('file')),
  told(os.symlink, 'other', path('link')), told(os.lchown, path('link'), 3, 4), os.lstat(path('link')).st_gid,
])`,
      mount.mountPoint,
    )
    expect(answers).toEqual(['hello', 'ELOOP', true, 4095, 'ENAMETOOLONG', 'EINVAL', 'EEXIST', null, 4])
  })

  it('keep extended attributes', async () => {
    const mount = await mounted()
    const answers = await python(
      `
open(path('f'), 'w').close()
f = path('f').encode()
room = ctypes.create_string_buffer(64)
tell([
  [c('setxattr', f, b'user.a', b'1234', 4, 1), c('setxattr', f, b'user.a', b'', 0, 1), c('setxattr', f, b'user.b', b'', 0, 2)],
  [c('setxattr', f, b'user.b', b'', 0, 0), c('setxattr', f, b'user.a', b'56789', 5, 2), c('setxattr', f, b'user.a', b'', 0, 3)],
  [c('getxattr', f, b'user.a', None, 0), c('getxattr', f, b'user.a', room, 4), c('getxattr', f, b'user.a', room, 5), room.value.decode()],
  [c('getxattr', f, b'user.b', None, 0), c('getxattr', f, b'user.b', room, 9), c('getxattr', f, b'user.c', room, 9)],
  [c('listxattr', f, None, 0), c('listxattr', f, room, 13), c('listxattr', f, room, 14), room.raw[:14].decode()],
  [c('getxattr', f, name, room, 9) for name in [b'security.x', b'trusted.x', b'system.x', b'x', b'user.']],
  [c('setxattr', f, name, b'', 0, 0) for name in [b'security.x', b'trusted.x', b'x']],
  [c('removexattr', f, name) for name in [b'user.b', b'user.b', b'trusted.x']],
  [told(os.setxattr, path('f'), 'user.large', bytes(range(256)) * 256), os.getxattr(path('f'), 'user.large') == bytes(range(256)) * 256],
  sorted(os.listxattr(path('f'))), os.listxattr(sys.argv[1]),
])`,
      mount.mountPoint,
    )
    expect(answers).toEqual([
      [0, 'EEXIST', 'ENODATA'],
      [0, 0, 'EINVAL'],
      [5, 'ERANGE', 5, '56789'],
      [0, 0, 'ENODATA'],
      [14, 'ERANGE', 14, 'user.a\0user.b\0'],
      ['ENOTSUP', 'ENOTSUP', 'ENOTSUP', 'ENOTSUP', 'EINVAL'],
      ['ENOTSUP', 'ENOTSUP', 'ENOTSUP'],
      [0, 'ENODATA', 'ENOTSUP'],
      [null, true],
      ['user.a', 'user.large'],
      [],
    ])
    expect((await run('getfattr', ['-n', 'user.a', '--only-values', mount.path('f')])).stdout).toBe('56789')
  })

  it('do without ranges where there are none', async () => {
    const mount = await mounted()
    const answers = await python(
      `
one = os.open(path('one'), os.O_RDWR | os.O_CREAT)
two = os.open(path('two'), os.O_RDWR | os.O_CREAT)
os.write(one, b'x' * 5000)
tell([told(os.posix_fallocate, one, 0, 6000), os.fstat(one).st_size, told(os.copy_file_range, one, two, 4000, 100),
  os.fstat(two).st_size, os.pread(two, 3, 0).decode()])`,
      mount.mountPoint,
    )
    expect(answers).toEqual([null, 6000, 4000, 4000, 'xxx'])
  })
})
