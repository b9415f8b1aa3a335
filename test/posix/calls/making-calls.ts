import { ALL_TYPES, type CallCase, type CallTests, type FileType } from '../call-case.js'
import { MEMBER, OTHER, OWNER, type Word } from '../system-calls.js'

type Maker = readonly [type: FileType, call: string, words: (name: string, mode: number) => readonly Word[]]

/** Every way to make something that has a mode. */
const MAKERS: readonly Maker[] = [
  ['regular', 'open', (name, mode) => [name, 'O_CREAT|O_WRONLY', mode]],
  ['regular', 'open', (name, mode) => [name, 'O_CREAT|O_EXCL|O_RDWR', mode]],
  ['regular', 'creat', (name, mode) => [name, mode]],
  ['folder', 'mkdir', (name, mode) => [name, mode]],
  ['fifo', 'mkfifo', (name, mode) => [name, mode]],
  ['regular', 'mknod', (name, mode) => [name, 'regular', mode]],
  ['fifo', 'mknod', (name, mode) => [name, 'fifo', mode]],
  ['socket', 'mknod', (name, mode) => [name, 'socket', mode]],
]
const DEVICE_MAKERS: readonly Maker[] = [
  ['block', 'mknod', (name, mode) => [name, 'block', mode]],
  ['char', 'mknod', (name, mode) => [name, 'char', mode]],
]

const MODES = [0o755, 0o644, 0o600, 0o151, 0o345, 0o777, 0o4755, 0o1777, 0] as const
const UMASKS = [0, 0o022, 0o077, 0o070, 0o501, 0o777] as const

async function made(t: CallCase, [, call, words]: Maker, name: string, mode: number): Promise<void> {
  const descriptor = await t.gives('done', call, ...words(name, mode))
  if (call === 'open' || call === 'creat') await t.does('close', Number(descriptor))
}

