import { chmod, chown, mkdir, readFile, stat, statfs, utimes, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { open } from './opened-file.js'
import { codeOf, type PosixTests } from './posix-context.js'

export const ATTRIBUTE_TESTS = {
  'stat tells type, size, links and blocks': async t => {
    await writeFile(t.path('f'), Buffer.alloc(10_000, 1))
    await mkdir(t.path('d'))
    const [f, d] = await Promise.all([stat(t.path('f')), stat(t.path('d'))])
    expect([f.isFile(), f.size, f.nlink, d.isDirectory()]).toEqual([true, 10_000, 1, true])
    expect(f.blocks * 512).toBeGreaterThanOrEqual(10_000)
    expect(d.nlink).toBeGreaterThanOrEqual(1)
    expect(f.dev).toBe(d.dev)
    expect(f.ino).not.toBe(d.ino)
  },
  'a mode is kept, of files and folders': async t => {
    await writeFile(t.path('f'), 'text')
    await mkdir(t.path('d'))
    for (const mode of [0o600, 0o755, 0o4755, 0o1644, 0]) {
      await chmod(t.path('f'), mode)
      expect((await stat(t.path('f'))).mode & 0o7777).toBe(mode)
    }
    await chmod(t.path('d'), 0o1777)
    expect((await stat(t.path('d'))).mode).toBe(0o041777)
    expect(await codeOf(chmod(t.path('none'), 0o600))).toBe('ENOENT')
  },
  'an owner is kept, of files and folders': async t => {
    await writeFile(t.path('f'), 'text')
    await mkdir(t.path('d'))
    await chown(t.path('f'), 1234, 5678)
    await chown(t.path('d'), 4321, 8765)
    expect(await t.sh('stat -c "%u %g" f d; chgrp 42 f; stat -c "%u %g" f')).toBe('1234 5678\n4321 8765\n1234 42\n')
  },
  'times are kept to the nanosecond': async t => {
    await t.sh('echo text > f; mkdir d')
    await t.sh('touch -m -d @1234567890.123456789 f; touch -a -d @1111111111.987654321 f')
    await t.sh('touch -d @1000000000.5 d')
    expect(await t.sh('stat -c "%.9Y %.9X" f; stat -c %.9Y d')).toBe(
      '1234567890.123456789 1111111111.987654321\n1000000000.500000000\n',
    )
    await utimes(t.path('f'), 5, 10)
    expect((await stat(t.path('f'))).mtimeMs).toBe(10_000)
  },
  'times before 1970 and after 2038 are kept': async t => {
    await t.sh('echo text > f; touch -d @-1000.25 f; echo text > g; touch -d @9999999999 g')
    expect(await t.sh('stat -c %.2Y f g')).toBe('-1000.25\n9999999999.00\n')
  },
  'touch makes a file, and moves its time to now': async t => {
    await t.sh('touch f; touch -d @1000 f; touch f; touch -c none')
    expect((await stat(t.path('f'))).mtimeMs).toBeGreaterThan(1e12)
    expect(await t.names()).toEqual(['f'])
  },
  'a write moves the time, a read does not': async t => {
    await t.sh('echo text > f; touch -d @1000 f; cat f > /dev/null')
    expect((await stat(t.path('f'))).mtimeMs).toBe(1_000_000)
    await t.sh('echo more >> f')
    expect((await stat(t.path('f'))).mtimeMs).toBeGreaterThan(1e12)
    await t.sh('touch -d @1000 f; truncate -s 3 f')
    expect((await stat(t.path('f'))).mtimeMs).toBeGreaterThan(1e12)
  },
  'chmod moves ctime and leaves mtime': async t => {
    await t.sh('echo text > f; touch -d @1000 f')
    const before = await stat(t.path('f'))
    await chmod(t.path('f'), 0o600)
    const after = await stat(t.path('f'))
    expect(after.mtimeMs).toBe(1_000_000)
    expect(after.ctimeMs).toBeGreaterThanOrEqual(before.ctimeMs)
    expect(after.ctimeMs).toBeGreaterThan(1e12)
  },
  'attributes that are set before the close are kept, as tar and cp -p set them': async t => {
    const handle = await open(t.path('f'), 'wx', 0o600)
    await handle.write('text')
    await handle.chmod(0o640)
    await handle.chown(12, 34)
    await handle.utimes(1000, 2000)
    const shown = await handle.stat()
    await handle.close()
    const kept = await stat(t.path('f'))
    for (const status of [shown, kept])
      expect([status.mode & 0o777, status.uid, status.gid, status.mtimeMs]).toEqual([0o640, 12, 34, 2_000_000])
    expect(await t.text('f')).toBe('text')
  },
  'attributes of a stored file change without its bytes': async t => {
    await t.sh('echo text > f; chmod 4711 f; chown 1:2 f; chmod 4711 f; touch -d @5 f')
    expect(await t.sh('stat -c "%a %u %g %Y %s" f; cat f')).toBe('4711 1 2 5 5\ntext\n')
  },
  'chmod joins an open writer': async t => {
    await writeFile(t.path('f'), 'text')
    const handle = await open(t.path('f'), 'r+')
    await handle.write('T', 0)
    await chmod(t.path('f'), 0o604)
    await handle.write('X', 3)
    await handle.close()
    expect((await stat(t.path('f'))).mode & 0o777).toBe(0o604)
    expect(await t.text('f')).toBe('TexX')
  },
  'a change of owner takes setuid away': async t => {
    await t.sh('echo text > f; chmod 6755 f; chown 5 f')
    expect(await t.sh('stat -c %a f')).toBe('755\n')
  },
  'cp -p and tar keep attributes': async t => {
    await t.sh('mkdir d; echo text > d/f; chmod 640 d/f; touch -d @1234567890.5 d/f; chmod 711 d; touch -d @77 d')
    await t.sh('cp -pr d e; mkdir x; tar --format=posix -cf - d | tar xf - -C x')
    expect(await t.sh('stat -c "%a %.1Y" e/f x/d/f e x/d')).toBe(
      '640 1234567890.5\n640 1234567890.5\n711 77.0\n711 77.0\n',
    )
    expect(await t.sh('cat e/f x/d/f')).toBe('text\ntext\n')
  },
  'a program can be run': async t => {
    await writeFile(t.path('run'), '#!/bin/sh\necho ran "$1"\n', { mode: 0o755 })
    expect(await t.run(t.path('run'), 'well')).toBe('ran well\n')
    await chmod(t.path('run'), 0o644)
    expect(await codeOf(t.run(t.path('run')))).toBe('EACCES')
  },
  'statfs tells of room': async t => {
    const { bsize, blocks, bfree, bavail, files } = await statfs(t.path())
    expect(bsize).toBeGreaterThanOrEqual(512)
    expect(blocks).toBeGreaterThanOrEqual(bfree)
    expect(bavail).toBeGreaterThan(0)
    expect(files).toBeGreaterThan(0)
    expect(await t.python('print(os.statvfs(".").f_namemax)')).toBe('255\n')
    expect(await t.sh('df . > /dev/null; df -i . | wc -l')).toBe('2\n')
  },
  'an empty file is a file': async t => {
    await writeFile(t.path('f'), '')
    const status = await stat(t.path('f'))
    expect([status.isFile(), status.size, status.blocks]).toEqual([true, 0, 0])
    expect((await readFile(t.path('f'))).length).toBe(0)
  },
} satisfies PosixTests
