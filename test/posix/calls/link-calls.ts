import { ALL_TYPES, type CallTests, NON_LINKS } from '../call-case.js'
import { OTHER, OWNER } from '../system-calls.js'

/** Relative, absolute, odd, long and leading nowhere. */
const TARGETS = ['f', './f', '../x/../f', '/', '/none/there', 'with space', 'ünï', 'a//b', '.', '..', 'x'.repeat(1000)]

export const LINK_CALLS = {
  'a link keeps its target as it is, and its size is the length of that': async t => {
    for (const target of [...TARGETS, 'y/'.repeat(2047), 'z'.repeat(4095)]) {
      await t.gives('done', 'symlink', target, 'link')
      await t.equals(target, 'readlink', 'link')
      await t.shows('link', { type: 'symlink', size: Buffer.byteLength(target), nlink: 1, mode: 0o777 })
      await t.remove('link')
    }
    await t.gives('ENAMETOOLONG', 'symlink', 'z'.repeat(4096), 'link')
    await t.gives('ENOENT', 'symlink', '', 'link')
  },
  'readlink gives as much as it is asked for': async t => {
    await t.does('symlink', '1234567890', 'link')
    await t.equals('1234', 'readlink', 'link', 4)
    await t.gives('EINVAL', 'readlink', 'link', 0)
    for (const type of NON_LINKS) {
      await t.make(type, 'n')
      await t.gives('EINVAL', 'readlink', 'n')
      await t.remove('n')
    }
  },
  'a link leads to files of every type': async t => {
    for (const type of NON_LINKS) {
      await t.make(type, 'f', { owner: OWNER, mode: 0o640 })
      await t.does('symlink', 'f', 'link')
      const { ino } = await t.status('f')
      await t.does('symlink', 'link', 'second')
      const found = (await t.does('stat', 'second')) as { ino: string; type: string }
      if (found.ino !== ino || found.type !== type) t.differs('stat of link', `${type} ${ino}`, found)
      await t.remove('f')
      await t.gives('ENOENT', 'stat', 'second')
      await t.equals('link', 'readlink', 'second')
      await t.remove('link', 'second')
    }
  },
  'links to folders are ways': async t => {
    await t.does('mkdir', 'd', 0o755)
    await t.does('mkdir', 'd/e', 0o755)
    await t.does('symlink', 'd/e', 'way')
    await t.does('symlink', '../..', 'd/e/up')
    await t.make('regular', 'way/f')
    await t.shows('d/e/f', { type: 'regular' })
    await t.shows('way/up/d/e/f', { type: 'regular' })
    await t.gives('done', 'rename', 'way/f', 'way/up/g')
    await t.shows('g', { type: 'regular' })
    await t.gives('ENOTDIR', 'rmdir', 'way')
    await t.gives('EEXIST', 'mkdir', 'way', 0o755)
    await t.gives('done', 'list', 'way/')
  },
  'a link belongs to who made it, and can be read by everyone': async t => {
    await t.does('chmod', '.', 0o777)
    await t.as(OWNER).gives('done', 'symlink', 'f', 'link')
    await t.shows('link', { uid: OWNER.uid, gid: OWNER.gid })
    await t.as(OTHER).equals('f', 'readlink', 'link')
    await t.as(OTHER).gives('EPERM', 'lchown', 'link', OTHER.uid, -1)
    await t.as(OTHER).gives('EPERM', 'lutimensat', 'link', [1, 0], [1, 0])
    await t.as(OWNER).gives('done', 'lutimensat', 'link', [1, 0], [2, 0])
    await t.shows('link', { mtime: '2000000000' })
  },
  'readdir tells types and inodes as lstat does': async t => {
    for (const type of ALL_TYPES) await t.make(type, type)
    const listed = (await t.does('list', '.')) as [string, string, string][]
    for (const [name, kind, ino] of listed) {
      const status = await t.status(name)
      const wanted = ['regular', 'folder', 'symlink'].includes(status.type) ? status.type : 'special'
      if (kind !== wanted || ino !== status.ino) t.differs(name, `${wanted} ${status.ino}`, `${kind} ${ino}`)
    }
    if (listed.length !== ALL_TYPES.length) t.differs('entries', ALL_TYPES.length, listed.length)
  },
  'readdir of a large folder under change gives what stays exactly once': async t => {
    await t.does('mkdir', 'd', 0o755)
    for (let i = 0; i < 300; i++) await t.make(i % 3 === 0 ? 'symlink' : 'regular', `d/stays-${i}`)
    const other = await t.other()
    for (let round = 0; round < 4; round++) {
      const reading = t.does('list', 'd')
      for (let i = 0; i < 20; i++) await other.make('regular', `d/comes-${round}-${i}`)
      for (let i = 0; i < 20; i++) await other.remove(`d/comes-${round}-${i}`)
      const names = ((await reading) as [string][]).map(([name]) => name).filter(name => name.startsWith('stays'))
      if (names.length !== 300 || new Set(names).size !== 300) t.differs(`round ${round}`, 300, names.length)
    }
  },
  'reading a folder may move its atime and nothing else': async t => {
    await t.does('mkdir', 'd', 0o755)
    await t.make('regular', 'd/f')
    await t.moves({ d: ['atime?'], 'd/f': [], '.': [] }, () => t.does('list', 'd'))
  },
} satisfies CallTests
