import { ALL_TYPES, type CallCase, type CallTests, NON_FOLDERS, NON_LINKS } from '../call-case.js'
import { type Identity, MEMBER, OTHER, OWNER, ROOT } from '../system-calls.js'

const ALL_MODES = [0, 0o111, 0o222, 0o444, 0o642, 0o777, 0o1621, 0o2755, 0o4711, 0o6555, 0o7777] as const

/** Makes `name` of a type with setuid and setgid, owned by OWNER. */
async function privileged(t: CallCase, type: (typeof NON_LINKS)[number], mode: number): Promise<void> {
  await t.make(type, 'f', { owner: OWNER, mode })
  await t.shows('f', { mode })
}

/** OWNER, who is also in another group. */
const IN_TWO_GROUPS: Identity = { uid: OWNER.uid, gid: OWNER.gid, groups: [OTHER.gid] }

/** A file of OWNER's with `mode` has mode `left` after a write. */
async function writtenBy(t: CallCase, who: Identity, mode: number, left: number): Promise<void> {
  await t.make('regular', 'f', { owner: OWNER, mode })
  const descriptor = await t.as(who).open('f', 'O_RDWR')
  await t.shows('f', { mode })
  await t.as(who).gives('done', 'write', descriptor, 'x')
  await t.shows(descriptor, { mode: left })
  await t.does('close', descriptor)
  await t.shows('f', { mode: left })
  await t.remove('f')
}

