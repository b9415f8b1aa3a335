import { mkdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { testBytes } from '../support/store-tools.js'
import { open } from './opened-file.js'
import { codeOf, type PosixTests } from './posix-context.js'

export const RENAME_TESTS = {
  'rename gives a file another name': async t => {
    await writeFile(t.path('a'), 'text')
    await rename(t.path('a'), t.path('b'))
    expect(await t.names()).toEqual(['b'])
    expect(await t.text('b')).toBe('text')
    expect(await codeOf(stat(t.path('a')))).toBe('ENOENT')
  },
  'rename replaces a file': async t => {
    await writeFile(t.path('a'), 'new')
    await writeFile(t.path('b'), 'old and longer')
    await rename(t.path('a'), t.path('b'))
    expect(await t.names()).toEqual(['b'])
    expect(await t.text('b')).toBe('new')
    expect((await stat(t.path('b'))).size).toBe(3)
  },
  'rename moves a file into another folder': async t => {
    await t.sh('mkdir -p d/e; echo text > f')
    await rename(t.path('f'), t.path('d', 'e', 'g'))
    expect(await t.text('d', 'e', 'g')).toBe('text\n')
    await rename(t.path('d', 'e', 'g'), t.path('f'))
    expect(await t.names()).toEqual(['d', 'f'])
    expect(await t.names('d', 'e')).toEqual([])
  },
  'rename to its own name changes nothing': async t => {
    await writeFile(t.path('a'), 'text')
    await rename(t.path('a'), t.path('a'))
    expect(await t.text('a')).toBe('text')
  },
  'rename of what is not there, or to where nothing is, is ENOENT': async t => {
    await writeFile(t.path('a'), 'text')
    expect(await codeOf(rename(t.path('none'), t.path('b')))).toBe('ENOENT')
    expect(await codeOf(rename(t.path('a'), t.path('no', 'b')))).toBe('ENOENT')
    expect(await t.text('a')).toBe('text')
  },
  'files and folders do not replace each other': async t => {
    await mkdir(t.path('d'))
    await writeFile(t.path('f'), 'text')
    expect(await codeOf(rename(t.path('f'), t.path('d')))).toBe('EISDIR')
    expect(await codeOf(rename(t.path('d'), t.path('f')))).toBe('ENOTDIR')
    expect(await t.names()).toEqual(['d', 'f'])
  },
  'rename keeps mode, owner and time': async t => {
    await t.sh('echo text > a; chmod 640 a; chown 12:34 a; touch -d @1234567890 a; mv a b')
    expect(await t.sh('stat -c "%a %u %g %Y %s" b')).toBe('640 12 34 1234567890 5\n')
  },
  'a renamed open file that is not stored yet is stored under its new name': async t => {
    const handle = await open(t.path('a'), 'wx+')
    await handle.write('one ')
    await rename(t.path('a'), t.path('b'))
    expect(await t.names()).toEqual(['b'])
    expect(await t.text('b')).toBe('one ')
    await handle.write('two', 4)
    await handle.close()
    expect(await t.names()).toEqual(['b'])
    expect(await t.text('b')).toBe('one two')
    expect(await codeOf(stat(t.path('a')))).toBe('ENOENT')
  },
  'a changed open file takes its changes along': async t => {
    const bytes = Buffer.from(testBytes(300_000))
    await writeFile(t.path('a'), bytes)
    const handle = await open(t.path('a'), 'r+')
    await handle.write(Buffer.from('X'), 0, 1, 150_000)
    await rename(t.path('a'), t.path('b'))
    await handle.write(Buffer.from('Y'), 0, 1, 200_000)
    await handle.close()
    bytes.write('X', 150_000)
    bytes.write('Y', 200_000)
    expect(await t.names()).toEqual(['b'])
    expect((await readFile(t.path('b'))).equals(bytes)).toBe(true)
  },
  'an open file can be read on after it was renamed': async t => {
    const bytes = Buffer.from(testBytes(400_000))
    await writeFile(t.path('a'), bytes)
    const handle = await open(t.path('a'), 'r')
    await rename(t.path('a'), t.path('b'))
    expect((await handle.readFile()).equals(bytes)).toBe(true)
    await handle.close()
  },
  'a new file that replaces one in one step is seen whole': async t => {
    await writeFile(t.path('f'), 'version 0')
    for (let i = 1; i <= 5; i++) {
      const handle = await open(t.path('f.tmp'), 'wx')
      await handle.write(`version ${i}`)
      await handle.sync()
      await handle.close()
      await rename(t.path('f.tmp'), t.path('f'))
      expect(await t.text('f')).toBe(`version ${i}`)
    }
    expect(await t.names()).toEqual(['f'])
  },
  'a file that was replaced while open keeps what it had': async t => {
    await writeFile(t.path('f'), 'old')
    const handle = await open(t.path('f'), 'r+')
    await handle.write('OLD', 0)
    await writeFile(t.path('g'), 'new')
    await rename(t.path('g'), t.path('f'))
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(10), 0, 10, 0)
    expect(buffer.toString('utf8', 0, bytesRead)).toBe('OLD')
    await handle.write('!', 3)
    await handle.close()
    expect(await t.text('f')).toBe('new')
  },
  'what a file replaced before it was stored does not come back': async t => {
    for (const away of ['rm f', 'mv f g']) {
      await writeFile(t.path('f'), 'old')
      const handle = await open(t.path('tmp'), 'wx')
      await handle.write('new')
      await rename(t.path('tmp'), t.path('f'))
      expect(await t.text('f')).toBe('new')
      await t.sh(away)
      expect(await codeOf(stat(t.path('f')))).toBe('ENOENT')
      expect(await t.sh('ls')).toBe(away === 'rm f' ? '' : 'g\n')
      await handle.close()
    }
    expect(await t.names()).toEqual(['g'])
    expect(await t.text('g')).toBe('new')
    await writeFile(t.path('f'), 'another')
    expect(await t.text('f')).toBe('another')
  },
  'names are passed on as log files are': async t => {
    await t.sh('echo 1 > log; mv log log.1; echo 2 > log; mv log.1 log.2; mv log log.1; echo 3 > log')
    expect(await t.sh('cat log log.1 log.2')).toBe('3\n2\n1\n')
    expect(await t.names()).toEqual(['log', 'log.1', 'log.2'])
  },
  'a name that was renamed away can be made anew': async t => {
    await writeFile(t.path('a'), 'first')
    await rename(t.path('a'), t.path('b'))
    await writeFile(t.path('a'), 'second')
    expect([await t.text('a'), await t.text('b')]).toEqual(['second', 'first'])
    const inodes = [(await stat(t.path('a'))).ino, (await stat(t.path('b'))).ino]
    expect(inodes[0]).not.toBe(inodes[1])
    await unlink(t.path('b'))
    expect(await t.text('a')).toBe('second')
  },
  'mv -n does not replace': async t => {
    await t.sh('echo a > a; echo b > b; mv -n a b || true')
    expect([await t.text('a'), await t.text('b')]).toEqual(['a\n', 'b\n'])
  },
  'an empty folder is renamed': async t => {
    await mkdir(t.path('d'))
    await rename(t.path('d'), t.path('e'))
    expect(await t.names()).toEqual(['e'])
  },
  'a folder is renamed with all that is in it': async t => {
    await t.sh('mkdir -p d/e; echo text > d/e/f')
    await rename(t.path('d'), t.path('g'))
    expect(await t.text('g', 'e', 'f')).toBe('text\n')
    expect(await t.names()).toEqual(['g'])
  },
  'mv moves a folder with all that is in it': async t => {
    await t.sh('mkdir -p d/e x; echo text > d/e/f; mv d x')
    expect(await t.text('x', 'd', 'e', 'f')).toBe('text\n')
    expect(await t.names()).toEqual(['x'])
  },
  'a folder does not go into itself': async t => {
    await mkdir(t.path('d'))
    expect(await codeOf(rename(t.path('d'), t.path('d', 'e')))).toBe('EINVAL')
  },
  'RENAME_EXCHANGE swaps two files': async t => {
    await t.sh('echo a > a; echo b > b')
    const swap = 'ctypes.CDLL(None, use_errno=True).renameat2(-100, b"a", -100, b"b", 2)'
    expect(await t.python(`import ctypes\nprint(${swap}, ctypes.get_errno())`)).toBe('0 0\n')
    expect([await t.text('a'), await t.text('b')]).toEqual(['b\n', 'a\n'])
  },
} satisfies PosixTests
