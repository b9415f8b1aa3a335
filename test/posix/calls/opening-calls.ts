import { ALL_TYPES, type CallTests, NON_FOLDERS } from '../call-case.js'
import { OTHER, OWNER } from '../system-calls.js'

export const OPENING_CALLS = {
  'a fifo connects a reader and a writer, whoever comes first': async t => {
    await t.make('fifo', 'p')
    const other = await t.other()
    const reading = t.open('p', 'O_RDONLY')
    const writer = await other.open('p', 'O_WRONLY')
    const reader = await reading
    await other.gives('done', 'write', writer, 'through')
    await t.equals('through', 'read', reader, 100)
    await other.does('close', writer)
    await t.equals('', 'read', reader, 100)
    await t.does('close', reader)
    const writing = other.open('p', 'O_WRONLY')
    const late = await t.open('p', 'O_RDONLY')
    await other.does('close', await writing)
    await t.does('close', late)
    await t.shows('p', { type: 'fifo', size: 0 })
  },
  'O_NONBLOCK of a fifo waits for nobody': async t => {
    await t.make('fifo', 'p')
    await t.gives('ENXIO', 'open', 'p', 'O_WRONLY|O_NONBLOCK')
    const reader = await t.open('p', 'O_RDONLY|O_NONBLOCK')
    const writer = await t.open('p', 'O_WRONLY|O_NONBLOCK')
    await t.gives('EAGAIN', 'read', reader, 10)
    await t.gives('done', 'write', writer, 'x')
    await t.equals('x', 'read', reader, 10)
    await t.gives('ESPIPE', 'lseek', reader, 0, 'SEEK_SET')
    await t.does('close', reader)
    await t.does('close', writer)
    await t.as(OTHER).gives('EACCES', 'open', 'p', 'O_WRONLY|O_NONBLOCK')
  },
  'a socket is not opened, but connected to by who listens': async t => {
    await t.make('socket', 's')
    for (const flags of ['O_RDONLY', 'O_WRONLY', 'O_RDWR']) await t.gives('ENXIO', 'open', 's', flags)
    await t.gives('ECONNREFUSED', 'connect', 's')
    await t.make('regular', 'f')
    await t.gives('ECONNREFUSED', 'connect', 'f')
    await t.gives('ENOENT', 'connect', 'none')
    await t.does('chmod', 's', 0o600)
    await t.as(OTHER).gives('EACCES', 'connect', 's')
  },
  'a device without a driver is ENXIO, or refused by the mount': async t => {
    for (const type of ['char', 'block'] as const) {
      await t.gives('done', 'mknod', 'n', type, 0o666, [4000, 77])
      for (const flags of ['O_RDONLY', 'O_WRONLY', 'O_RDWR']) await t.gives('ENXIO|EACCES', 'open', 'n', flags)
      await t.remove('n')
    }
  },
  'O_NOFOLLOW does not open links, O_DIRECTORY only folders': async t => {
    await t.make('regular', 'f')
    await t.does('mkdir', 'd', 0o755)
    for (const target of ['f', 'd', 'none']) {
      await t.does('symlink', target, 'link')
      await t.gives('ELOOP', 'open', 'link', 'O_RDONLY|O_NOFOLLOW')
      await t.gives('ELOOP', 'open', 'link', 'O_WRONLY|O_CREAT|O_NOFOLLOW', 0o644)
      await t.gives('ENOTDIR', 'open', 'link', 'O_RDONLY|O_NOFOLLOW|O_DIRECTORY')
      await t.remove('link')
    }
    await t.does('symlink', 'd', 'link')
    await t.does('close', await t.open('link', 'O_RDONLY|O_DIRECTORY'))
    for (const type of NON_FOLDERS) {
      await t.make(type, 'n')
      await t.gives(type === 'symlink' ? 'ENOENT' : 'ENOTDIR', 'open', 'n', 'O_RDONLY|O_DIRECTORY')
      await t.remove('n')
    }
    await t.shows('none', 'gone')
  },
  'O_EXCL takes no name that is taken, a dangling link either': async t => {
    for (const type of ALL_TYPES) {
      await t.make(type, 'n')
      for (const flags of ['O_RDONLY', 'O_WRONLY', 'O_RDWR'])
        await t.gives('EEXIST', 'open', 'n', `${flags}|O_CREAT|O_EXCL`, 0o644)
      await t.remove('n')
    }
    await t.shows('target', 'gone')
  },
  'O_CREAT through a dangling link makes what it leads to': async t => {
    await t.does('mkdir', 'd', 0o755)
    for (const target of ['made', 'd/made']) {
      await t.does('symlink', target, 'link')
      await t.does('close', await t.open('link', 'O_CREAT|O_WRONLY', 0o640))
      await t.shows(target, { type: 'regular', mode: 0o640 })
      await t.remove('link', target)
    }
    await t.does('symlink', 'none/made', 'link')
    await t.gives('ENOENT', 'open', 'link', 'O_CREAT|O_WRONLY', 0o640)
  },
  'O_TMPFILE has no name, where there is such a thing': async t => {
    const descriptor = await t.gives('done|EOPNOTSUPP', 'open', '.', 'O_TMPFILE|O_RDWR', 0o600)
    await t.equals([], 'list', '.')
    if (typeof descriptor !== 'number') return
    await t.does('write', descriptor, 'text')
    await t.shows(descriptor, { size: 4, nlink: 0, mode: 0o600 })
    await t.does('close', descriptor)
  },
  'a running program is ETXTBSY for writers': async t => {
    const descriptor = await t.open('program', 'O_CREAT|O_WRONLY', 0o755)
    await t.does('write', descriptor, '#!/bin/sh\nexit 0\n')
    await t.gives('ETXTBSY', 'execute', './program')
    await t.does('close', descriptor)
    await t.equals(0, 'execute', './program')
  },
  'EXDEV: no name leaves its file system': async t => {
    await t.make('regular', 'f')
    await t.gives('EXDEV', 'rename', 'f', '/proc/none')
    await t.shows('f', { type: 'regular' })
  },
  'a descriptor does what it was opened for, whatever the mode says then': async t => {
    const descriptor = await t.as(OWNER).gives('EACCES', 'open', 'f', 'O_CREAT|O_RDWR', 0)
    if (descriptor !== undefined) t.differs('open', 'nothing', descriptor)
    await t.does('chmod', '.', 0o777)
    const mine = await t.as(OWNER).open('f', 'O_CREAT|O_RDWR', 0)
    await t.as(OWNER).gives('done', 'write', mine, 'text')
    await t.as(OWNER).equals('text', 'pread', mine, 9, 0)
    await t.as(OWNER).gives('EACCES', 'open', 'f', 'O_RDONLY')
    await t.does('close', mine)
    const reader = await t.open('f', 'O_RDONLY')
    await t.gives('EBADF', 'write', reader, 'x')
    await t.does('close', reader)
    const writer = await t.open('f', 'O_WRONLY')
    await t.gives('EBADF', 'read', writer, 1)
    await t.does('close', writer)
    const folder = await t.open('.', 'O_RDONLY')
    await t.gives('EISDIR', 'read', folder, 1)
    await t.gives('EBADF', 'write', folder, 'x')
    await t.does('close', folder)
  },
  'O_PATH opens anything and reads nothing': async t => {
    for (const type of ALL_TYPES) {
      await t.make(type, 'n', type === 'symlink' ? {} : { mode: 0 })
      const descriptor = Number(await t.as(OTHER).gives('done', 'open', 'n', 'O_PATH|O_NOFOLLOW'))
      await t.shows(descriptor, { type })
      await t.gives('EBADF', 'read', descriptor, 1)
      await t.does('close', descriptor)
      await t.remove('n')
    }
  },
  'O_APPEND of two processes loses nothing': async t => {
    const other = await t.other()
    const [mine, theirs] = [await t.open('f', 'O_CREAT|O_RDWR|O_APPEND'), await other.open('f', 'O_WRONLY|O_APPEND')]
    for (let i = 0; i < 10; i++) {
      await t.does('write', mine, 'a')
      await other.does('write', theirs, 'b')
    }
    await t.equals('ab'.repeat(10), 'pread', mine, 100, 0)
    await t.does('close', mine)
    await other.does('close', theirs)
    await t.shows('f', { size: 20 })
  },
} satisfies CallTests
