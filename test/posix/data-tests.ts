import { copyFile, readFile, stat, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { seededRandom, testBytes } from '../support/store-tools.js'
import { open } from './opened-file.js'
import { codeOf, type PosixTests } from './posix-context.js'

export const DATA_TESTS = {
  'reads end where the file ends': async t => {
    await writeFile(t.path('f'), 'hello')
    const handle = await open(t.path('f'), 'r')
    const read = async (position: number) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(10), 0, 10, position)
      return buffer.toString('utf8', 0, bytesRead)
    }
    expect([await read(0), await read(3), await read(5), await read(6), await read(2 ** 40)]).toEqual([
      'hello',
      'lo',
      '',
      '',
      '',
    ])
    await handle.close()
  },
  'writes at odd offsets are read back, before close and after': async t => {
    const random = seededRandom(7)
    const sizeBytes = 700_001
    const model = Buffer.from(testBytes(sizeBytes, 3))
    await writeFile(t.path('f'), model)
    const handle = await open(t.path('f'), 'r+')
    for (let i = 0; i < 60; i++) {
      const offset = Math.floor(random() * sizeBytes)
      const piece = testBytes(Math.min(1 + Math.floor(random() * 20_000), sizeBytes - offset), i)
      await handle.write(piece, 0, piece.length, offset)
      model.set(piece, offset)
      const from = Math.max(0, offset - 100)
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(piece.length + 200), 0, piece.length + 200, from)
      expect(buffer.subarray(0, bytesRead).equals(model.subarray(from, from + bytesRead))).toBe(true)
    }
    expect((await readFile(t.path('f'))).equals(model)).toBe(true)
    await handle.close()
    expect((await readFile(t.path('f'))).equals(model)).toBe(true)
  },
  'a file of several MiB survives being written in odd pieces': async t => {
    const bytes = Buffer.from(testBytes(5_000_011))
    const handle = await open(t.path('f'), 'w')
    for (let at = 0; at < bytes.length; )
      at += (await handle.write(bytes, at, Math.min(99_991, bytes.length - at))).bytesWritten
    expect((await stat(t.path('f'))).size).toBe(bytes.length)
    await handle.close()
    const copies = await Promise.all([1, 2, 3].map(() => readFile(t.path('f'))))
    for (const copy of copies) expect(copy.equals(bytes)).toBe(true)
  },
  'a hole reads as zeros': async t => {
    const handle = await open(t.path('f'), 'w+')
    await handle.write('end', 100_000)
    expect((await handle.stat()).size).toBe(100_003)
    await handle.close()
    const bytes = await readFile(t.path('f'))
    expect(bytes.subarray(0, 100_000).every(byte => byte === 0)).toBe(true)
    expect(bytes.toString('utf8', 100_000)).toBe('end')
  },
  'a write behind the end of a stored file leaves zeros between': async t => {
    await writeFile(t.path('f'), 'begin')
    const handle = await open(t.path('f'), 'r+')
    await handle.write('end', 10)
    await handle.close()
    expect(await t.text('f')).toBe('begin\0\0\0\0\0end')
  },
  'a patch leaves the rest of a file as it was': async t => {
    const bytes = Buffer.from(testBytes(1_000_000))
    await writeFile(t.path('f'), bytes)
    const handle = await open(t.path('f'), 'r+')
    await handle.write(Buffer.from('PATCH'), 0, 5, 500_000)
    await handle.close()
    bytes.write('PATCH', 500_000)
    expect((await readFile(t.path('f'))).equals(bytes)).toBe(true)
  },
  'every handle reads what any handle wrote, at once': async t => {
    await writeFile(t.path('f'), 'aaaa')
    const reader = await open(t.path('f'), 'r')
    const writer = await open(t.path('f'), 'r+')
    const other = await open(t.path('f'), 'r+')
    const seen = async () => {
      const { buffer, bytesRead } = await reader.read(Buffer.alloc(10), 0, 10, 0)
      return buffer.toString('utf8', 0, bytesRead)
    }
    expect(await seen()).toBe('aaaa')
    await writer.write('b', 1)
    expect(await seen()).toBe('abaa')
    await other.write('cc', 3)
    expect(await seen()).toBe('abacc')
    expect(await t.text('f')).toBe('abacc')
    expect((await reader.stat()).size).toBe(5)
    await writer.close()
    await other.write('d', 0)
    expect(await seen()).toBe('dbacc')
    await other.close()
    expect(await seen()).toBe('dbacc')
    await reader.close()
    expect(await t.text('f')).toBe('dbacc')
  },
  'a file is seen by others before it is closed': async t => {
    const handle = await open(t.path('f'), 'wx')
    await handle.write('not closed yet')
    expect(await t.sh('cat f; wc -c < f')).toBe('not closed yet14\n')
    expect(await t.names()).toEqual(['f'])
    await handle.close()
    expect(await t.sh('cat f')).toBe('not closed yet')
  },
  'what replaces a file is read at once, also of the same size': async t => {
    for (const text of ['first', 'other', 'third', 'x', 'longer than before']) {
      await writeFile(t.path('f'), text)
      expect(await t.text('f')).toBe(text)
      expect((await stat(t.path('f'))).size).toBe(text.length)
      expect(await t.sh('cat f')).toBe(text)
    }
  },
  'fsync stores, and the file can be changed again': async t => {
    const handle = await open(t.path('f'), 'w+')
    await handle.write('one')
    await handle.sync()
    await handle.write('two', 1)
    await handle.datasync()
    await handle.sync()
    expect(await t.text('f')).toBe('otwo')
    await handle.truncate(2)
    await handle.sync()
    await handle.write('!', 2)
    await handle.close()
    expect(await t.text('f')).toBe('ot!')
  },
  'O_SYNC writes go through': async t => {
    const handle = await open(t.path('f'), 'as')
    await handle.write('one ')
    await handle.write('two')
    await handle.close()
    expect(await t.text('f')).toBe('one two')
  },
  'vectors are written and read in order': async t => {
    const handle = await open(t.path('f'), 'w+')
    await handle.writev([Buffer.from('one '), Buffer.from('two '), Buffer.from('three')], 0)
    const buffers = [Buffer.alloc(5), Buffer.alloc(20)]
    expect((await handle.readv(buffers, 4)).bytesRead).toBe(9)
    await handle.close()
    expect(buffers[0]?.toString()).toBe('two t')
  },
  'a write of no bytes changes nothing': async t => {
    await writeFile(t.path('f'), 'text')
    const handle = await open(t.path('f'), 'r+')
    await handle.write(Buffer.alloc(0), 0, 0, 100)
    await handle.close()
    expect(await t.text('f')).toBe('text')
  },
  'a copy has the same bytes': async t => {
    const bytes = Buffer.from(testBytes(2_000_003))
    await writeFile(t.path('f'), bytes)
    await copyFile(t.path('f'), t.path('g'))
    expect((await readFile(t.path('g'))).equals(bytes)).toBe(true)
    expect(await codeOf(copyFile(t.path('none'), t.path('h')))).toBe('ENOENT')
  },
  'a reader that is slower than a writer reads on': async t => {
    const writer = await open(t.path('f'), 'w')
    const reader = await open(t.path('f'), 'r')
    let seen = ''
    for (const word of ['one ', 'two ', 'three']) {
      await writer.write(word)
      const { buffer, bytesRead } = await reader.read(Buffer.alloc(20), 0, 20, seen.length)
      seen += buffer.toString('utf8', 0, bytesRead)
    }
    await writer.close()
    await reader.close()
    expect(seen).toBe('one two three')
  },
} satisfies PosixTests
