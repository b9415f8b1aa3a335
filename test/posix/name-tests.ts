import { mkdir, readdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { codeOf, type PosixTests } from './posix-context.js'

const ODD_NAMES = [
  ' ',
  ' leading and trailing ',
  'two\nlines',
  'tab\there',
  '-rf',
  '.hidden',
  '...',
  'dots..',
  "it's",
  'say "hi"',
  'back\\slash',
  '100%',
  '%2F',
  'a+b',
  'a&b<c>d',
  '#1?x=y',
  '*?[a-z]',
  'semi;colon|pipe$HOME`x`',
  'über',
  'u\u0308ber',
  'Ελληνικά',
  '日本語',
  '😀.txt',
  '\u{10ffff}',
  '\uffee and \u{10000}',
  '~',
  '\u0001\u007f',
]

export const NAME_TESTS = {
  'odd names are names': async t => {
    for (const name of ODD_NAMES) await writeFile(t.path(name), name)
    expect(await t.names()).toEqual([...ODD_NAMES].sort())
    for (const name of ODD_NAMES) expect(await t.text(name)).toBe(name)
    await mkdir(t.path('d'))
    for (const name of ODD_NAMES) await rename(t.path(name), t.path('d', name))
    expect(await t.names('d')).toEqual([...ODD_NAMES].sort())
    for (const name of ODD_NAMES) await unlink(t.path('d', name))
    expect(await t.names('d')).toEqual([])
  },
  'odd names are folders': async t => {
    for (const name of ODD_NAMES) {
      await mkdir(t.path(name))
      await writeFile(t.path(name, name), name)
    }
    expect(await t.names()).toEqual([...ODD_NAMES].sort())
    for (const name of ODD_NAMES) expect(await t.text(name, name)).toBe(name)
    await t.sh('rm -r -- * .h* ...')
    expect(await t.names()).toEqual([])
  },
  'names of 255 bytes work, longer ones are ENAMETOOLONG': async t => {
    const longest = 'x'.repeat(255)
    const umlauts = 'ü'.repeat(127)
    await writeFile(t.path(longest), 'long')
    await mkdir(t.path(umlauts))
    expect(await t.names()).toEqual([longest, umlauts])
    expect(await t.text(longest)).toBe('long')
    await rename(t.path(longest), t.path(umlauts, longest))
    expect(await t.names(umlauts)).toEqual([longest])
    for (const name of ['x'.repeat(256), 'ü'.repeat(128)]) {
      expect(await codeOf(writeFile(t.path(name), ''))).toBe('ENAMETOOLONG')
      expect(await codeOf(mkdir(t.path(name)))).toBe('ENAMETOOLONG')
      expect(await codeOf(stat(t.path(name)))).toBe('ENAMETOOLONG')
      expect(await codeOf(rename(t.path(umlauts), t.path(name)))).toBe('ENAMETOOLONG')
    }
  },
  'upper and lower case differ': async t => {
    await writeFile(t.path('name'), 'lower')
    await writeFile(t.path('NAME'), 'upper')
    expect([await t.text('name'), await t.text('NAME')]).toEqual(['lower', 'upper'])
    expect(await t.names()).toEqual(['NAME', 'name'])
  },
  'a name that begins as another one does is its own': async t => {
    await t.sh('echo 1 > a; echo 2 > ab; mkdir a.d; echo 3 > a.d/x; echo 4 > a-; mkdir a0; rm a; ls')
    expect(await t.names()).toEqual(['a-', 'a.d', 'a0', 'ab'])
    expect(await codeOf(stat(t.path('a')))).toBe('ENOENT')
  },
  'a name that is no UTF-8 is a name': async t => {
    const name = Buffer.concat([Buffer.from(`${t.path()}/`), Buffer.from([0x66, 0xff, 0xfe])])
    await writeFile(name, 'bytes')
    expect(await readFile(name, 'utf8')).toBe('bytes')
    const [listed] = await readdir(t.path(), { encoding: 'buffer' })
    expect(listed).toEqual(Buffer.from([0x66, 0xff, 0xfe]))
  },
  'a path of 1,500 bytes works': async t => {
    const names = Array.from({ length: 6 }, (_, i) => String(i).repeat(250))
    await mkdir(t.path(...names), { recursive: true })
    await writeFile(join(t.path(...names), 'f'), 'far')
    expect(await t.text(...names, 'f')).toBe('far')
  },
} satisfies PosixTests