export const MODE_CALLS = {
  'chmod keeps every mode, on every type': async t => {
    for (const type of NON_LINKS) {
      await t.make(type, 'f')
      for (const mode of ALL_MODES) {
        await t.gives('done', 'chmod', 'f', mode)
        await t.shows('f', { type, mode })
      }
      await t.remove('f')
    }
  },
  'chmod of a symbolic link changes what it leads to': async t => {
    for (const type of NON_LINKS) {
      await t.make(type, 'f')
      await t.does('symlink', 'f', 'link')
      await t.gives('done', 'chmod', 'link', 0o222)
      await t.shows('f', { type, mode: 0o222 })
      await t.shows('link', { type: 'symlink', mode: 0o777 })
      await t.remove('link', 'f')
    }
  },
  'a symbolic link has no mode of its own': async t => {
    await t.make('symlink', 'link')
    await t.gives('EOPNOTSUPP', 'chmodLink', 'link', 0o600)
    await t.shows('link', { mode: 0o777 })
  },
  'chmod moves ctime, and nothing when it fails': async t => {
    for (const type of NON_LINKS) {
      await t.make(type, 'f')
      await t.moves({ f: ['ctime'], '.': [] }, () => t.gives('done', 'chmod', 'f', 0o111))
      await t.moves({ f: [], '.': [] }, () => t.as(OTHER).gives('EPERM', 'chmod', 'f', 0o777))
      await t.shows('f', { mode: 0o111 })
      await t.remove('f')
    }
  },
  'chmod is for the owner and root': async t => {
    for (const type of NON_LINKS) {
      await t.make(type, 'f', { owner: OWNER, mode: 0o640 })
      await t.as(OWNER).gives('done', 'chmod', 'f', 0o604)
      await t.shows('f', { mode: 0o604, uid: OWNER.uid, gid: OWNER.gid })
      for (const who of [MEMBER, OTHER]) await t.as(who).gives('EPERM', 'chmod', 'f', 0o777)
      await t.shows('f', { mode: 0o604 })
      await t.gives('done', 'chmod', 'f', 0o600)
      await t.shows('f', { mode: 0o600, uid: OWNER.uid })
      await t.remove('f')
    }
  },
  'chmod by who is not in the group of the file loses setgid': async t => {
    for (const type of NON_LINKS) {
      await t.make(type, 'f', { owner: { uid: OTHER.uid, gid: OWNER.gid }, mode: 0o755 })
      await t.as(OTHER).gives('done', 'chmod', 'f', 0o2755)
      await t.shows('f', { mode: 0o755 })
      await t.as({ ...OTHER, groups: [OWNER.gid] }).gives('done', 'chmod', 'f', 0o2755)
      await t.shows('f', { mode: 0o2755 })
      await t.as({ ...OTHER, gid: OWNER.gid }).gives('done', 'chmod', 'f', 0o6711)
      await t.shows('f', { mode: 0o6711 })
      await t.remove('f')
    }
  },
  'an owner may set the sticky bit, on every type': async t => {
    for (const type of NON_LINKS) {
      await t.make(type, 'f', { owner: OWNER, mode: 0o640 })
      await t.as(OWNER).gives('done', 'chmod', 'f', 0o1644)
      await t.shows('f', { mode: 0o1644 })
      await t.remove('f')
    }
  },
  'fchmod changes the file that is open': async t => {
    const descriptor = await t.open('f', 'O_CREAT|O_RDONLY', 0o644)
    await t.moves({ f: ['ctime'] }, () => t.gives('done', 'fchmod', descriptor, 0o600))
    await t.shows('f', { mode: 0o600 })
    await t.as(OTHER).gives('EPERM', 'fchmod', descriptor, 0o777)
    await t.does('close', descriptor)
    await t.gives('EBADF', 'fchmod', descriptor, 0o777)
  },
  'root changes any owner, on every type, link or not': async t => {
    for (const type of ALL_TYPES) {
      await t.make(type, 'f')
      await t.gives('done', 'lchown', 'f', 123, 456)
      await t.shows('f', { type, uid: 123, gid: 456 })
      await t.gives('done', 'lchown', 'f', -1, 7)
      await t.shows('f', { uid: 123, gid: 7 })
      await t.gives('done', 'lchown', 'f', 8, -1)
      await t.shows('f', { uid: 8, gid: 7 })
      await t.remove('f')
    }
    for (const type of NON_LINKS) {
      await t.make(type, 'f')
      await t.does('symlink', 'f', 'link')
      await t.gives('done', 'chown', 'link', 123, 456)
      await t.shows('f', { type, uid: 123, gid: 456 })
      await t.shows('link', { type: 'symlink', uid: 0, gid: 0 })
      await t.remove('f', 'link')
    }
  },
  'an owner gives a file to a group of his own only': async t => {
    for (const type of ALL_TYPES) {
      await t.make(type, 'f', { owner: OWNER })
      for (const gid of [OTHER.gid, OWNER.gid]) {
        await t.as(IN_TWO_GROUPS).gives('done', 'lchown', 'f', -1, gid)
        await t.shows('f', { uid: OWNER.uid, gid })
      }
      await t.as(IN_TWO_GROUPS).gives('done', 'lchown', 'f', OWNER.uid, OTHER.gid)
      await t.shows('f', { uid: OWNER.uid, gid: OTHER.gid })
      await t.as(IN_TWO_GROUPS).gives('EPERM', 'lchown', 'f', -1, MEMBER.gid)
      await t.as(IN_TWO_GROUPS).gives('EPERM', 'lchown', 'f', OTHER.uid, -1)
      for (const who of [MEMBER, OTHER]) {
        await t.as(who).gives('EPERM', 'lchown', 'f', who.uid, -1)
        await t.as(who).gives('EPERM', 'lchown', 'f', -1, who.gid)
        await t.as(who).gives('done', 'lchown', 'f', -1, -1)
      }
      await t.shows('f', { uid: OWNER.uid, gid: OTHER.gid })
      await t.remove('f')
    }
  },
  'chown moves ctime, and nothing when it fails': async t => {
    for (const type of ALL_TYPES) {
      await t.make(type, 'f', { owner: OWNER })
      await t.moves({ f: ['ctime'], '.': [] }, () => t.gives('done', 'lchown', 'f', OWNER.uid, 7))
      await t.moves({ f: ['ctime'] }, () => t.as(OWNER).gives('done', 'lchown', 'f', -1, OWNER.gid))
      await t.moves({ f: [], '.': [] }, async () => {
        await t.as(OTHER).gives('EPERM', 'lchown', 'f', OTHER.uid, -1)
        await t.as(OTHER).gives('EPERM', 'lchown', 'f', -1, OTHER.gid)
        await t.as(OWNER).gives('EPERM', 'lchown', 'f', -1, OTHER.gid)
      })
      await t.remove('f')
    }
  },
  'an owner who changes the group loses setuid, and setgid where the group may execute': async t => {
    for (const type of NON_FOLDERS.filter(one => one !== 'symlink')) {
      for (const [mode, left] of [
        [0o6555, 0o555],
        [0o4755, 0o755],
        [0o2755, 0o755],
        [0o4644, 0o644],
        [0o2745, 0o2745],
      ]) {
        await privileged(t, type, mode ?? 0)
        await t.as(IN_TWO_GROUPS).gives('done', 'chown', 'f', -1, OTHER.gid)
        await t.shows('f', { mode: left ?? 0, gid: OTHER.gid })
        await t.remove('f')
      }
    }
  },
  'root who changes the owner takes setuid and setgid away': async t => {
    for (const type of NON_FOLDERS.filter(one => one !== 'symlink'))
      for (const [mode, left] of [
        [0o6555, 0o555],
        [0o6755, 0o755],
        [0o2755, 0o755],
        [0o4644, 0o644],
        [0o755, 0o755],
      ]) {
        await privileged(t, type, mode ?? 0)
        await t.gives('done', 'chown', 'f', OTHER.uid, OTHER.gid)
        await t.shows('f', { mode: left ?? 0, uid: OTHER.uid, gid: OTHER.gid })
        await t.remove('f')
      }
  },
  'a folder keeps setuid and setgid when its owner changes': async t => {
    await privileged(t, 'folder', 0o6755)
    await t.gives('done', 'chown', 'f', OTHER.uid, OTHER.gid)
    await t.shows('f', { mode: 0o6755, uid: OTHER.uid, gid: OTHER.gid })
  },
  'a write takes setuid and setgid away': async t => {
    for (const who of [OTHER, OWNER, MEMBER])
      for (const [mode, left] of [
        [0o4777, 0o777],
        [0o2777, 0o777],
        [0o6777, 0o777],
        [0o4666, 0o666],
      ] as const)
        await writtenBy(t, who, mode, left)
  },
  'a write of who is not in the group takes setgid away where the group may not execute, too': async t => {
    await writtenBy(t, OTHER, 0o2666, 0o666)
    await writtenBy(t, OWNER, 0o2666, 0o2666)
    await writtenBy(t, MEMBER, 0o2666, 0o2666)
  },
  'a write of root keeps setuid and setgid': async t => {
    await t.make('regular', 'f', { owner: OWNER, mode: 0o6755 })
    const descriptor = await t.open('f', 'O_RDWR')
    await t.does('write', descriptor, 'x')
    await t.does('close', descriptor)
    await t.shows('f', { mode: 0o6755 })
  },
  'truncate takes setuid and setgid away': async t => {
    for (const truncate of ['truncate', 'O_WRONLY|O_TRUNC', 'O_RDONLY|O_TRUNC', 'O_WRONLY'] as const) {
      await t.make('regular', 'f', { owner: OWNER, mode: 0o6777 })
      if (truncate === 'truncate') await t.as(OWNER).gives('done', 'truncate', 'f', 5)
      else {
        const descriptor = await t.as(OWNER).open('f', truncate)
        if (truncate === 'O_WRONLY') await t.as(OWNER).gives('done', 'ftruncate', descriptor, 7)
        await t.does('close', descriptor)
      }
      await t.shows('f', { mode: 0o777 })
      await t.remove('f')
    }
    await t.make('regular', 'f', { mode: 0o6755 })
    await t.as(ROOT).gives('done', 'truncate', 'f', 5)
    await t.shows('f', { mode: 0o6755 })
  },
  'a group member reads and writes as the group may': async t => {
    await t.make('regular', 'f', { owner: OWNER, mode: 0o060 })
    await t.as(OWNER).gives('EACCES', 'open', 'f', 'O_RDONLY')
    await t.as(MEMBER).does('close', await t.as(MEMBER).open('f', 'O_RDWR'))
    await t.as(OTHER).gives('EACCES', 'open', 'f', 'O_RDONLY')
  },
} satisfies CallTests
