import { constants } from 'node:fs'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { open } from './opened-file.js'
import { codeOf, type PosixTests } from './posix-context.js'

const { O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants

export const OPEN_TESTS = {
  'open of a missing file is ENOENT': async t => {
    expect(await codeOf(open(t.path('f'), O_RDWR))).toBe('ENOENT')
    expect(await codeOf(open(t.path('no', 'f'), O_RDWR | O_CREAT))).toBe('ENOENT')
  },
  'O_CREAT makes an empty file with the mode that the umask leaves': async t => {
    await t.sh('umask 027; : > f; umask 077; : > g')
    const [f, g] = await Promise.all([stat(t.path('f')), stat(t.path('g'))])
    expect([f.size, f.isFile(), f.mode & 0o7777, f.nlink]).toEqual([0, true, 0o640, 1])
    expect(g.mode & 0o7777).toBe(0o600)
  },
  'O_CREAT opens what is there and keeps its bytes and mode': async t => {
    await writeFile(t.path('f'), 'here', { mode: 0o640 })
    const handle = await open(t.path('f'), O_CREAT | O_RDWR, 0o777)
    await handle.write('T', 0)
    await handle.close()
    expect(await t.text('f')).toBe('Tere')
    expect((await stat(t.path('f'))).mode & 0o777).toBe(0o640)
  },
  'O_EXCL makes a missing file and is EEXIST for what is there': async t => {
    const handle = await open(t.path('f'), O_CREAT | O_EXCL | O_WRONLY)
    expect(await codeOf(open(t.path('f'), O_CREAT | O_EXCL | O_WRONLY))).toBe('EEXIST')
    await handle.write('one')
    await handle.close()
    await mkdir(t.path('d'))
    expect(await codeOf(open(t.path('f'), O_CREAT | O_EXCL | O_WRONLY))).toBe('EEXIST')
    expect(await codeOf(open(t.path('d'), O_CREAT | O_EXCL | O_WRONLY))).toBe('EEXIST')
    expect(await t.text('f')).toBe('one')
  },
  'O_EXCL lets one of many win': async t => {
    const tries = Array.from({ length: 12 }, () => open(t.path('lock'), O_CREAT | O_EXCL | O_WRONLY))
    const results = await Promise.allSettled(tries)
    const handles = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
    await Promise.all(handles.map(handle => handle.close()))
    expect(handles).toHaveLength(1)
  },
  'O_TRUNC empties what is there': async t => {
    await writeFile(t.path('f'), 'a long text')
    const handle = await open(t.path('f'), O_WRONLY | O_TRUNC)
    expect((await stat(t.path('f'))).size).toBe(0)
    expect(await t.text('f')).toBe('')
    await handle.write('new')
    await handle.close()
    expect(await t.text('f')).toBe('new')
  },
  'O_TRUNC and close without a write leaves an empty file': async t => {
    await writeFile(t.path('f'), 'a long text')
    await t.sh(': > f')
    expect((await stat(t.path('f'))).size).toBe(0)
    expect(await t.text('f')).toBe('')
  },
  'O_APPEND writes at the end, wherever it is by then': async t => {
    await writeFile(t.path('f'), '0')
    const one = await open(t.path('f'), 'a+')
    const two = await open(t.path('f'), 'a')
    await one.write('1')
    await two.write('2')
    await one.write('3', 0)
    expect((await one.read(Buffer.alloc(9), 0, 9, 0)).bytesRead).toBe(4)
    await two.write('4')
    await two.close()
    await one.close()
    expect(await t.text('f')).toBe('01234')
  },
  'O_APPEND makes a missing file': async t => {
    await t.sh('echo a >> f; echo b >> f')
    expect(await t.text('f')).toBe('a\nb\n')
  },
  'a handle does only what it was opened for': async t => {
    await writeFile(t.path('f'), 'text')
    const reader = await open(t.path('f'), O_RDONLY)
    const writer = await open(t.path('f'), O_WRONLY)
    expect(await codeOf(reader.write('x'))).toBe('EBADF')
    expect(await codeOf(writer.read(Buffer.alloc(1), 0, 1, 0))).toBe('EBADF')
    await reader.close()
    await writer.close()
    expect(await t.text('f')).toBe('text')
  },
  'a new file may be written by who made it read-only': async t => {
    const handle = await open(t.path('f'), O_CREAT | O_RDWR, 0o444)
    await handle.write('text')
    await handle.close()
    expect((await stat(t.path('f'))).mode & 0o777).toBe(0o444)
    expect(await t.text('f')).toBe('text')
  },
  'folders are not files': async t => {
    await mkdir(t.path('d'))
    await writeFile(t.path('f'), '')
    expect(await codeOf(open(t.path('d'), O_WRONLY))).toBe('EISDIR')
    expect(await codeOf(open(t.path('d'), O_CREAT | O_WRONLY))).toBe('EISDIR')
    expect(await codeOf(readFile(t.path('d')))).toBe('EISDIR')
    expect(await codeOf(open(t.path('f'), O_DIRECTORY))).toBe('ENOTDIR')
  },
  'a path through a file is ENOTDIR': async t => {
    await writeFile(t.path('f'), '')
    expect(await codeOf(open(t.path('f', 'g'), O_RDWR | O_CREAT))).toBe('ENOTDIR')
    expect(await codeOf(stat(t.path('f', 'g')))).toBe('ENOTDIR')
    expect(await codeOf(stat(`${t.path('f')}/`))).toBe('ENOTDIR')
  },
  'a file can be made, removed and made again': async t => {
    for (const text of ['one', 'two', 'three']) {
      await writeFile(t.path('f'), text)
      expect(await t.text('f')).toBe(text)
      await t.sh('rm f')
      expect(await codeOf(stat(t.path('f')))).toBe('ENOENT')
    }
    expect(await t.names()).toEqual([])
  },
} satisfies PosixTests
