import { type CallTests, NON_LINKS, SPECIAL_TYPES } from '../call-case.js'
import { OTHER, OWNER } from '../system-calls.js'

/** What listxattr gives of names: each with a NUL behind it, here sorted. */
function names(list: unknown): string {
  return String(list).split('\0').filter(Boolean).sort().join(' ')
}

const KEEPERS = ['regular', 'folder'] as const

export const XATTR_CALLS = {
  'attributes are set, got, listed and removed, on files and folders': async t => {
    for (const type of KEEPERS) {
      await t.make(type, 'f')
      await t.equals('', 'listxattr', 'f')
      await t.gives('done', 'setxattr', 'f', 'user.one', 'first')
      await t.gives('done', 'setxattr', 'f', 'user.two', '')
      await t.equals('first', 'getxattr', 'f', 'user.one')
      await t.equals('', 'getxattr', 'f', 'user.two')
      if (names(await t.does('listxattr', 'f')) !== 'user.one user.two') t.differs('list', 'two', 'another')
      await t.gives('done', 'setxattr', 'f', 'user.one', 'second')
      await t.equals('second', 'getxattr', 'f', 'user.one')
      await t.gives('done', 'removexattr', 'f', 'user.one')
      await t.gives('ENODATA', 'getxattr', 'f', 'user.one')
      await t.gives('ENODATA', 'removexattr', 'f', 'user.one')
      await t.equals('user.two\0', 'listxattr', 'f')
      await t.remove('f')
    }
  },
  'CREATE is for new attributes, REPLACE for those that are there': async t => {
    for (const type of KEEPERS) {
      await t.make(type, 'f')
      await t.gives('ENODATA', 'setxattr', 'f', 'user.a', '1', 'REPLACE')
      await t.gives('done', 'setxattr', 'f', 'user.a', '2', 'CREATE')
      await t.gives('EEXIST', 'setxattr', 'f', 'user.a', '3', 'CREATE')
      await t.equals('2', 'getxattr', 'f', 'user.a')
      await t.gives('done', 'setxattr', 'f', 'user.a', '4', 'REPLACE')
      await t.equals('4', 'getxattr', 'f', 'user.a')
      await t.remove('f')
    }
  },
  'a buffer that is too small is ERANGE, one of no bytes asks for the size': async t => {
    await t.make('regular', 'f')
    await t.does('setxattr', 'f', 'user.a', '12345')
    await t.equals(5, 'getxattr', 'f', 'user.a', 0)
    await t.gives('ERANGE', 'getxattr', 'f', 'user.a', 4)
    await t.equals('12345', 'getxattr', 'f', 'user.a', 5)
    await t.equals(7, 'listxattr', 'f', 0)
    await t.gives('ERANGE', 'listxattr', 'f', 6)
    await t.equals('user.a\0', 'listxattr', 'f', 7)
  },
  'any name and any text is kept': async t => {
    await t.make('regular', 'f')
    for (const name of [
      'user.UPPER',
      'user.upper',
      'user.with space',
      'user.ü',
      'user.a=b:c%',
      'user.日本',
      'user._',
    ]) {
      await t.gives('done', 'setxattr', 'f', name, `value of ${name}`)
      await t.equals(`value of ${name}`, 'getxattr', 'f', name)
    }
    for (const value of [' padded ', 'ünï', 'line\nline', '\u0001\u007f', '%41', '=?UTF-8?B?eA==?=', '😀']) {
      await t.gives('done', 'setxattr', 'f', 'user.v', value)
      await t.equals(value, 'getxattr', 'f', 'user.v')
    }
    await t.gives('ENODATA', 'getxattr', 'f', 'user.Upper')
  },
  'names end at 255 bytes, values at 64 KiB or before': async t => {
    await t.make('regular', 'f')
    await t.gives('ERANGE', 'setxattr', 'f', `user.${'n'.repeat(251)}`, 'x')
    await t.gives('ERANGE', 'getxattr', 'f', `user.${'n'.repeat(251)}`)
    await t.gives('E2BIG', 'setxattr', 'f', 'user.a', 'x'.repeat(65_537))
    await t.gives('done|ENOSPC|E2BIG', 'setxattr', 'f', 'user.a', 'x'.repeat(65_536))
    await t.gives('done', 'setxattr', 'f', 'user.a', 'x'.repeat(1000))
    await t.equals('x'.repeat(1000), 'getxattr', 'f', 'user.a')
  },
  'other namespaces are not for all, or not at all': async t => {
    await t.make('regular', 'f', { mode: 0o666 })
    for (const name of ['none.a', 'a', 'user', 'system.none'])
      await t.gives('EOPNOTSUPP|EINVAL', 'setxattr', 'f', name, 'x')
    await t.as(OTHER).gives('EPERM|EOPNOTSUPP', 'setxattr', 'f', 'trusted.a', 'x')
    await t.gives('EINVAL|EOPNOTSUPP', 'setxattr', 'f', 'user.', 'x')
    await t.gives('ENODATA|EOPNOTSUPP', 'getxattr', 'f', 'security.none')
    await t.equals('', 'listxattr', 'f')
  },
  'symbolic links and special files have none': async t => {
    for (const type of SPECIAL_TYPES) {
      await t.make(type, 'f')
      await t.gives('EPERM', 'setxattr', 'f', 'user.a', 'x')
      await t.gives('ENODATA|EPERM', 'getxattr', 'f', 'user.a')
      await t.gives('EPERM', 'removexattr', 'f', 'user.a')
      await t.remove('f')
    }
    await t.make('regular', 'f')
    await t.does('symlink', 'f', 'link')
    await t.gives('EPERM', 'lsetxattr', 'link', 'user.a', 'x')
    await t.gives('ENODATA|EPERM', 'lgetxattr', 'link', 'user.a')
    await t.gives('done', 'setxattr', 'link', 'user.a', 'through')
    await t.equals('through', 'getxattr', 'f', 'user.a')
  },
  'who may write sets them, who may read gets them': async t => {
    for (const type of KEEPERS) {
      await t.make(type, 'f', { owner: OWNER, mode: 0o744 })
      await t.as(OWNER).gives('done', 'setxattr', 'f', 'user.a', 'x')
      await t.as(OTHER).gives('EACCES', 'setxattr', 'f', 'user.a', 'y')
      await t.as(OTHER).gives('EACCES', 'removexattr', 'f', 'user.a')
      await t.as(OTHER).equals('x', 'getxattr', 'f', 'user.a')
      await t.does('chmod', 'f', 0o722)
      await t.as(OTHER).gives('EACCES', 'getxattr', 'f', 'user.a')
      await t.as(OTHER).gives('done', 'setxattr', 'f', 'user.a', 'z')
      await t.as(OTHER).equals('user.a\0', 'listxattr', 'f')
      await t.remove('f')
    }
    await t.make('folder', 'sticky', { owner: OWNER, mode: 0o1777 })
    await t.as(OTHER).gives('EPERM', 'setxattr', 'sticky', 'user.a', 'x')
    await t.as(OWNER).gives('done', 'setxattr', 'sticky', 'user.a', 'x')
  },
  'they move ctime, and nothing when they fail': async t => {
    for (const type of KEEPERS) {
      await t.make(type, 'f')
      await t.moves({ f: ['ctime'], '.': [] }, () => t.gives('done', 'setxattr', 'f', 'user.a', 'x'))
      await t.moves({ f: [], '.': [] }, async () => {
        await t.gives('EEXIST', 'setxattr', 'f', 'user.a', 'y', 'CREATE')
        await t.gives('ENODATA', 'setxattr', 'f', 'user.b', 'y', 'REPLACE')
        await t.gives('ENODATA', 'removexattr', 'f', 'user.b')
        await t.gives('done', 'getxattr', 'f', 'user.a')
        await t.gives('done', 'listxattr', 'f')
      })
      await t.moves({ f: ['ctime'], '.': [] }, () => t.gives('done', 'removexattr', 'f', 'user.a'))
      await t.remove('f')
    }
  },
  'they stay through rename, chmod and truncate, and a write': async t => {
    for (const type of KEEPERS) {
      await t.make(type, 'f')
      await t.does('setxattr', 'f', 'user.a', 'kept')
      await t.does('rename', 'f', 'g')
      await t.does('chmod', 'g', 0o700)
      await t.does('chown', 'g', 5, 6)
      await t.does('utimensat', 'g', [1, 0], [2, 0])
      if (type === 'regular') {
        await t.does('truncate', 'g', 100)
        const descriptor = await t.open('g', 'O_WRONLY')
        await t.does('write', descriptor, 'text')
        await t.does('setxattr', 'g', 'user.b', 'while open')
        await t.does('close', descriptor)
        await t.equals('while open', 'getxattr', 'g', 'user.b')
      }
      await t.equals('kept', 'getxattr', 'g', 'user.a')
      await t.shows('g', { uid: 5, mode: 0o700 })
      await t.remove('g')
      await t.make(type, 'g')
      await t.gives('ENODATA', 'getxattr', 'g', 'user.a')
      await t.remove('g')
    }
    for (const type of NON_LINKS) {
      await t.make(type, 'f')
      await t.gives('ENODATA|EPERM', 'getxattr', 'f', 'user.a')
      await t.remove('f')
    }
  },
} satisfies CallTests