export const MAKING_CALLS = {
  'what is made has the mode that the umask leaves': async t => {
    for (const maker of [...MAKERS, ...DEVICE_MAKERS])
      for (const mode of MODES)
        for (const umask of UMASKS) {
          await made(t.umask(umask), maker, 'new', mode)
          const kept = maker[0] === 'folder' ? mode & 0o1777 : mode
          await t.shows('new', { type: maker[0], mode: kept & ~umask })
          await t.remove('new')
        }
  },
  'what is made belongs to who made it, and to the group of who made it': async t => {
    await t.does('chown', '.', OWNER.uid, OWNER.gid)
    await t.does('chmod', '.', 0o777)
    for (const who of [OWNER, MEMBER, OTHER, { uid: 65_535, gid: 65_534 }])
      for (const maker of MAKERS) {
        await made(t.as(who), maker, 'new', 0o644)
        await t.shows('new', { type: maker[0], uid: who.uid, gid: who.gid })
        await t.remove('new')
      }
    await t.as(MEMBER).gives('done', 'symlink', 'x', 'new')
    await t.shows('new', { uid: MEMBER.uid, gid: MEMBER.gid, mode: 0o777 })
    await t.remove('new')
    await t.as(OTHER).gives('done', 'bind', 'new')
    await t.shows('new', { type: 'socket', uid: OTHER.uid, gid: OTHER.gid })
  },
  'in a folder with setgid everything takes the group of the folder': async t => {
    await t.make('folder', 'd', { mode: 0o2777, owner: OWNER })
    await t.shows('d', { mode: 0o2777 })
    for (const who of [OWNER, MEMBER, OTHER])
      for (const maker of MAKERS) {
        await made(t.as(who), maker, 'd/new', 0o755)
        const mode = maker[0] === 'folder' ? 0o2755 : 0o755
        await t.shows('d/new', { uid: who.uid, gid: OWNER.gid, mode })
        await t.remove('d/new')
      }
    await t.as(OTHER).gives('done', 'symlink', 'x', 'd/new')
    await t.shows('d/new', { uid: OTHER.uid, gid: OWNER.gid })
  },
  'folders below a folder with setgid pass it on': async t => {
    await t.make('folder', 'd', { mode: 0o2777, owner: OWNER })
    await t.as(OTHER).gives('done', 'mkdir', 'd/e', 0o777)
    await t.as(OTHER).gives('done', 'mkdir', 'd/e/f', 0o700)
    await t.shows('d/e', { mode: 0o2755, gid: OWNER.gid, uid: OTHER.uid })
    await t.shows('d/e/f', { mode: 0o2700, gid: OWNER.gid, uid: OTHER.uid })
  },
  'setgid of a new program is lost for who is not in the group of the folder': async t => {
    await t.make('folder', 'd', { mode: 0o2777, owner: OWNER })
    await made(t.as(OTHER).umask(0), ['regular', 'open', name => [name, 'O_CREAT|O_WRONLY', 0o2775]], 'd/new', 0)
    await t.shows('d/new', { mode: 0o775, gid: OWNER.gid })
    await made(t.as(MEMBER).umask(0), ['regular', 'open', name => [name, 'O_CREAT|O_WRONLY', 0o2775]], 'd/mine', 0)
    await t.shows('d/mine', { mode: 0o2775, gid: OWNER.gid })
  },
  'making moves all times of the new, and mtime and ctime of its folder': async t => {
    await t.does('mkdir', 'd', 0o755)
    for (const maker of [...MAKERS, ...DEVICE_MAKERS]) {
      const before = await t.status('d')
      await t.moves({ d: ['mtime', 'ctime'], '.': [] }, () => made(t, maker, 'd/new', 0o644))
      await newTimes(t, before.ctime)
    }
    const before = await t.status('d')
    await t.moves({ d: ['mtime', 'ctime'] }, () => t.gives('done', 'symlink', 'x', 'd/new'))
    await newTimes(t, before.ctime)
    await t.moves({ d: ['mtime', 'ctime'] }, () => t.gives('done', 'bind', 'd/new'))
  },
  'O_CREAT of what is there moves nothing, O_TRUNC mtime and ctime of the file': async t => {
    await t.make('regular', 'f')
    const descriptor = await t.open('f', 'O_WRONLY')
    await t.does('write', descriptor, 'text')
    await t.does('close', descriptor)
    await t.moves({ f: [], '.': [] }, async () => t.does('close', await t.open('f', 'O_CREAT|O_WRONLY')))
    await t.moves({ f: ['mtime', 'ctime'], '.': [] }, async () =>
      t.does('close', await t.open('f', 'O_WRONLY|O_TRUNC')),
    )
    await t.shows('f', { size: 0 })
    await t.moves({ f: ['mtime', 'ctime'], '.': [] }, async () => {
      await t.does('close', Number(await t.gives('done', 'creat', 'f', 0o600)))
    })
    await t.shows('f', { mode: 0o644 })
  },
  'new files are empty and have one name, new folders two': async t => {
    for (const type of ALL_TYPES) {
      await t.make(type, 'new')
      if (type === 'folder') await t.shows('new', { type, nlink: 2 })
      else await t.shows('new', { type, nlink: 1, size: type === 'symlink' ? 6 : 0 })
      await t.remove('new')
      await t.shows('new', 'gone')
    }
  },
  'device nodes keep their numbers, and only root makes them': async t => {
    await t.does('chmod', '.', 0o777)
    for (const type of ['char', 'block'] as const) {
      for (const numbers of [
        [1, 2],
        [0, 0],
        [255, 255],
        [4095, 1_048_575],
      ]) {
        await t.gives('done', 'mknod', 'new', type, 0o640, numbers)
        await t.shows('new', { type, mode: 0o640, device: numbers, size: 0, nlink: 1 })
        await t.gives('EEXIST', 'mknod', 'new', type, 0o640, [3, 4])
        await t.gives('done', 'rename', 'new', 'old')
        await t.shows('old', { type, mode: 0o640, device: numbers })
        await t.remove('old')
      }
      await t.as(OTHER).gives('EPERM', 'mknod', 'new', type, 0o640)
      await t.shows('new', 'gone')
    }
    for (const type of ['fifo', 'socket', 'regular']) {
      await t.as(OTHER).gives('done', 'mknod', type, type, 0o640)
      await t.shows(type, { type: type as FileType, uid: OTHER.uid, gid: OTHER.gid })
    }
  },
  'mknod makes no folders and no links': async t => {
    await t.gives('EPERM', 'mknod', 'new', 'folder', 0o755)
    await t.gives('EINVAL', 'mknod', 'new', 'symlink', 0o755)
    await t.shows('new', 'gone')
  },
  'a folder tells how many folders it has': async t => {
    await t.does('mkdir', 'd', 0o755)
    for (let count = 1; count <= 3; count++) {
      await t.does('mkdir', `d/${count}`, 0o755)
      await t.make('regular', `d/file-${count}`)
      await t.shows('d', { nlink: 2 + count })
    }
    await t.does('mkdir', 'd/1/inner', 0o755)
    await t.shows('d/1', { nlink: 3 })
    await t.shows('d', { nlink: 5 })
    await t.does('rmdir', 'd/2')
    await t.shows('d', { nlink: 4 })
  },
} satisfies CallTests

async function newTimes(t: CallCase, before: string): Promise<void> {
  const { type, atime, mtime, ctime } = await t.status('d/new')
  for (const [name, time] of Object.entries({ atime, mtime, ctime }))
    if (BigInt(time) <= BigInt(before)) t.differs(`${name} of a new ${type}`, `later than ${before}`, time)
  await t.remove('d/new')
}
