import { execFile } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { fuseChildren } from '../support/fuse-child.js'
import { hasFuseNative } from '../support/fuse-native-installed.js'
import { python } from '../support/fuse-python.js'
import { canMount } from '../support/mount-driver.js'

const run = promisify(execFile)

describe.skipIf(!canMount() || !hasFuseNative())('the fuse-native transport', () => {
  const children = fuseChildren()
  const mounted = (settings: Parameters<typeof children>[0] = {}) => children({ ...settings, kind: 'fuse-native' })

  it('carries names, attributes and data', async () => {
    const mount = await mounted()
    await mkdir(mount.path('folder'))
    await writeFile(mount.path('folder', 'a'), 'hello')
    await rename(mount.path('folder'), mount.path('other'))
    await rename(mount.path('other', 'a'), mount.path('b'))
    expect(await readFile(mount.path('b'), 'utf8')).toBe('hello')
    await truncate(mount.path('b'), 2)
    await run('chmod', ['600', mount.path('b')])
    await run('chown', ['5', mount.path('b')])
    await run('touch', ['-d', '@5.25', mount.path('b')])
    const { size, mode, uid, gid, mtimeMs, blksize } = await stat(mount.path('b'))
    expect({ size, mode, uid, gid, mtimeMs, blksize }).toEqual({
      size: 2,
      mode: 0o100600,
      uid: 5,
      gid: 0,
      mtimeMs: 5250,
      blksize: 131_072,
    })
    await expect(stat(mount.path('folder'))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(rm(mount.path('b', 'c'))).rejects.toMatchObject({ code: 'ENOTDIR' })
    await rm(mount.path('other'), { recursive: true })
    await unlink(mount.path('b'))
    expect(await readdir(mount.mountPoint)).toEqual([])
    expect(await readFile('/proc/mounts', 'utf8')).toContain(
      `mem://test,with\\134comma ${mount.mountPoint} fuse.mount-bucket rw,nosuid,nodev`,
    )
  })

  it('carries large files and folders', async () => {
    const mount = await mounted()
    const data = randomFillSync(Buffer.alloc(50_000_001))
    await writeFile(mount.path('large'), data)
    expect((await readFile(mount.path('large'))).equals(data)).toBe(true)
    await unlink(mount.path('large'))
    for (let i = 0; i < 2500; i++) mount.send('replace', `file${i}`, 'x')
    for (let i = 0; i < 2500; i++) await mount.next('replaced')
    const { stdout } = await run('ls', ['-l', mount.mountPoint])
    expect(stdout.trim().split('\n').slice(1)).toHaveLength(2500)
  })

  it('shows what changed behind the kernel', async () => {
    const mount = await mounted({ ttlMs: 3_600_000 })
    mount.send('replace', 'f', 'one')
    await mount.next('replaced')
    expect(await readFile(mount.path('f'), 'utf8')).toBe('one')
    mount.send('replace', 'f', 'seven..')
    await mount.next('replaced')
    expect(await readFile(mount.path('f'), 'utf8')).toBe('seven..')
  })

  it('refuses what the filesystem has not, and keeps its handles apart', async () => {
    const mount = await mounted()
    const [one, two] = [await open(mount.path('f'), 'w+'), await open(mount.path('f'), 'a')]
    await expect(run('ln', [mount.path('f'), mount.path('link')])).rejects.toThrow('Operation not permitted')
    await one.write('abc')
    await two.write('def')
    await one.truncate(5)
    expect((await one.read(Buffer.alloc(10), 0, 10, 0)).buffer.toString('latin1', 0, 5)).toBe('abcde')
    await unlink(mount.path('f'))
    await one.close()
    await two.close()
    expect(await readdir(mount.mountPoint)).toEqual([])
  })

  it('refuses what it would have to change', async () => {
    const mount = await mounted()
    const answers = await python(
      `
raw = lambda name: path(name).encode('latin1')
open(path('f'), 'w').close()
tell([
  told(os.symlink, b'\\xff', raw('link')), told(os.mkdir, raw('\\xff')), told(os.open, raw('\\xff'), os.O_CREAT),
  told(os.rename, raw('f'), raw('\\xff')), told(os.setxattr, raw('f'), b'user.\\xff', b''),
  told(os.utime, path('f'), (-1, 5)), os.listdir(sys.argv[1]),
  told(os.lseek, os.open(path('f'), os.O_RDWR), 0, os.SEEK_HOLE),
  c('fallocate', os.open(path('f'), os.O_RDWR), 0, 0, 10),
])`,
      mount.mountPoint,
    )
    expect(answers).toEqual(['EILSEQ', 'EILSEQ', 'EILSEQ', 'EILSEQ', 'EILSEQ', 'EINVAL', ['f'], 'ENXIO', 'ENOTSUP'])
  })

  it('refuses to unmount while in use, and ends by itself when unmounted from outside', async () => {
    const mount = await mounted()
    const file = await open(mount.path('f'), 'w')
    mount.send('unmount')
    expect(await mount.next('refused')).toBe('refused EBUSY')
    await file.close()
    await run('umount', [mount.mountPoint])
    await mount.next('ended')
    expect(await mount.next('exit')).toBe('exit 0')
  })

  it('serves an ordinary user', async () => {
    const mount = await mounted({ asNobody: true, options: ['noexec', 'allow_other'] })
    const { mountPoint } = mount
    expect(await mount.inside(`echo hello > ${mountPoint}/f; cat ${mountPoint}/f; stat -c %u ${mountPoint}/f`)).toBe(
      'hello\n65534\n',
    )
    mount.send('unmount')
    await mount.next('ended')
    expect(await mount.next('exit')).toBe('exit 0')
  })
})
