import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { fuseChildren } from '../support/fuse-child.js'
import { python } from '../support/fuse-python.js'
import { canMount } from '../support/mount-driver.js'

/** What each of these calls, made by root and by the owner, leaves of a file's setuid and setgid bits. */
const PRIVILEGES = `
f = path('f')
os.close(os.open(f, os.O_CREAT))
def left(program, uid):
    os.chown(f, 65534, 65534)
    with open(f, 'wb') as file: file.write(b'x' * 5000)
    os.chmod(f, 0o6775)
    code = 'import ctypes, os; f = %r; libc = ctypes.CDLL(None); ' % f + program
    ids = ['--reuid', uid, '--regid', uid, '--clear-groups']
    subprocess.run(['setpriv', *ids, 'env', 'python3', '-c', code], check=True)
    return oct(os.stat(f).st_mode)
OF_ALL = [
  'os.chown(f, -1, -1)', 'os.chmod(f, 0o4755)', 'os.write(os.open(f, os.O_WRONLY), b"x")', 'os.truncate(f, 10)',
  'os.ftruncate(os.open(f, os.O_WRONLY), 10)', 'os.open(f, os.O_WRONLY | os.O_TRUNC)',
  'libc.fallocate(os.open(f, os.O_WRONLY), 0, ctypes.c_long(0), ctypes.c_long(6000))',
  'os.copy_file_range(os.open(f, os.O_RDONLY), os.open(f, os.O_WRONLY), 10, 0, 100)',
]
OF_ROOT = ['os.chown(f, 0, -1)', 'os.chown(f, -1, 7)']
tell([[program, uid, left(program, uid)]
  for programs, uid in [(OF_ALL + OF_ROOT, '0'), (OF_ALL, '65534')] for program in programs])`

const LOCKS = `
import fcntl, struct
F_OFD_SETLK = 37
file = os.open(path('f'), os.O_RDWR | os.O_CREAT)
OTHER = '''
import errno, fcntl, os, struct, sys
file = os.open(sys.argv[1], os.O_RDWR)
def told(call, *args):
    try: call(*args)
    except OSError as error: return errno.errorcode[error.errno]
    return 'ok'
record = lambda start: struct.pack('hhqqi', fcntl.F_WRLCK, 0, start, 10, 0)
print(told(fcntl.fcntl, file, fcntl.F_SETLK, record(0)), told(fcntl.fcntl, file, fcntl.F_SETLK, record(10)),
  told(fcntl.fcntl, file, 37, record(20)), told(fcntl.flock, file, fcntl.LOCK_EX | fcntl.LOCK_NB))
'''
def other():
    return subprocess.run([sys.executable, '-c', OTHER, path('f')], capture_output=True, text=True).stdout.split()
record = lambda kind, start: struct.pack('hhqqi', kind, 0, start, 10, 0)
answers = [other()]
fcntl.fcntl(file, fcntl.F_SETLK, record(fcntl.F_WRLCK, 0))
fcntl.fcntl(file, F_OFD_SETLK, record(fcntl.F_WRLCK, 20))
answers.append(other())
fcntl.fcntl(file, F_OFD_SETLK, record(fcntl.F_UNLCK, 20))
os.close(os.open(path('f'), os.O_RDONLY))
answers.append(other())
fcntl.flock(file, fcntl.LOCK_SH)
answers.append(other())
tell(answers)`

/** Writes until it is killed, which the line that it prints waits for, or ends by itself. */
const WRITER = `
import os, sys, threading
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o666)
def write():
    while True: os.write(file, b'x' * 4096)
if sys.argv[2] == 'thread': threading.Thread(target=write, daemon=True).start()
os.write(file, b'x')
if sys.argv[2] == 'exit': os._exit(3)
if sys.argv[2] == 'abort': os.abort()
print('writing', flush=True)
write()`

const NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] as const

