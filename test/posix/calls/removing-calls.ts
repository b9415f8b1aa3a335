import { ALL_TYPES, type CallCase, type CallTests, type FileType, NON_FOLDERS } from '../call-case.js'
import { MEMBER, OTHER, OWNER } from '../system-calls.js'
import { STICKY } from './sticky.js'

const gone = (type: FileType) => (type === 'folder' ? 'rmdir' : 'unlink')

async function fill(t: CallCase, path: string, text: string): Promise<void> {
  const descriptor = await t.open(path, 'O_CREAT|O_WRONLY|O_TRUNC')
  await t.does('write', descriptor, text)
  await t.does('close', descriptor)
}

export const REMOVING_CALLS = {
  'everything can be removed, once': async t => {
    for (const type of ALL_TYPES) {
      await t.make(type, 'f')
      await t.gives('done', gone(type), 'f')
      await t.shows('f', 'gone')
      await t.gives('ENOENT', gone(type), 'f')
    }
  },
  'removing moves mtime and ctime of the folder, and nothing when it fails': async t => {
    await t.does('mkdir', 'd', 0o755)
    for (const type of ALL_TYPES) {
      await t.make(type, 'd/f', { mode: 0o777 })
      await t.moves({ d: [], 'd/f': [] }, () => t.as(OTHER).gives('EACCES', gone(type), 'd/f'))
      await t.moves({ d: ['mtime', 'ctime'], '.': [] }, () => t.gives('done', gone(type), 'd/f'))
    }
  },
  'a folder with anything in it is ENOTEMPTY': async t => {
    await t.does('mkdir', 'd', 0o755)
    for (const type of ALL_TYPES) {
      await t.make(type, 'd/f')
      await t.gives('ENOTEMPTY', 'rmdir', 'd')
      await t.remove('d/f')
    }
    await t.gives('done', 'rmdir', 'd')
  },
  'only the bits of the folder decide who removes': async t => {
    await t.make('folder', 'd', { mode: 0o775, owner: OWNER })
    for (const type of ALL_TYPES) {
      await t.make(type, 'd/f', { mode: 0 })
      await t.as(OTHER).gives('EACCES', gone(type), 'd/f')
      await t.as(MEMBER).gives('done', gone(type), 'd/f')
      await t.make(type, 'd/f', { mode: 0 })
      await t.as(OWNER).gives('done', gone(type), 'd/f')
    }
  },
  'from a sticky folder only its owner and the owner of the file remove': async t => {
    await t.does('mkdir', 'd', 0o755)
    await t.does('chmod', 'd', 0o1777)
    for (const type of ALL_TYPES)
      for (const [ofFolder, ofFile, allowed] of STICKY) {
        await t.does('chown', 'd', ofFolder.uid, ofFolder.gid)
        await t.make(type, 'd/f', { owner: ofFile })
        await t.as(OWNER).gives(allowed ? 'done' : 'EPERM', gone(type), 'd/f')
        await t.shows('d/f', allowed ? 'gone' : { type, uid: ofFile.uid, gid: ofFile.gid })
        if (!allowed) await t.gives('done', gone(type), 'd/f')
      }
  },
  'a sticky folder is no hindrance to root': async t => {
    await t.make('folder', 'd', { mode: 0o1777, owner: OWNER })
    for (const type of ALL_TYPES) {
      await t.make(type, 'd/f', { owner: OTHER })
      await t.gives('done', gone(type), 'd/f')
    }
  },
  'an open file that was removed has no name and still its bytes': async t => {
    await fill(t, 'f', 'text')
    const descriptor = await t.open('f', 'O_RDWR')
    const { ctime } = await t.status(descriptor)
    await t.does('tick')
    await t.gives('done', 'unlink', 'f')
    await t.shows('f', 'gone')
    await t.shows(descriptor, { nlink: 0, size: 4, type: 'regular' })
    if ((await t.status(descriptor)).ctime === ctime) t.differs('ctime of what was removed', 'moved', 'unmoved')
    await t.equals('text', 'pread', descriptor, 10, 0)
    await t.equals(4, 'pwrite', descriptor, 'more', 4)
    await t.equals('textmore', 'pread', descriptor, 10, 0)
    await t.shows(descriptor, { nlink: 0, size: 8 })
    await t.gives('done', 'ftruncate', descriptor, 2)
    await t.equals('te', 'pread', descriptor, 10, 0)
    await t.gives('done', 'fchmod', descriptor, 0o600)
    await t.gives('done', 'fchown', descriptor, 5, 6)
    await t.gives('done', 'futimens', descriptor, [10, 0], [20, 0])
    await t.gives('done', 'fsync', descriptor)
    await t.shows(descriptor, { mode: 0o600, uid: 5, gid: 6, mtime: '20000000000', size: 2, nlink: 0 })
    await t.gives('done', 'close', descriptor)
    await t.shows('f', 'gone')
  },
  'a new file that was removed before its close works on, for several handles': async t => {
    const first = await t.open('f', 'O_CREAT|O_EXCL|O_RDWR')
    await t.does('write', first, 'Hello')
    const second = await t.open('f', 'O_RDONLY')
    await t.gives('done', 'unlink', 'f')
    await t.equals('Hello', 'pread', first, 10, 0)
    await t.equals('Hello', 'pread', second, 10, 0)
    await t.gives('done', 'close', first)
    await t.equals('Hello', 'pread', second, 10, 0)
    await t.shows(second, { nlink: 0, size: 5 })
    await t.gives('done', 'close', second)
    await t.gives('ENOENT', 'open', 'f', 'O_RDONLY')
  },
  'the name of an open file that was removed is free for another': async t => {
    await fill(t, 'f', 'old')
    const descriptor = await t.open('f', 'O_RDWR')
    const { ino } = await t.status('f')
    for (const type of ALL_TYPES) {
      await t.does(type === 'regular' ? 'unlink' : 'lstat', type === 'regular' ? 'f' : '.')
      await t.make(type, 'f')
      const now = await t.status('f')
      if (now.ino === ino) t.differs('inode of the new f', 'another', ino)
      await t.equals('old', 'pread', descriptor, 9, 0)
      await t.remove('f')
      if (type === 'regular') await t.shows(descriptor, { nlink: 0 })
    }
    await t.does('close', descriptor)
  },
  'a file that was renamed over works on for who has it open': async t => {
    await fill(t, 'f', 'old')
    await fill(t, 'g', 'newer')
    const descriptor = await t.open('f', 'O_RDWR')
    await t.gives('done', 'rename', 'g', 'f')
    await t.shows(descriptor, { nlink: 0, size: 3 })
    await t.equals('old', 'pread', descriptor, 9, 0)
    await t.equals(4, 'pwrite', descriptor, 'OLD!', 0)
    await t.equals('OLD!', 'pread', descriptor, 9, 0)
    await t.gives('done', 'ftruncate', descriptor, 1)
    await t.gives('done', 'fchmod', descriptor, 0o600)
    await t.shows(descriptor, { nlink: 0, size: 1, mode: 0o600 })
    await t.does('close', descriptor)
    await t.shows('f', { nlink: 1, size: 5, mode: 0o644 })
  },
  'a folder that somebody is in can be removed, and nothing is made in it then': async t => {
    await t.does('mkdir', 'd', 0o755)
    const descriptor = await t.open('d', 'O_RDONLY|O_DIRECTORY')
    const second = await t.other()
    await second.does('chdir', 'd')
    await t.gives('done', 'rmdir', 'd')
    await second.gives('ENOENT', 'open', 'f', 'O_CREAT|O_WRONLY', 0o644)
    await second.gives('ENOENT', 'mkdir', 'e', 0o755)
    await second.gives('ENOENT', 'symlink', 'x', 'e')
    await t.shows(descriptor, { type: 'folder', nlink: 0 })
    await t.does('close', descriptor)
    await second.does('chdir', '/')
  },
  'unlink of a link removes the link': async t => {
    for (const type of NON_FOLDERS) {
      await t.make(type, 'f')
      await t.does('symlink', 'f', 'link')
      await t.gives('done', 'unlink', 'link')
      await t.shows('f', { type })
      await t.remove('f')
    }
    await t.does('mkdir', 'd', 0o755)
    await t.does('symlink', 'd', 'link')
    await t.gives('ENOTDIR', 'rmdir', 'link')
    await t.gives('done', 'unlink', 'link')
    await t.shows('d', { type: 'folder' })
  },
  'hard links are made, or refused without a trace': async t => {
    for (const type of NON_FOLDERS) {
      await t.make(type, 'f')
      await t.gives('done|EPERM', 'link', 'f', 'g')
      await t.shows('f', { type })
      await t.remove('f')
      await t.gives('done|ENOENT', 'unlink', 'g')
    }
    await t.does('mkdir', 'd', 0o755)
    await t.gives('EPERM', 'link', 'd', 'e')
    await t.shows('d', { nlink: 2 })
  },
} satisfies CallTests
