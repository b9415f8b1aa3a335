import { ALL_TYPES, type CallCase, type CallTests, NON_FOLDERS, type Status } from '../call-case.js'
import { type Identity, OTHER, OWNER } from '../system-calls.js'
import { STICKY } from './sticky.js'

/** What a rename must leave as it is. */
function kept({ type, mode, uid, gid, size, ino, device, mtime }: Status): Partial<Status> {
  return { type, mode, uid, gid, size, ino, device, mtime }
}

export const RENAMING_CALLS = {
  'rename keeps all but the name, for every type': async t => {
    for (const type of ALL_TYPES) {
      await t.make(type, 'f', { owner: OWNER, mode: type === 'folder' ? 0o751 : 0o640 })
      const before = kept(await t.status('f'))
      await t.gives('done', 'rename', 'f', 'g')
      await t.shows('f', 'gone')
      await t.shows('g', before)
      await t.does('mkdir', 'd', 0o755)
      await t.gives('done', 'rename', 'g', 'd/h')
      await t.shows('g', 'gone')
      await t.shows('d/h', before)
      await t.remove('d/h', 'd')
    }
  },
  'rename moves mtime and ctime of both folders, and nothing when it fails': async t => {
    for (const type of ALL_TYPES) {
      await t.does('mkdir', 'd', 0o755)
      await t.does('mkdir', 'e', 0o755)
      await t.make(type, 'd/f', { mode: 0o777 })
      await t.moves({ d: [], e: [], 'd/f': [] }, () => t.as(OTHER).gives('EACCES', 'rename', 'd/f', 'e/f'))
      const both = ['mtime', 'ctime'] as const
      await t.moves({ d: both, e: both, '.': [] }, () => t.gives('done', 'rename', 'd/f', 'e/f'))
      await t.moves({ d: [], e: both, '.': [] }, () => t.gives('done', 'rename', 'e/f', 'e/g'))
      await t.remove('e/g', 'e', 'd')
    }
  },
  'every file replaces every file': async t => {
    for (const type of NON_FOLDERS)
      for (const target of NON_FOLDERS) {
        await t.make(type, 'f', { owner: OWNER })
        await t.make(target, 'g')
        const before = kept(await t.status('f'))
        await t.gives('done', 'rename', 'f', 'g')
        await t.shows('f', 'gone')
        await t.shows('g', before)
        await t.remove('g')
      }
  },
  'files and folders do not replace each other, of no type': async t => {
    await t.does('mkdir', 'd', 0o755)
    for (const type of NON_FOLDERS) {
      await t.make(type, 'f')
      await t.gives('ENOTDIR', 'rename', 'd', 'f')
      await t.gives('EISDIR', 'rename', 'f', 'd')
      await t.shows('f', { type })
      await t.shows('d', { type: 'folder' })
      await t.remove('f')
    }
  },
  'a folder replaces an empty folder only': async t => {
    await t.does('mkdir', 'd', 0o750)
    await t.make('regular', 'd/inner')
    const before = kept(await t.status('d'))
    for (const type of ALL_TYPES) {
      await t.does('mkdir', 'e', 0o755)
      await t.make(type, 'e/f')
      await t.gives('ENOTEMPTY|EEXIST', 'rename', 'd', 'e')
      await t.remove('e/f', 'e')
    }
    await t.does('mkdir', 'e', 0o755)
    await t.gives('done', 'rename', 'd', 'e')
    await t.shows('d', 'gone')
    await t.shows('e', before)
    await t.shows('e/inner', { type: 'regular' })
    await t.gives('ENOTEMPTY', 'rmdir', 'e')
  },
  'a folder does not go below itself': async t => {
    await t.does('mkdir', 'd', 0o755)
    await t.does('mkdir', 'd/e', 0o755)
    for (const target of ['d/new', 'd/e/new', 'd/e']) await t.gives('EINVAL', 'rename', 'd', target)
    for (const target of ['d', '.']) await t.gives('ENOTEMPTY|EBUSY', 'rename', 'd/e', target)
    await t.gives('done', 'rename', 'd', 'd')
    await t.shows('d/e', { type: 'folder' })
  },
  'rename to its own name does nothing': async t => {
    for (const type of ALL_TYPES) {
      await t.make(type, 'f')
      await t.moves({ f: [], '.': [] }, () => t.gives('done', 'rename', 'f', 'f'))
      await t.shows('f', { type })
      await t.remove('f')
    }
  },
  'folders count their folders when one comes or goes': async t => {
    await t.does('mkdir', 'd', 0o755)
    await t.does('mkdir', 'e', 0o755)
    await t.does('mkdir', 'd/f', 0o755)
    await t.shows('d', { nlink: 3 })
    await t.shows('e', { nlink: 2 })
    await t.gives('done', 'rename', 'd/f', 'e/f')
    await t.shows('d', { nlink: 2 })
    await t.shows('e', { nlink: 3 })
    const { ino } = await t.status('e')
    await t.shows('e/f/..', { ino })
    await t.does('mkdir', 'd/f', 0o755)
    await t.gives('done', 'rename', 'e/f', 'd/f')
    await t.shows('d', { nlink: 3 })
    await t.shows('e', { nlink: 2 })
  },
  'a tree keeps its types, modes, owners and inodes when it is renamed': async t => {
    await t.does('mkdir', 'd', 0o711)
    await t.does('mkdir', 'd/e', 0o700)
    const before = new Map<string, Partial<Status>>()
    for (const type of ALL_TYPES) {
      await t.make(type, `d/e/${type}`, { owner: OWNER })
      before.set(type, kept(await t.status(`d/e/${type}`)))
    }
    await t.gives('done', 'rename', 'd', 'g')
    for (const [type, wanted] of before) await t.shows(`g/e/${type}`, wanted)
    await t.shows('g/e', { mode: 0o700 })
    await t.shows('d', 'gone')
  },
  'an open folder and its files go along when it is renamed': async t => {
    await t.does('mkdir', 'd', 0o755)
    const file = await t.open('d/f', 'O_CREAT|O_RDWR')
    await t.does('write', file, 'one')
    const second = await t.other()
    await second.does('chdir', 'd')
    await t.gives('done', 'rename', 'd', 'e')
    await t.equals(3, 'pwrite', file, 'two', 3)
    await t.gives('done', 'close', file)
    await t.shows('e/f', { size: 6 })
    await second.shows('f', { size: 6 })
    await second.make('regular', 'g')
    await second.does('chdir', '/')
    await t.shows('e/g', { type: 'regular' })
    await t.shows('d', 'gone')
  },
  'out of a sticky folder only owners move files': async t => {
    await t.does('mkdir', 'd', 0o755)
    await t.does('chmod', 'd', 0o1777)
    await t.make('folder', 'e', { owner: OWNER })
    for (const type of NON_FOLDERS)
      for (const [ofFolder, ofFile, allowed] of STICKY) {
        await t.does('chown', 'd', ofFolder.uid, ofFolder.gid)
        await t.make(type, 'd/f', { owner: ofFile })
        const before = kept(await t.status('d/f'))
        await t.as(OWNER).gives(allowed ? 'done' : 'EPERM', 'rename', 'd/f', 'e/g')
        await t.shows(allowed ? 'e/g' : 'd/f', before)
        if (allowed) await t.as(OWNER).gives('done', 'rename', 'e/g', 'd/f')
        await t.shows('d/f', before)
        await t.remove('d/f')
      }
  },
  'in a sticky folder only owners replace files': async t => {
    await t.make('folder', 'd', { owner: OWNER })
    await t.does('mkdir', 'e', 0o755)
    await t.does('chmod', 'e', 0o1777)
    for (const type of ALL_TYPES)
      for (const target of type === 'folder' ? (['folder'] as const) : (['regular', 'fifo', 'symlink'] as const))
        for (const [ofFolder, ofFile, allowed] of STICKY)
          await replaceInSticky(t, [type, target], ofFolder, ofFile, allowed)
  },
  'a folder of others stays with its parent, since its own .. would change': async t => {
    await t.does('mkdir', 'd', 0o755)
    await t.does('chmod', 'd', 0o777)
    await t.does('mkdir', 'e', 0o755)
    await t.does('chmod', 'e', 0o777)
    await t.does('mkdir', 'd/f', 0o700)
    await t.as(OTHER).gives('done', 'rename', 'd/f', 'd/g')
    await t.as(OTHER).gives('EACCES', 'rename', 'd/g', 'e/g')
    await t.make('regular', 'd/file', { mode: 0o600 })
    await t.as(OTHER).gives('done', 'rename', 'd/file', 'e/file')
    await t.does('chmod', 'd/g', 0o777)
    await t.as(OTHER).gives('done', 'rename', 'd/g', 'e/g')
  },
  'both folders must be writable': async t => {
    await t.make('folder', 'mine', { owner: OWNER })
    await t.does('mkdir', 'theirs', 0o755)
    for (const type of ALL_TYPES) {
      await t.make(type, 'mine/f', { owner: OWNER })
      await t.make(type, 'theirs/f', { owner: OWNER })
      await t.as(OWNER).gives('EACCES', 'rename', 'mine/f', 'theirs/g')
      await t.as(OWNER).gives('EACCES', 'rename', 'theirs/f', 'mine/g')
      await t.as(OWNER).gives('EACCES', 'rename', 'theirs/f', 'theirs/g')
      await t.as(OWNER).gives('done', 'rename', 'mine/f', 'mine/g')
      await t.remove('mine/g', 'theirs/f')
    }
  },
  'RENAME_NOREPLACE replaces nothing': async t => {
    for (const type of ALL_TYPES) {
      await t.make(type, 'f')
      await t.make(type, 'g')
      await t.gives('EEXIST', 'renameat2', 'f', 'g', 'NOREPLACE')
      await t.gives('EEXIST', 'renameat2', 'f', 'f', 'NOREPLACE')
      await t.remove('g')
      await t.gives('done', 'renameat2', 'f', 'g', 'NOREPLACE')
      await t.shows('f', 'gone')
      await t.shows('g', { type })
      await t.remove('g')
    }
  },
  'RENAME_EXCHANGE swaps, or is refused without a trace': async t => {
    await t.make('regular', 'f', { mode: 0o600 })
    await t.does('mkdir', 'd', 0o711)
    const [file, folder] = [await t.status('f'), await t.status('d')]
    const answer = await t.gives('done|EINVAL', 'renameat2', 'f', 'd', 'EXCHANGE')
    const [first, second] = answer === undefined ? [file, folder] : [folder, file]
    await t.shows('f', { type: first.type, mode: first.mode, ino: first.ino })
    await t.shows('d', { type: second.type, mode: second.mode, ino: second.ino })
    await t.gives('ENOENT', 'renameat2', 'f', 'none', 'EXCHANGE')
    await t.gives('EINVAL', 'renameat2', 'f', 'd', 'EXCHANGE|NOREPLACE')
  },
} satisfies CallTests

async function replaceInSticky(
  t: CallCase,
  [type, target]: readonly ['folder' | (typeof NON_FOLDERS)[number], 'folder' | (typeof NON_FOLDERS)[number]],
  ofFolder: Identity,
  ofFile: Identity,
  allowed: boolean,
): Promise<void> {
  await t.does('chown', 'e', ofFolder.uid, ofFolder.gid)
  await t.make(type, 'd/f', { owner: OWNER })
  await t.make(target, 'e/g', { owner: ofFile })
  const before = kept(await t.status('d/f'))
  await t.as(OWNER).gives(allowed ? 'done' : 'EPERM', 'rename', 'd/f', 'e/g')
  await t.shows(allowed ? 'e/g' : 'd/f', before)
  if (!allowed) await t.shows('e/g', { type: target, uid: ofFile.uid })
  await t.remove(...(allowed ? ['e/g'] : ['d/f', 'e/g']))
}
