import type { CallCase, CallTests } from '../call-case.js'
import { MEMBER, OTHER, OWNER, type Word } from '../system-calls.js'

const CLASSES = [
  ['owner', OWNER, 6],
  ['group', MEMBER, 3],
  ['others', OTHER, 0],
] as const
const DIGITS = [0, 1, 2, 3, 4, 5, 6, 7] as const
const READ = 4
const WRITE = 2
const EXECUTE = 1

/** A call, and which bits allow it. */
type Ruled = readonly [needs: number, call: string, ...words: Word[]]

const ON_FILE: readonly Ruled[] = [
  [READ, 'open', 'f', 'O_RDONLY'],
  [WRITE, 'open', 'f', 'O_WRONLY'],
  [READ | WRITE, 'open', 'f', 'O_RDWR'],
  [WRITE, 'open', 'f', 'O_WRONLY|O_TRUNC'],
  [READ | WRITE, 'open', 'f', 'O_RDONLY|O_TRUNC'],
  [WRITE, 'truncate', 'f', 3],
  [READ, 'access', 'f', 'R'],
  [WRITE, 'access', 'f', 'W'],
  [EXECUTE, 'access', 'f', 'X'],
  [READ | WRITE | EXECUTE, 'access', 'f', 'R|W|X'],
  [0, 'access', 'f', ''],
  [0, 'lstat', 'f'],
]

const ON_FOLDER: readonly Ruled[] = [
  [READ, 'list', 'd'],
  [EXECUTE, 'lstat', 'd/inner'],
  [EXECUTE, 'stat', 'd/folder/deep'],
  [EXECUTE, 'lstat', 'd/folder/..'],
  [EXECUTE, 'readlink', 'd/link'],
  [EXECUTE, 'open', 'd/inner', 'O_RDONLY'],
  [EXECUTE, 'access', 'd', 'X'],
  [WRITE, 'access', 'd', 'W'],
  [WRITE | EXECUTE, 'mkdir', 'd/new', 0o755],
  [WRITE | EXECUTE, 'rename', 'd/new', 'd/newer'],
  [WRITE | EXECUTE, 'rmdir', 'd/newer'],
  [WRITE | EXECUTE, 'symlink', 'x', 'd/new'],
  [WRITE | EXECUTE, 'unlink', 'd/new'],
  [WRITE | EXECUTE, 'mkfifo', 'd/new', 0o644],
  [WRITE | EXECUTE, 'rename', 'd/new', 'outside'],
  [WRITE | EXECUTE, 'rename', 'outside', 'd/new'],
  [WRITE | EXECUTE, 'unlink', 'd/new'],
  [WRITE | EXECUTE, 'open', 'd/new', 'O_CREAT|O_WRONLY', 0o644],
  [WRITE | EXECUTE, 'unlink', 'd/new'],
]

/** What a call is refused with: EACCES, unless it may look and finds that the calls before it were refused, too. */
function refusal(bits: number, [, call]: Ruled): string {
  return bits & EXECUTE && ['rename', 'rmdir', 'unlink'].includes(call) ? 'ENOENT' : 'EACCES'
}

async function ruled(t: CallCase, allowed: number, [needs, call, ...words]: Ruled, refused = 'EACCES'): Promise<void> {
  const answer = await t.gives((allowed & needs) === needs ? 'done' : refused, call, ...words)
  if (call === 'open' && typeof answer === 'number') await t.does('close', answer)
}

export const PERMISSION_CALLS = {
  'each class may do to a file what its bits say': async t => {
    for (const [, who, shift] of CLASSES)
      for (const bits of DIGITS) {
        await t.make('regular', 'f', { owner: OWNER, mode: bits << shift })
        for (const rule of ON_FILE) await ruled(t.as(who), bits, rule)
        await t.remove('f')
      }
  },
  'the bits of one class are no concern of the others': async t => {
    for (const [name, who, shift] of CLASSES) {
      await t.make('regular', 'f', { owner: OWNER, mode: 0o777 & ~(7 << shift) })
      for (const [, one] of CLASSES) await t.as(one).gives(one === who ? 'EACCES' : 'done', 'access', 'f', 'R|W|X')
      await t.remove('f')
      if (name === 'others') await t.gives('ENOENT', 'access', 'f', '')
    }
  },
  'root may read and write whatever the bits say, and execute where one is set': async t => {
    for (const mode of [0, 0o111, 0o222, 0o444, 0o777]) {
      await t.make('regular', 'f', { owner: OWNER, mode })
      for (const [needs, ...call] of ON_FILE)
        await ruled(t, needs & EXECUTE && (mode & 0o111) === 0 ? 0 : 7, [needs, ...call])
      await t.remove('f')
    }
    await t.make('folder', 'd', { owner: OWNER, mode: 0 })
    await t.gives('done', 'mkdir', 'd/e', 0o755)
    await t.gives('done', 'list', 'd')
    await t.gives('done', 'rmdir', 'd/e')
  },
  'each class may do to a folder what its bits say': async t => {
    await t.does('chmod', '.', 0o777)
    for (const [, who, shift] of CLASSES)
      for (const bits of DIGITS) {
        await t.make('folder', 'd', { owner: OWNER })
        await t.make('regular', 'd/inner')
        await t.make('symlink', 'd/link')
        await t.make('folder', 'd/folder')
        await t.make('regular', 'd/folder/deep')
        await t.does('chmod', 'd', bits << shift)
        for (const rule of ON_FOLDER) await ruled(t.as(who), bits, rule, refusal(bits, rule))
        await t.remove('d/inner', 'd/link', 'd/folder/deep', 'd/folder', 'd')
      }
  },
  'a program runs where a bit says so': async t => {
    for (const [mode, outcome] of [
      [0o755, 'done'],
      [0o644, 'EACCES'],
      [0o311, 'EACCES'],
    ] as const) {
      const descriptor = await t.open('program', 'O_CREAT|O_WRONLY', 0o755)
      await t.does('write', descriptor, '#!/bin/sh\nexit 7\n')
      await t.does('close', descriptor)
      await t.does('chmod', 'program', mode)
      if (outcome === 'done') await t.equals(7, 'execute', './program')
      await t.as(OTHER).gives(mode === 0o311 ? 'done' : outcome, 'execute', './program')
      await t.remove('program')
    }
  },
  'times are set by the owner and root, to now also by who may write': async t => {
    await t.make('regular', 'f', { owner: OWNER, mode: 0o666 })
    await t.as(OTHER).gives('done', 'utimensat', 'f', 'now', 'now')
    await t.as(OTHER).gives('done', 'utimensBoth', 'f')
    await t.as(OTHER).gives('EPERM', 'utimensat', 'f', [1, 0], [2, 0])
    await t.as(OTHER).gives('EPERM', 'utimensat', 'f', 'now', 'omit')
    await t.as(OTHER).gives('done', 'utimensat', 'f', 'omit', 'omit')
    await t.does('chmod', 'f', 0o444)
    for (const one of [OTHER, MEMBER]) await t.as(one).gives('EACCES', 'utimensat', 'f', 'now', 'now')
    await t.as(OWNER).gives('done', 'utimensat', 'f', 'now', 'now')
    await t.as(OWNER).gives('done', 'utimensat', 'f', [1, 0], 'omit')
    await t.as(OTHER).gives('EPERM', 'utimensat', 'f', [1, 0], [2, 0])
    await t.gives('done', 'utimensat', 'f', [3, 0], [4, 0])
  },
} satisfies CallTests