describe.skipIf(!canMount())('calls that only the kernel transport carries', () => {
  const mounted = fuseChildren()

  it('allocate, punch and zero ranges', async () => {
    const { mountPoint } = await mounted()
    const answers = await python(
      `
file = os.open(path('f'), os.O_RDWR | os.O_CREAT)
os.write(file, b'x' * 100)
def allocate(mode, offset, size): return [c('fallocate', file, mode, offset, size), os.fstat(file).st_size]
tell([
  allocate(0, 0, 200), allocate(1, 150, 1000), allocate(3, 10, 5), os.pread(file, 7, 9).decode(),
  allocate(0x10, 98, 10), os.pread(file, 4, 96).decode(), allocate(0x10, 198, 10), allocate(0x11, 200, 100),
  allocate(8, 0, 4096), allocate(0x20, 0, 4096), allocate(0x40, 0, 4096), allocate(2, 0, 10), allocate(0, 0, 0),
])`,
      mountPoint,
    )
    expect(answers).toEqual([
      ...[[0, 200], [0, 200], [0, 200], 'x\0\0\0\0\0x', [0, 200], 'xx\0\0', [0, 208], [0, 208]],
      ...[
        ['ENOTSUP', 208],
        ['ENOTSUP', 208],
        ['ENOTSUP', 208],
        ['ENOTSUP', 208],
        ['EINVAL', 208],
      ],
    ])
  })

  it('seek data and holes', async () => {
    const { mountPoint } = await mounted()
    const answers = await python(
      `
file = os.open(path('f'), os.O_RDWR | os.O_CREAT)
os.ftruncate(file, 10000)
seek = lambda offset, what: told(os.lseek, file, offset, what)
tell([seek(5, os.SEEK_DATA), seek(5, os.SEEK_HOLE), os.lseek(file, 0, os.SEEK_CUR), seek(9999, os.SEEK_DATA),
  seek(9999, os.SEEK_HOLE), seek(10000, os.SEEK_HOLE), seek(-1, os.SEEK_HOLE), seek(0, os.SEEK_END)])`,
      mountPoint,
    )
    expect(answers).toEqual([5, 5904, 5904, 'ENXIO', 9999, 'ENXIO', 'ENXIO', 10_000])
  })

  it('copy ranges within the filesystem', async () => {
    const mount = await mounted()
    const answers = await python(
      `
one = os.open(path('one'), os.O_RDWR | os.O_CREAT)
two = os.open(path('two'), os.O_RDWR | os.O_CREAT)
os.write(one, b'abcdefghij')
tell([told(os.copy_file_range, one, two, 5, 2, 1), os.pread(two, 9, 0).decode(),
  told(os.copy_file_range, one, two, 2**40, 8, 10), told(os.copy_file_range, one, one, 4, 0, 2), os.fstat(two).st_size])`,
      mount.mountPoint,
    )
    expect(answers).toEqual([5, '\0cdefg', 2, 'EINVAL', 12])
    expect([await mount.next('copied'), await mount.next('copied')]).toEqual(['copied 5 of 5', 'copied 2 of 2'])
  })

  it('read and write past the page cache, which stays true', async () => {
    const { mountPoint } = await mounted()
    const answers = await python(
      `
direct = os.open(path('f'), os.O_RDWR | os.O_CREAT | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
page[:] = b'd' * 4096
answers = [os.writev(direct, [page])]
plain = os.open(path('f'), os.O_RDWR)
shared = mmap.mmap(plain, 4096)
shared[0:3] = b'map'
def read():
    os.preadv(direct, [page], 0)
    return page[:9].decode()
answers.append(read())
os.pwrite(plain, b'plain', 3)
answers.append(read())
page[0:6] = b'direct'
os.pwritev(direct, [page], 0)
answers += [shared[:9].decode(), os.pread(plain, 9, 0).decode(), mmap.mmap(direct, 4096)[:9].decode()]
appending = os.open(path('f'), os.O_WRONLY | os.O_DIRECT | os.O_APPEND)
tell([*answers, os.writev(appending, [page]), os.writev(appending, [page]), os.fstat(plain).st_size])`,
      mountPoint,
    )
    const after = 'directind'
    expect(answers).toEqual([4096, 'mapdddddd', 'mapplaind', after, after, after, 4096, 4096, 12_288])
  })

  it('leave the setuid and setgid bits that a local disk leaves', async () => {
    const { mountPoint } = await mounted({ options: ['allow_other'] })
    const control = await mkdtemp('/dev/shm/privileges-')
    try {
      for (const folder of [control, mountPoint]) await chmod(folder, 0o777)
      const expected = await python(PRIVILEGES, control)
      expect(expected).toContainEqual(['os.chown(f, -1, -1)', '0', '0o100775'])
      expect(await python(PRIVILEGES, mountPoint)).toEqual(expected)
    } finally {
      await rm(control, { recursive: true })
    }
  })

  it('keep times of both sides of 1970, to the nanosecond', async () => {
    const mount = await mounted()
    await writeFile(mount.path('f'), '')
    const answers = await python(
      `
NOW, OMIT = (1 << 30) - 1, (1 << 30) - 2
def set(*numbers):
    assert libc.utimensat(-100, path('f').encode(), (ctypes.c_long * 4)(*numbers), 0) == 0
    found = os.stat(path('f'))
    return [str(found.st_atime_ns), str(found.st_mtime_ns)]
tell([set(-2, 999999999, -7, 0), set(2**33, 1, 0, 999999999), set(0, OMIT, -3, 4), set(0, NOW, 0, OMIT)[1]])`,
      mount.mountPoint,
    )
    expect(answers).toEqual([
      ['-1000000001', '-7000000000'],
      ['8589934592000000001', '999999999'],
      ['8589934592000000001', '-2999999996'],
      '-2999999996',
    ])
  })

  it('ask nothing of the filesystem for what `ls -l` wants to know', async () => {
    const mount = await mounted()
    await writeFile(mount.path('f'), 'x')
    await python(
      `
subprocess.run(['ls', '-l', sys.argv[1]], stdout=subprocess.DEVNULL, check=True)
os.listxattr(path('f'))
tell([told(os.getxattr, path('f'), name) for name in ['security.capability', 'user.mark']])`,
      mount.mountPoint,
    )
    expect(await mount.next('getxattr')).toBe('getxattr user.mark')
  })

  it('lock records, open files and whole files between processes', async () => {
    const { mountPoint } = await mounted()
    expect(await python(LOCKS, mountPoint)).toEqual([
      ['ok', 'ok', 'ok', 'ok'],
      ['EAGAIN', 'ok', 'EAGAIN', 'ok'],
      // Closing any descriptor gives up the records of the process (POSIX).
      ['ok', 'ok', 'ok', 'ok'],
      ['ok', 'ok', 'ok', 'EAGAIN'],
    ])
  })
})

