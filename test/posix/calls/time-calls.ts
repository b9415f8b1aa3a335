import { ALL_TYPES, type CallCase, type CallTests, NON_LINKS } from '../call-case.js'
import { OTHER } from '../system-calls.js'

async function filled(t: CallCase, path: string, text: string): Promise<void> {
  const descriptor = await t.open(path, 'O_CREAT|O_WRONLY|O_TRUNC')
  await t.does('write', descriptor, text)
  await t.does('close', descriptor)
}

/** Opens, calls and closes. */
async function onOpen(t: CallCase, flags: string, call: (descriptor: number) => Promise<unknown>): Promise<void> {
  const descriptor = await t.open('f', flags)
  await call(descriptor)
  await t.does('close', descriptor)
}

/** Seconds and nanoseconds, with what stat shows of them. */
const MOMENTS = [
  [[1_234_567_890, 123_456_789], '1234567890123456789'],
  [[0, 0], '0'],
  [[0, 1], '1'],
  [[-1, 0], '-1000000000'],
  [[-1000, 250_000_000], '-999750000000'],
  [[2_147_483_648, 5], '2147483648000000005'],
  [[4_294_967_296, 999_999_999], '4294967296999999999'],
  [[1, 999_999_999], '1999999999'],
] as const

export const TIME_CALLS = {
  'times are kept to the nanosecond, from before 1970 to after 2106, on every type': async t => {
    for (const type of ALL_TYPES) {
      await t.make(type, 'f')
      for (const [i, [moment, shown]] of MOMENTS.entries()) {
        const [other, otherShown] = MOMENTS[(i + 3) % MOMENTS.length] ?? [moment, shown]
        await t.gives('done', 'lutimensat', 'f', other, moment)
        await t.shows('f', { type, atime: otherShown, mtime: shown })
      }
      await t.remove('f')
    }
  },
  'times set through a link are those of what it leads to': async t => {
    for (const type of NON_LINKS) {
      await t.make(type, 'f')
      await t.does('symlink', 'f', 'link')
      await t.moves({ link: ['atime?'] }, () => t.gives('done', 'utimensat', 'link', [10, 0], [20, 0]))
      await t.shows('f', { atime: '10000000000', mtime: '20000000000' })
      await t.gives('done', 'lutimensat', 'link', [30, 0], [40, 0])
      await t.shows('link', { atime: '30000000000', mtime: '40000000000' })
      await t.shows('f', { atime: '10000000000', mtime: '20000000000' })
      await t.remove('f', 'link')
    }
  },
  'UTIME_OMIT leaves a time, UTIME_NOW moves it, ctime moves along': async t => {
    for (const type of NON_LINKS) {
      await t.make(type, 'f')
      await t.moves({ f: ['atime', 'ctime'], '.': [] }, () => t.gives('done', 'utimensat', 'f', 'now', 'omit'))
      await t.moves({ f: ['mtime', 'ctime'], '.': [] }, () => t.gives('done', 'utimensat', 'f', 'omit', 'now'))
      await t.moves({ f: ['atime', 'mtime', 'ctime'] }, () => t.gives('done', 'utimensat', 'f', 'now', 'now'))
      await t.moves({ f: ['atime', 'mtime', 'ctime'] }, () => t.gives('done', 'utimensBoth', 'f'))
      await t.does('utimensat', 'f', [5, 6], [7, 8])
      await t.gives('done', 'utimensat', 'f', [9, 0], 'omit')
      await t.shows('f', { atime: '9000000000', mtime: '7000000008' })
      await t.gives('done', 'utimensat', 'f', 'omit', [11, 0])
      await t.shows('f', { atime: '9000000000', mtime: '11000000000' })
      await t.remove('f')
    }
  },
  'UTIME_OMIT for both moves nothing': async t => {
    await t.make('regular', 'f')
    await t.moves({ f: [] }, () => t.gives('done', 'utimensat', 'f', 'omit', 'omit'))
  },
  'nanoseconds beyond a second are EINVAL': async t => {
    await t.make('regular', 'f')
    for (const nanoseconds of [1_000_000_000, -1])
      await t.moves({ f: [] }, () => t.gives('EINVAL', 'utimensat', 'f', [1, nanoseconds], [1, 0]))
  },
  'futimens sets the times of what is open': async t => {
    await filled(t, 'f', 'text')
    await onOpen(t, 'O_RDONLY', async descriptor => {
      await t.gives('done', 'futimens', descriptor, [100, 100], [200, 200])
      await t.shows(descriptor, { atime: '100000000100', mtime: '200000000200' })
    })
    await t.shows('f', { atime: '100000000100', mtime: '200000000200' })
    await onOpen(t, 'O_RDWR', async descriptor => {
      await t.does('write', descriptor, 'more')
      await t.gives('done', 'futimens', descriptor, [300, 1], [400, 1])
    })
    await t.shows('f', { atime: '300000000001', mtime: '400000000001' })
  },
  'a write moves mtime and ctime': async t => {
    await filled(t, 'f', 'text')
    await t.moves({ f: ['mtime', 'ctime'], '.': [] }, () => onOpen(t, 'O_WRONLY', one => t.does('write', one, 'x')))
    await t.moves({ f: ['mtime', 'ctime'], '.': [] }, () =>
      onOpen(t, 'O_WRONLY|O_APPEND', one => t.does('write', one, 'x')),
    )
  },
  'what moves mtime leaves atime': async t => {
    await filled(t, 'f', 'text')
    await t.does('mkdir', 'd', 0o755)
    // Of what is open the kernel forgets nothing, whatever else goes on: a bucket keeps no atime.
    const held = [await t.open('f', 'O_WRONLY'), await t.open('d', 'O_RDONLY|O_DIRECTORY')]
    const before = [(await t.status('f')).atime, (await t.status('d')).atime]
    await t.does('tick')
    await onOpen(t, 'O_WRONLY', one => t.does('write', one, 'x'))
    await t.does('truncate', 'f', 1)
    await t.make('regular', 'd/f')
    await t.does('rename', 'd/f', 'd/g')
    await t.remove('d/g')
    for (const [i, path] of ['f', 'd'].entries()) await t.shows(path, { atime: before[i] ?? '' })
    for (const descriptor of held) await t.does('close', descriptor)
  },
  'open for writing, close, stat, access and fsync move nothing, open for reading at most atime': async t => {
    await filled(t, 'f', 'text')
    await t.does('utimensat', 'f', 'now', [1, 0])
    for (const flags of ['O_WRONLY', 'O_WRONLY|O_APPEND'])
      await t.moves({ f: [], '.': [] }, () => onOpen(t, flags, one => t.does('fsync', one)))
    await t.moves({ f: [], '.': [] }, async () => {
      await t.does('stat', 'f')
      await t.does('access', 'f', 'R')
      await t.as(OTHER).gives('EACCES', 'open', 'f', 'O_WRONLY')
      await t.gives('EEXIST', 'open', 'f', 'O_CREAT|O_EXCL', 0o644)
    })
    for (const flags of ['O_RDONLY', 'O_RDWR'])
      await t.moves({ f: ['atime?'], '.': [] }, () => onOpen(t, flags, one => t.does('fsync', one)))
  },
  'a read moves atime where it was older than mtime': async t => {
    await filled(t, 'f', 'text')
    await t.does('utimensat', 'f', [1, 0], [2, 0])
    await t.moves({ f: ['atime'], '.': [] }, () => onOpen(t, 'O_RDONLY', one => t.does('read', one, 9)))
  },
  'times that were set are still there after a read, a close and a listing': async t => {
    for (const type of ALL_TYPES) {
      await t.make(type, `f-${type}`)
      await t.does('lutimensat', `f-${type}`, [100, 7], [50, 8])
    }
    await t.does('list', '.')
    for (const type of ALL_TYPES) await t.shows(`f-${type}`, { atime: '100000000007', mtime: '50000000008' })
  },
} satisfies CallTests
