import type { CallCase, CallTests } from '../call-case.js'
import { NON_LINKS } from '../call-case.js'
import { OTHER, OWNER } from '../system-calls.js'

const TIMES = ['mtime', 'ctime'] as const

/** A file of 12,345 bytes, and a descriptor that is open for both. */
async function file(t: CallCase): Promise<number> {
  const descriptor = await t.open('f', 'O_CREAT|O_RDWR|O_TRUNC')
  await t.does('write', descriptor, 'x'.repeat(12_345))
  return descriptor
}

/** Whether the tests can tell holes from data here. */
async function zeros(t: CallCase, descriptor: number, offset: number, size: number): Promise<void> {
  await t.equals('\0'.repeat(size), 'pread', descriptor, size, offset)
}

export const TRUNCATING_CALLS = {
  'truncate sets the size, up and down, and moves mtime and ctime': async t => {
    await t.does('close', await file(t))
    for (const size of [1_234_567, 567, 23_456, 1, 0, 4096]) {
      await t.moves({ f: TIMES, '.': [] }, () => t.gives('done', 'truncate', 'f', size))
      await t.shows('f', { size })
    }
    await t.moves({ f: [] }, () => t.as(OTHER).gives('EACCES', 'truncate', 'f', 1))
    await t.moves({ f: [] }, () => t.gives('EINVAL', 'truncate', 'f', -1))
  },
  'ftruncate sets the size of what is open, and moves mtime and ctime': async t => {
    const descriptor = await file(t)
    for (const size of [1_234_567, 567, 23_456, 1, 0, 4096]) {
      await t.moves({ f: TIMES, '.': [] }, () => t.gives('done', 'ftruncate', descriptor, size))
      await t.shows(descriptor, { size })
      await t.shows('f', { size })
    }
    await t.moves({ f: [] }, () => t.gives('EINVAL', 'ftruncate', descriptor, -1))
    await t.does('close', descriptor)
    await t.gives('EBADF', 'ftruncate', descriptor, 1)
    const reader = await t.open('f', 'O_RDONLY')
    await t.moves({ f: [] }, () => t.gives('EINVAL', 'ftruncate', reader, 1))
    await t.does('close', reader)
  },
  'who made a file without rights may still truncate it by its descriptor': async t => {
    await t.does('chmod', '.', 0o777)
    for (const who of [OWNER, OTHER]) {
      const descriptor = await t.as(who).open('f', 'O_CREAT|O_RDWR', 0)
      await t.as(who).gives('done', 'ftruncate', descriptor, 100)
      await t.does('close', descriptor)
      await t.shows('f', { size: 100, mode: 0, uid: who.uid })
      await t.as(who).gives('EACCES', 'truncate', 'f', 1)
      await t.remove('f')
    }
  },
  'sizes that no file can have are EFBIG, or a size': async t => {
    await t.make('regular', 'f')
    const size = 999_999_999_999_999
    const answer = await t.gives('done|EFBIG|EINVAL', 'truncate', 'f', size)
    await t.shows('f', { size: answer === undefined ? 0 : size })
    await t.gives('done', 'truncate', 'f', 3)
    await t.shows('f', { size: 3 })
  },
  'truncate and O_TRUNC leave what is no regular file': async t => {
    for (const type of ['fifo', 'socket'] as const) {
      await t.make(type, 'f')
      await t.gives('EINVAL', 'truncate', 'f', 5)
      await t.shows('f', { type, size: 0 })
      await t.remove('f')
    }
  },
  'posix_fallocate makes room up to an end, and moves mtime and ctime': async t => {
    const descriptor = await t.open('f', 'O_CREAT|O_RDWR')
    await t.moves({ f: TIMES }, () => t.gives('done', 'posix_fallocate', descriptor, 0, 567))
    await t.shows('f', { size: 567 })
    await t.does('ftruncate', descriptor, 12_345)
    await t.gives('done', 'posix_fallocate', descriptor, 20_000, 3456)
    await t.shows('f', { size: 23_456 })
    await t.gives('done', 'posix_fallocate', descriptor, 0, 10)
    await t.shows('f', { size: 23_456 })
    await zeros(t, descriptor, 0, 100)
    await t.moves({ f: [] }, async () => {
      await t.gives('EINVAL', 'posix_fallocate', descriptor, 0, 0)
      await t.gives('EINVAL', 'posix_fallocate', descriptor, -1, 5)
    })
    await t.does('close', descriptor)
    await t.gives('EBADF', 'posix_fallocate', descriptor, 0, 10)
    const reader = await t.open('f', 'O_RDONLY')
    await t.gives('EBADF', 'posix_fallocate', reader, 0, 10)
    await t.does('close', reader)
  },
  'posix_fallocate is not for who may not: only the descriptor counts': async t => {
    await t.does('chmod', '.', 0o777)
    const descriptor = await t.as(OTHER).open('f', 'O_CREAT|O_RDWR', 0)
    await t.as(OTHER).gives('done', 'posix_fallocate', descriptor, 0, 1)
    await t.shows('f', { size: 1, mode: 0 })
    await t.does('close', descriptor)
  },
  'fallocate with KEEP_SIZE leaves the size': async t => {
    const descriptor = await file(t)
    await t.gives('done', 'fallocate', descriptor, 'KEEP_SIZE', 0, 100_000)
    await t.shows('f', { size: 12_345 })
    await t.equals('xxx', 'pread', descriptor, 3, 0)
    await t.does('close', descriptor)
    await t.shows('f', { size: 12_345 })
  },
  'PUNCH_HOLE makes zeros and leaves the size': async t => {
    const descriptor = await file(t)
    await t.moves({ f: TIMES }, () => t.gives('done', 'fallocate', descriptor, 'PUNCH_HOLE|KEEP_SIZE', 100, 5000))
    await zeros(t, descriptor, 100, 5000)
    await t.equals('x', 'pread', descriptor, 1, 99)
    await t.equals('x', 'pread', descriptor, 1, 5100)
    await t.gives('done', 'fallocate', descriptor, 'PUNCH_HOLE|KEEP_SIZE', 12_000, 50_000)
    await t.shows(descriptor, { size: 12_345 })
    await zeros(t, descriptor, 12_000, 345)
    await t.gives('EOPNOTSUPP|EINVAL', 'fallocate', descriptor, 'PUNCH_HOLE', 0, 10)
    await t.does('close', descriptor)
    const again = await t.open('f', 'O_RDONLY')
    await zeros(t, again, 100, 5000)
    await t.equals('x', 'pread', again, 1, 5100)
    await t.does('close', again)
  },
  'a hole is no data to lseek, the end is one hole': async t => {
    const descriptor = await t.open('f', 'O_CREAT|O_RDWR')
    await t.does('pwrite', descriptor, 'data', 0)
    await t.equals(0, 'lseek', descriptor, 0, 'SEEK_DATA')
    await t.equals(4, 'lseek', descriptor, 3, 'SEEK_HOLE')
    for (const whence of ['SEEK_DATA', 'SEEK_HOLE']) {
      await t.gives('ENXIO', 'lseek', descriptor, 4, whence)
      await t.gives('ENXIO', 'lseek', descriptor, 400, whence)
      await t.gives('ENXIO', 'lseek', descriptor, -1, whence)
    }
    await t.does('ftruncate', descriptor, 1 << 20)
    const hole = Number(await t.gives('done', 'lseek', descriptor, 0, 'SEEK_HOLE'))
    if (hole !== 1 << 20) await zeros(t, descriptor, hole, (1 << 20) - hole)
    await t.does('close', descriptor)
  },
  'lseek counts from the start, here and the end': async t => {
    const descriptor = await file(t)
    await t.equals(5, 'lseek', descriptor, 5, 'SEEK_SET')
    await t.equals(10, 'lseek', descriptor, 5, 'SEEK_CUR')
    await t.equals(12_340, 'lseek', descriptor, -5, 'SEEK_END')
    await t.equals(20_000, 'lseek', descriptor, 20_000, 'SEEK_SET')
    await t.equals('', 'read', descriptor, 5)
    await t.gives('EINVAL', 'lseek', descriptor, -1, 'SEEK_SET')
    await t.does('close', descriptor)
  },
  'copy_file_range copies within a file and between files': async t => {
    const source = await file(t)
    await t.does('pwrite', source, 'start', 0)
    const target = await t.open('g', 'O_CREAT|O_RDWR')
    await t.moves({ g: TIMES, '.': [] }, () => t.equals(1000, 'copy_file_range', source, 0, target, 0, 1000))
    await t.shows('g', { size: 1000 })
    await t.equals('start', 'pread', target, 5, 0)
    await t.equals(5, 'copy_file_range', source, 0, target, 2000, 5)
    await t.shows('g', { size: 2005 })
    await zeros(t, target, 1000, 1000)
    await t.equals('start', 'pread', target, 5, 2000)
    await t.equals(345, 'copy_file_range', source, 12_000, target, 0, 1000)
    await t.equals(0, 'copy_file_range', source, 12_345, target, 0, 1000)
    await t.equals(5, 'copy_file_range', source, 0, source, 100, 5)
    await t.equals('start', 'pread', source, 5, 100)
    await t.gives('EINVAL', 'copy_file_range', source, 0, source, 3, 10)
    const reader = await t.open('g', 'O_RDONLY')
    await t.gives('EBADF', 'copy_file_range', source, 0, reader, 0, 10)
    for (const one of [source, target, reader]) await t.does('close', one)
  },
  'ZERO_RANGE makes zeros, and grows a file unless it keeps its size': async t => {
    const descriptor = await file(t)
    const answer = await t.gives('done|EOPNOTSUPP', 'fallocate', descriptor, 'ZERO_RANGE', 10, 100)
    if (answer !== undefined) {
      await zeros(t, descriptor, 10, 100)
      await t.gives('done', 'fallocate', descriptor, 'ZERO_RANGE|KEEP_SIZE', 12_000, 1000)
      await t.shows('f', { size: 12_345 })
      await t.gives('done', 'fallocate', descriptor, 'ZERO_RANGE', 12_000, 1000)
      await t.shows('f', { size: 13_000 })
      await zeros(t, descriptor, 12_000, 1000)
    }
    await t.equals('x', 'pread', descriptor, 1, 9)
    await t.equals('x', 'pread', descriptor, 1, 200)
    await t.does('close', descriptor)
  },
  'fallocate is for regular files': async t => {
    for (const type of NON_LINKS.filter(one => one === 'fifo' || one === 'folder')) {
      await t.make(type, 'f')
      const descriptor = await t.open('f', type === 'fifo' ? 'O_RDWR' : 'O_RDONLY')
      await t.gives(type === 'fifo' ? 'ESPIPE' : 'EBADF', 'posix_fallocate', descriptor, 0, 10)
      await t.gives(type === 'fifo' ? 'EINVAL' : 'EBADF|EINVAL', 'ftruncate', descriptor, 0)
      await t.does('close', descriptor)
      await t.remove('f')
    }
  },
} satisfies CallTests
