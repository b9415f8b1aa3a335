import { constants } from 'node:fs'
import { mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { testBytes } from '../support/store-tools.js'
import { open } from './opened-file.js'
import { codeOf, type PosixTests } from './posix-context.js'

export const TRUNCATE_TESTS = {
  'truncate by path cuts and grows': async t => {
    await writeFile(t.path('f'), 'hello')
    await truncate(t.path('f'), 2)
    expect(await t.text('f')).toBe('he')
    await truncate(t.path('f'), 5)
    expect(await t.text('f')).toBe('he\0\0\0')
    expect((await stat(t.path('f'))).size).toBe(5)
    await truncate(t.path('f'), 0)
    expect(await t.text('f')).toBe('')
  },
  'ftruncate cuts and grows, before close and after': async t => {
    const handle = await open(t.path('f'), 'w+')
    await handle.write('hello world')
    await handle.truncate(5)
    expect(await t.text('f')).toBe('hello')
    await handle.truncate(8)
    expect(await t.text('f')).toBe('hello\0\0\0')
    await handle.close()
    expect(await t.text('f')).toBe('hello\0\0\0')
  },
  'what was cut off does not come back': async t => {
    const bytes = Buffer.from(testBytes(600_000))
    await writeFile(t.path('f'), bytes)
    const handle = await open(t.path('f'), 'r+')
    await handle.truncate(300_001)
    await handle.write(Buffer.from('x'), 0, 1, 500_000)
    await handle.close()
    const found = await readFile(t.path('f'))
    expect(found.length).toBe(500_001)
    expect(found.subarray(0, 300_001).equals(bytes.subarray(0, 300_001))).toBe(true)
    expect(found.subarray(300_001, 500_000).every(byte => byte === 0)).toBe(true)
  },
  'a stored file of some MiB is cut in the middle of a block': async t => {
    const bytes = Buffer.from(testBytes(2_500_000))
    await writeFile(t.path('f'), bytes)
    await truncate(t.path('f'), 1_234_567)
    expect((await readFile(t.path('f'))).equals(bytes.subarray(0, 1_234_567))).toBe(true)
  },
  'truncate of an open file is seen by its handles': async t => {
    const writer = await open(t.path('f'), 'w+')
    await writer.write('hello world')
    const reader = await open(t.path('f'), 'r')
    await truncate(t.path('f'), 5)
    expect((await writer.stat()).size).toBe(5)
    expect((await reader.read(Buffer.alloc(20), 0, 20, 0)).bytesRead).toBe(5)
    await writer.write('!', 5)
    await writer.close()
    await reader.close()
    expect(await t.text('f')).toBe('hello!')
  },
  'truncate to the same size keeps the bytes': async t => {
    await writeFile(t.path('f'), 'hello')
    await truncate(t.path('f'), 5)
    expect(await t.text('f')).toBe('hello')
  },
  'truncate grows a file without bytes': async t => {
    await t.sh('truncate -s 100000 f')
    const bytes = await readFile(t.path('f'))
    expect([bytes.length, bytes.every(byte => byte === 0)]).toEqual([100_000, true])
  },
  'O_TRUNC of an open file keeps its other handles working': async t => {
    const first = await open(t.path('f'), 'w+')
    await first.write('hello world')
    const second = await open(t.path('f'), 'w')
    expect((await first.stat()).size).toBe(0)
    await second.write('new')
    expect((await first.read(Buffer.alloc(20), 0, 20, 0)).bytesRead).toBe(3)
    await first.write('!', 3)
    await second.close()
    await first.close()
    expect(await t.text('f')).toBe('new!')
  },
  'O_TRUNC empties a file for who only reads, too': async t => {
    await writeFile(t.path('f'), 'hello world')
    const writer = await open(t.path('f'), 'r+')
    await writer.write('HELLO', 0)
    const reader = await open(t.path('f'), constants.O_RDONLY | constants.O_TRUNC)
    expect([(await reader.stat()).size, await t.text('f')]).toEqual([0, ''])
    await reader.close()
    await writer.write('x', 3)
    await writer.close()
    expect(await t.text('f')).toBe('\0\0\0x')
    await (await open(t.path('f'), constants.O_RDONLY | constants.O_TRUNC)).close()
    expect([(await stat(t.path('f'))).size, await t.text('f')]).toEqual([0, ''])
  },
  'truncate of what is no file fails': async t => {
    await mkdir(t.path('d'))
    await writeFile(t.path('f'), 'text')
    expect(await codeOf(truncate(t.path('none'), 0))).toBe('ENOENT')
    expect(await codeOf(truncate(t.path('d'), 0))).toBe('EISDIR')
    const reader = await open(t.path('f'), 'r')
    expect(await codeOf(reader.truncate(0))).toBe('EINVAL')
    await reader.close()
    expect(await t.text('f')).toBe('text')
  },
} satisfies PosixTests
