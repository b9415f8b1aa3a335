import { ALL_TYPES, type CallCase, type CallTests } from '../call-case.js'
import { BAD_ADDRESS, OTHER, type Word } from '../system-calls.js'

type Target = string | typeof BAD_ADDRESS
type PathCall = readonly [name: string, words: (path: Target) => readonly Word[]]

const OMIT = ['omit', 'omit'] as const

/** Calls on something that must be there. */
const ON_FILES: readonly PathCall[] = [
  ['open', path => [path, 'O_RDONLY', 0]],
  ['chmod', path => [path, 0o600]],
  ['chown', path => [path, 0, 0]],
  ['lchown', path => [path, 0, 0]],
  ['truncate', path => [path, 0]],
  ['access', path => [path, 'R']],
  ['unlink', path => [path]],
  ['rmdir', path => [path]],
  ['rename', path => [path, 'another']],
  ['link', path => [path, 'another']],
  ['setxattr', path => [path, 'user.a', 'b']],
  ['removexattr', path => [path, 'user.a']],
  ['chdir', path => [path]],
]

/** Calls whose wrappers of the test program read the path themselves: without bad addresses. */
const ON_NAMES: readonly PathCall[] = [
  ['stat', path => [path]],
  ['lstat', path => [path]],
  ['readlink', path => [path]],
  ['utimensat', path => [path, 'now', 'now']],
  ['lutimensat', path => [path, 'now', 'now']],
  ['getxattr', path => [path, 'user.a']],
  ['listxattr', path => [path]],
  ['list', path => [path]],
]

/** Calls that make something new. */
const MAKERS: readonly PathCall[] = [
  ['open', path => [path, 'O_CREAT|O_WRONLY', 0o644]],
  ['creat', path => [path, 0o644]],
  ['mkdir', path => [path, 0o755]],
  ['mkfifo', path => [path, 0o644]],
  ['symlink', path => ['target', path]],
  ['link', path => ['file', path]],
  ['rename', path => ['file', path]],
]

/** As above. */
const NODE_MAKERS: readonly PathCall[] = (['regular', 'fifo', 'block', 'char', 'socket'] as const).map(type => [
  'mknod',
  path => [path as string, type, 0o644],
])

const ALL_CALLS = [...ON_FILES, ...ON_NAMES, ...MAKERS, ...NODE_MAKERS]

/** Every call below `path(call)` ends so. */
async function each(t: CallCase, calls: readonly PathCall[], outcome: string, path: Target): Promise<void> {
  for (const [name, words] of calls) await t.gives(outcome, name, ...words(path))
}

/** Calls that follow a symbolic link at the end of a path. */
const FOLLOWING = ALL_CALLS.filter(
  ([name]) =>
    !['lchown', 'unlink', 'rmdir', 'rename', 'link', 'lstat', 'readlink', 'lutimensat'].includes(name) &&
    !['mkdir', 'mkfifo', 'symlink', 'mknod'].includes(name),
)

/** Of `length` bytes, with short components. */
function longPath(length: number): string {
  return 'x/'
    .repeat(length)
    .slice(0, length - 1)
    .concat('y')
}

