import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { compareKeys } from '../../src/backend/keys.js'
import { Ancestors } from '../../src/bucket/sync/ancestors.js'
import { type LocalEntry, localTree } from '../../src/bucket/sync/local-tree.js'
import { partSizeFor, partsOfEtag, possiblePartSizes } from '../../src/bucket/sync/part-size.js'
import { sideBySide } from '../../src/bucket/sync/side-by-side.js'
import { pathFault } from '../../src/bucket/target-folder.js'

const MIB = 1024 * 1024
const LIMITS = { minPartBytes: 5 * MIB, maxPartBytes: 5 * 1024 * MIB, maxParts: 10_000 }

it.each(['a', 'a/b', '...', '..a', 'a..', ' ', 'ä/😀', 'a\\b'])('%j is a path', name => {
  expect(pathFault(name)).toBeUndefined()
})

it.each([
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  '../x',
  'a/../b',
  'a/.',
  'a\0b',
  'x'.repeat(256),
  `a/${'ä'.repeat(128)}`,
])('%j is none', name => {
  expect(pathFault(name)).toBeTypeOf('string')
})

it('finds names below earlier ones as if they were folders', () => {
  const ancestors = new Ancestors()
  const below: string[] = []
  for (const name of ['a', 'a-', 'a-/b', 'a/b', 'a/b/c', 'ab', 'b', 'c/d', 'c/d/e'].sort(compareKeys)) {
    const above = ancestors.above(name)
    if (above !== undefined) below.push(`${name} < ${above}`)
    ancestors.add(name)
  }
  expect(below).toEqual(['a-/b < a-', 'a/b < a', 'a/b/c < a', 'c/d/e < c/d'])
})

it('puts two listings side by side', async () => {
  async function* of(...names: readonly string[]) {
    yield* names
  }
  const same = (name: string) => name
  const pairs: string[] = []
  for await (const { source, target } of sideBySide(
    of('a', 'b', '\u{fffd}'),
    same,
    of('b', 'c', '\u{fffd}', '😀'),
    same,
  ))
    pairs.push(`${source ?? ''}|${target ?? ''}`)
  expect(pairs).toEqual(['a|', 'b|b', '|c', '\u{fffd}|\u{fffd}', '|😀'])
})

it('passes on that a listing failed', async () => {
  async function* failing(): AsyncGenerator<string> {
    yield 'a'
    throw new Error('gone')
  }
  async function* few(): AsyncGenerator<string> {
    yield 'b'
  }
  const read = async () => {
    for await (const _ of sideBySide(
      few(),
      name => name,
      failing(),
      name => name,
    ));
  }
  await expect(read()).rejects.toThrow('gone')
})

it('knows the sizes of parts that an ETag may come of', () => {
  const inParts = (sizeBytes: number, parts: number) => ({ sizeBytes, etag: `${'0'.repeat(32)}-${parts}` })
  expect(partSizeFor(100, 8 * MIB, LIMITS)).toBe(8 * MIB)
  expect(partSizeFor(200 * 1024 * MIB, 8 * MIB, LIMITS)).toBe(32 * MIB)
  expect(partsOfEtag(`${'0'.repeat(32)}-13`)).toBe(13)
  expect(partsOfEtag('0'.repeat(32))).toBeUndefined()
  expect(partsOfEtag('w-0')).toBeUndefined()
  expect(possiblePartSizes(inParts(100 * MIB, 13), 9 * MIB)).toEqual([8 * MIB])
  expect(possiblePartSizes(inParts(27 * MIB, 3), 9 * MIB)).toEqual([9 * MIB, 10 * MIB, 10_000_000])
})

it('walks a folder in the order of keys, without following links', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'walk-'))
  try {
    for (const name of ['b/x', 'a/x']) await mkdir(join(folder, name), { recursive: true })
    for (const name of ['b-', 'b/c', 'b/x/y', 'b0', '\u{fffd}', '😀', '.b.1234.free.bucket-part', '.bucket-part-of'])
      await writeFile(join(folder, name), name)
    await symlink('b', join(folder, 'link'))
    await execa('python3', [
      '-c',
      'import os, sys; os.close(os.open(sys.argv[1].encode() + b"/\\xff", os.O_CREAT))',
      folder,
    ])
    const found: LocalEntry[] = []
    for await (const entry of localTree(folder)) found.push(entry)
    expect(found.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      '.bucket-part-of file',
      'b- file',
      'b/c file',
      'b/x/y file',
      'b0 file',
      'link left alone',
      expect.stringContaining('\u{fffd} '),
      expect.stringContaining('\u{fffd} '),
      '😀 file',
    ])
    expect(found.filter(({ kind }) => kind === 'unreadable')).toHaveLength(1)
  } finally {
    await rm(folder, { recursive: true })
  }
})
