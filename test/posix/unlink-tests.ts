import { readFile, stat, unlink, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { testBytes } from '../support/store-tools.js'
import { open } from './opened-file.js'
import { codeOf, type PosixTests } from './posix-context.js'

export const UNLINK_TESTS = {
  'unlink takes the name away': async t => {
    await writeFile(t.path('f'), 'text', { mode: 0o444 })
    await unlink(t.path('f'))
    expect(await codeOf(stat(t.path('f')))).toBe('ENOENT')
    expect(await codeOf(unlink(t.path('f')))).toBe('ENOENT')
    expect(await t.names()).toEqual([])
  },
  'an unlinked file that is not stored yet works until its close, and never comes back': async t => {
    const handle = await open(t.path('f'), 'wx+')
    await handle.write('text')
    await unlink(t.path('f'))
    expect(await codeOf(stat(t.path('f')))).toBe('ENOENT')
    await handle.write('more', 4)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(20), 0, 20, 0)
    expect(buffer.toString('utf8', 0, bytesRead)).toBe('textmore')
    const { nlink, size } = await handle.stat()
    expect([nlink, size]).toEqual([0, 8])
    await handle.sync()
    await handle.close()
    expect(await t.names()).toEqual([])
    expect(await codeOf(stat(t.path('f')))).toBe('ENOENT')
  },
  'an unlinked open file can be truncated and changed': async t => {
    await writeFile(t.path('f'), 'stored text')
    const handle = await open(t.path('f'), 'r+')
    await unlink(t.path('f'))
    await handle.truncate(0)
    await handle.write('new', 0)
    await handle.chmod(0o600)
    expect((await handle.stat()).size).toBe(3)
    await handle.close()
    expect(await t.names()).toEqual([])
  },
  'an unlinked stored file can be read on': async t => {
    const bytes = Buffer.from(testBytes(100_000))
    await writeFile(t.path('f'), bytes)
    const handle = await open(t.path('f'), 'r')
    try {
      await unlink(t.path('f'))
      expect((await handle.readFile()).equals(bytes)).toBe(true)
    } finally {
      await handle.close()
    }
  },
  'an unlinked file can be read on when its writer has closed it': async t => {
    const writer = await open(t.path('f'), 'wx')
    await writer.write('text')
    const reader = await open(t.path('f'), 'r')
    try {
      await unlink(t.path('f'))
      await writer.close()
      expect(await reader.readFile('utf8')).toBe('text')
    } finally {
      await reader.close()
    }
  },
  'a new file under the name of an unlinked open one is another file': async t => {
    const old = await open(t.path('f'), 'w+')
    await old.write('old')
    await unlink(t.path('f'))
    await writeFile(t.path('f'), 'new content')
    await old.write('!', 3)
    expect((await old.stat()).size).toBe(4)
    expect(await t.text('f')).toBe('new content')
    await old.close()
    expect(await t.text('f')).toBe('new content')
    expect((await stat(t.path('f'))).size).toBe(11)
  },
  'a temporary file is used as tmpfile(3) does it': async t => {
    const script = 'exec 3<> f; rm f; echo one >&3; echo two >&3; cat /proc/self/fd/3; ls'
    expect(await t.sh(script)).toBe('one\ntwo\n')
  },
  'an emptied folder has room for the same names': async t => {
    for (let round = 0; round < 3; round++) {
      await t.sh('for i in 1 2 3 4 5; do echo $1 > f$i; done', `round ${round}`)
      expect(await readFile(t.path('f3'), 'utf8')).toBe(`round ${round}\n`)
      await t.sh('rm f*')
    }
    expect(await t.names()).toEqual([])
  },
} satisfies PosixTests