export const ERRNO_CALLS = {
  'ENOENT: a part of the path is not there': async t => {
    await t.make('regular', 'file')
    await each(t, ALL_CALLS, 'ENOENT', 'none/name')
  },
  'ENOENT: what a call works on is not there': async t => {
    await each(t, [...ON_FILES, ...ON_NAMES], 'ENOENT', 'none')
    await each(t, [...ON_FILES, ...ON_NAMES, ...MAKERS, ...NODE_MAKERS], 'ENOENT', '')
  },
  'ENOENT: a symbolic link leads nowhere': async t => {
    await t.make('symlink', 'dangling')
    const open = FOLLOWING.filter(([name, words]) => name !== 'creat' && !words('').includes('O_CREAT|O_WRONLY'))
    await each(t, open, 'ENOENT', 'dangling')
    await each(
      t,
      ALL_CALLS.filter(([name]) => !['link', 'rename'].includes(name)),
      'ENOENT',
      'dangling/name',
    )
  },
  ...Object.fromEntries(
    ALL_TYPES.filter(type => type !== 'folder' && type !== 'symlink').map(type => [
      `ENOTDIR: a part of the path is a ${type}`,
      async (t: CallCase) => {
        await t.make(type, 'part')
        await t.make('regular', 'file')
        await each(t, ALL_CALLS, 'ENOTDIR', 'part/name')
        await t.does('symlink', 'part', 'link')
        await each(t, ALL_CALLS, 'ENOTDIR', 'link/name')
      },
    ]),
  ),
  'ENAMETOOLONG: a name of 256 bytes, while one of 255 is only not there': async t => {
    await t.make('regular', 'file')
    await t.does('mkdir', 'folder', 0o755)
    for (const name of ['x'.repeat(256), `folder/${'x'.repeat(256)}`, `${'x'.repeat(256)}/name`])
      await each(t, ALL_CALLS, 'ENAMETOOLONG', name)
    await each(t, [...ON_FILES, ...ON_NAMES], 'ENOENT', 'x'.repeat(255))
  },
  'ENAMETOOLONG: a path of 4,096 bytes': async t => {
    await t.make('regular', 'file')
    await each(t, ALL_CALLS, 'ENAMETOOLONG', longPath(4096))
    await each(t, ALL_CALLS, 'ENOENT', longPath(4095))
  },
  'a path of 4,095 bytes leads to files of every type': async t => {
    const folders = Array.from({ length: 31 }, (_, i) => String.fromCharCode(97 + (i % 26)).repeat(127))
    for (let depth = 1; depth <= folders.length; depth++)
      await t.does('mkdir', folders.slice(0, depth).join('/'), 0o755)
    const name = `${folders.join('/')}/${'z'.repeat(127)}`
    for (const type of ALL_TYPES) {
      await t.make(type, name)
      await t.shows(name, { type })
      await t.gives('done', 'rename', name, 'short')
      await t.gives('done', 'rename', 'short', name)
      await t.gives('ENAMETOOLONG', 'rename', name, `${name}z`)
      await t.remove(name)
    }
  },
  'ENAMETOOLONG, and nothing else, where a path is longer than a store can keep': async t => {
    let above = ''
    for (const letter of 'abcd') {
      above += letter.repeat(200)
      await t.does('mkdir', above, 0o755)
      above += '/'
    }
    // Each in a folder that nothing is known of, around 1,024 bytes in all.
    let count = 100
    for (let length = 195; length <= 225; length += 6)
      for (const [name, words] of ALL_CALLS) {
        const folder = `${above}${count++}`
        await t.does('mkdir', folder, 0o755)
        if (name === 'link' || name === 'rename') await t.gives('done|EEXIST', 'mknod', 'file', 'regular', 0o644)
        const path = `${folder}/${'n'.repeat(length)}`
        const answer = await t.gives('done|ENOENT|ENAMETOOLONG|EPERM', name, ...words(path))
        if (answer !== undefined) await t.does('remove', path)
        if (typeof answer === 'number' && ['open', 'creat'].includes(name)) await t.does('close', answer)
      }
  },
  'names of 255 bytes are names, of every type': async t => {
    const name = 'n'.repeat(255)
    for (const type of ALL_TYPES) {
      await t.make(type, name)
      await t.shows(name, { type })
      await t.gives('done', 'rename', name, 'm'.repeat(255))
      await t.remove('m'.repeat(255))
    }
  },
  'ELOOP: links that lead to each other': async t => {
    await t.make('regular', 'file')
    await t.does('symlink', 'there', 'here')
    await t.does('symlink', 'here', 'there')
    await each(t, ALL_CALLS, 'ELOOP', 'here/name')
    await each(t, FOLLOWING, 'ELOOP', 'here')
    await t.does('symlink', 'self', 'self')
    await each(t, FOLLOWING, 'ELOOP', 'self')
    await t.shows('self', { type: 'symlink' })
  },
  'ELOOP: more than 40 links on the way, 40 are followed': async t => {
    await t.make('regular', 'l0')
    for (let i = 1; i <= 41; i++) await t.does('symlink', `l${i - 1}`, `l${i}`)
    await t.gives('done', 'stat', 'l40')
    await t.gives('ELOOP', 'stat', 'l41')
  },
  'EFAULT: a path that no memory has': async t => {
    await t.make('regular', 'file')
    await each(
      t,
      [...ON_FILES.filter(([name]) => name !== 'open' && name !== 'chdir'), ...MAKERS.slice(1)],
      'EFAULT',
      BAD_ADDRESS,
    )
    for (const name of ['symlink', 'rename', 'link', 'truncate'])
      await t.gives('EFAULT', name, BAD_ADDRESS, name === 'truncate' ? 0 : 'new')
    await t.shows('new', 'gone')
  },
  'EEXIST: names are taken, whatever bears them': async t => {
    await t.make('regular', 'file')
    const makers = [...MAKERS.filter(([name]) => ['mkdir', 'mkfifo', 'symlink', 'link'].includes(name)), ...NODE_MAKERS]
    for (const type of ALL_TYPES) {
      await t.make(type, 'taken')
      await each(t, makers, 'EEXIST', 'taken')
      await t.gives('EADDRINUSE', 'bind', 'taken')
      await t.gives('EEXIST', 'open', 'taken', 'O_CREAT|O_EXCL|O_RDONLY', 0o644)
      await t.shows('taken', { type })
      await t.remove('taken')
    }
  },
  'EACCES: a folder on the way does not let pass': async t => {
    await t.does('mkdir', 'closed', 0o700)
    await t.make('regular', 'file', { owner: OTHER })
    await t.does('chmod', '.', 0o777)
    for (const type of ALL_TYPES) {
      await t.make(type, 'closed/name')
      await each(t.as(OTHER), ALL_CALLS, 'EACCES', 'closed/name')
      await t.shows('closed/name', { type })
      await t.remove('closed/name')
    }
    await each(t.as(OTHER), ALL_CALLS, 'EACCES', 'closed/none')
    await t.does('symlink', 'closed/name', 'link')
    await each(t.as(OTHER), FOLLOWING, 'EACCES', 'link')
  },
  'EACCES: a folder that is not to be written': async t => {
    await t.does('mkdir', 'fixed', 0o755)
    await t.make('regular', 'file', { owner: OTHER })
    await each(t.as(OTHER), [...MAKERS, ...NODE_MAKERS.slice(0, 2)], 'EACCES', 'fixed/new')
    await t.gives('done', 'symlink', 'x', 'fixed/link')
    for (const type of ALL_TYPES) {
      await t.make(type, 'fixed/name', { mode: 0o777 })
      const away = ON_FILES.filter(([name]) => name === 'rename' || name === (type === 'folder' ? 'rmdir' : 'unlink'))
      await t.does('chmod', '.', 0o777)
      await each(t.as(OTHER), away, 'EACCES', 'fixed/name')
      await t.does('chmod', '.', 0o755)
      await t.shows('fixed/name', { type })
      await t.remove('fixed/name')
    }
  },
  'EISDIR and ENOTDIR: unlink is for files, rmdir for folders': async t => {
    await t.does('mkdir', 'folder', 0o755)
    await t.gives('EISDIR', 'unlink', 'folder')
    for (const type of ALL_TYPES) {
      await t.make(type, 'name')
      if (type !== 'folder') await t.gives('ENOTDIR', 'rmdir', 'name')
      if (type !== 'folder' && type !== 'symlink') await t.gives('ENOTDIR', 'list', 'name')
      await t.remove('name')
    }
    await t.gives('EISDIR', 'truncate', 'folder', 0)
    for (const flags of ['O_WRONLY', 'O_RDWR', 'O_WRONLY|O_TRUNC', 'O_CREAT|O_WRONLY', 'O_CREAT|O_RDONLY'])
      await t.gives('EISDIR', 'open', 'folder', flags, 0o644)
  },
  'EINVAL: a dot at the end, and lengths that can not be': async t => {
    await t.does('mkdir', 'folder', 0o755)
    await t.make('regular', 'file')
    await t.gives('EINVAL', 'rmdir', 'folder/.')
    await t.gives('ENOTEMPTY', 'rmdir', 'folder/..')
    await t.gives('EBUSY', 'rename', 'folder/.', 'another')
    await t.gives('EBUSY', 'rename', 'folder/..', 'another')
    await t.gives('EINVAL', 'truncate', 'file', -1)
    await t.gives('EISDIR', 'unlink', 'folder/.')
    await t.gives('EEXIST', 'mkdir', 'folder/.', 0o755)
    await t.gives('EINVAL', 'readlink', 'file')
    await t.gives('EINVAL', 'readlink', 'folder')
  },
  'a slash at the end asks for a folder': async t => {
    await t.make('regular', 'file')
    await t.gives('ENOTDIR', 'open', 'file/', 'O_RDONLY')
    await t.gives('EISDIR', 'open', 'new/', 'O_CREAT|O_WRONLY', 0o644)
    await t.gives('ENOTDIR', 'unlink', 'file/')
    await t.gives('ENOTDIR', 'stat', 'file/')
    await t.gives('done', 'mkdir', 'folder/', 0o755)
    await t.gives('done', 'rename', 'folder/', 'moved/')
    await t.gives('ENOTDIR', 'rename', 'file', 'other/')
    await t.gives('done', 'rmdir', 'moved/')
    await t.gives('ENOENT', 'mknod', 'new/', 'fifo', 0o644)
    await t.gives('ENOENT', 'symlink', 'x', 'new/')
  },
  'what failed has moved no time': async t => {
    await t.make('regular', 'file')
    await t.does('mkdir', 'folder', 0o755)
    await t.make('regular', 'folder/inner')
    await t.moves({ '.': [], file: [], folder: [], 'folder/inner': [] }, async () => {
      await t.gives('EEXIST', 'mkdir', 'folder', 0o755)
      await t.gives('EEXIST', 'symlink', 'x', 'file')
      await t.gives('ENOTEMPTY', 'rmdir', 'folder')
      await t.gives('EISDIR', 'unlink', 'folder')
      await t.gives('ENOTDIR', 'rename', 'folder', 'file')
      await t.gives('EINVAL', 'rename', 'folder', 'folder/itself')
      await t.as(OTHER).gives('EACCES', 'unlink', 'file')
      await t.as(OTHER).gives('EACCES', 'truncate', 'file', 5)
      await t.as(OTHER).gives('EPERM', 'chmod', 'file', 0o777)
      await t.as(OTHER).gives('EPERM', 'chown', 'file', 0, 5)
      await t.as(OTHER).gives('EPERM', 'utimensat', 'file', ...[[1, 0], OMIT[0]])
      await t.as(OTHER).gives('EACCES', 'utimensat', 'file', 'now', 'now')
      await t.as(OTHER).gives('EACCES', 'rename', 'file', 'new')
      await t.as(OTHER).gives('EACCES', 'setxattr', 'file', 'user.a', 'b')
    })
  },
} satisfies CallTests