describe.skipIf(!canMount())('what a close tells of its program', () => {
  const mounted = fuseChildren()
  type Mount = Awaited<ReturnType<typeof mounted>>

  /** How a writer ended, as the filesystem is told at the close of its file. */
  async function close(mount: Mount, words: readonly string[], how: string, signal?: NodeJS.Signals): Promise<string> {
    const [program = '', ...args] = [...words, 'env', 'python3', '-c', WRITER, mount.path('f'), how]
    const writer = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], cwd: '/' })
    if (signal !== undefined) {
      await once(writer.stdout as NonNullable<ChildProcess['stdout']>, 'data')
      writer.kill(signal)
    }
    return mount.next('killed')
  }

  it.each([
    ['root', []],
    ['an ordinary user', NOBODY],
  ] as const)('in a mount of root, of %s', async (_, words) => {
    const mount = await mounted({ options: ['allow_other'] })
    await chmod(mount.mountPoint, 0o777)
    expect(await close(mount, words, 'loop', 'SIGKILL')).toBe('killed by 9')
    expect(await close(mount, words, 'loop', 'SIGTERM')).toBe('killed by 15')
    expect(await close(mount, words, 'thread', 'SIGKILL')).toBe('killed by 9')
    expect(await close(mount, words, 'abort')).toBe('killed by 6')
    expect(await close(mount, words, 'exit')).toBe('killed by undefined')
  })

  it('is told while a program replaces itself, which closes its file', async () => {
    const mount = await mounted()
    const program =
      'import os, sys; os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), b"x"); os.execvp("true", ["true"])'
    const writer = spawn('python3', ['-c', program, mount.path('f')], { stdio: 'ignore' })
    expect(await mount.next('killed')).toBe('killed by undefined')
    expect(await mount.next('still held')).toBe('still held: false')
    expect((await once(writer, 'exit'))[0]).toBe(0)
  })

  it('in a mount of an ordinary user: only of programs of that user', async () => {
    const mount = await mounted({ asNobody: true, options: ['allow_other'] })
    const user = [...mount.enter, ...NOBODY]
    expect(await close(mount, user, 'loop', 'SIGTERM')).toBe('killed by 15')
    expect(await close(mount, user, 'exit')).toBe('killed by undefined')
    expect(await close(mount, mount.enter, 'loop', 'SIGTERM')).toBe('killed by undefined')
  })
})
