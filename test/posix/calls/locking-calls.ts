import type { CallTests } from '../call-case.js'

export const LOCKING_CALLS = {
  'flock: one writer or several readers, between processes': async t => {
    const other = await t.other()
    const [mine, theirs] = [await t.open('f', 'O_CREAT|O_RDWR'), await other.open('f', 'O_RDWR')]
    await t.gives('done', 'flock', mine, 'LOCK_EX|LOCK_NB')
    for (const kind of ['LOCK_EX', 'LOCK_SH']) await other.gives('EAGAIN', 'flock', theirs, `${kind}|LOCK_NB`)
    await t.gives('done', 'flock', mine, 'LOCK_SH|LOCK_NB')
    await other.gives('done', 'flock', theirs, 'LOCK_SH|LOCK_NB')
    await other.gives('EAGAIN', 'flock', theirs, 'LOCK_EX|LOCK_NB')
    await t.gives('done', 'flock', mine, 'LOCK_UN')
    await other.gives('done', 'flock', theirs, 'LOCK_EX|LOCK_NB')
    await other.does('close', theirs)
    await t.gives('done', 'flock', mine, 'LOCK_EX|LOCK_NB')
    await t.does('close', mine)
  },
  'flock: two opens of one process are two': async t => {
    const [first, second] = [await t.open('f', 'O_CREAT|O_RDWR'), await t.open('f', 'O_RDONLY')]
    await t.gives('done', 'flock', first, 'LOCK_EX|LOCK_NB')
    await t.gives('EAGAIN', 'flock', second, 'LOCK_SH|LOCK_NB')
    await t.does('close', first)
    await t.gives('done', 'flock', second, 'LOCK_EX|LOCK_NB')
    await t.does('close', second)
  },
  'flock: who waits gets it when it is free': async t => {
    const other = await t.other()
    const [mine, theirs] = [await t.open('f', 'O_CREAT|O_RDWR'), await other.open('f', 'O_RDWR')]
    await t.gives('done', 'flock', mine, 'LOCK_EX')
    const waiting = other.gives('done', 'flock', theirs, 'LOCK_EX')
    await t.gives('done', 'flock', mine, 'LOCK_UN')
    await waiting
    await t.gives('EAGAIN', 'flock', mine, 'LOCK_SH|LOCK_NB')
    await other.does('close', theirs)
    await t.does('close', mine)
  },
  'fcntl locks ranges between processes, and says who stands in the way': async t => {
    const other = await t.other()
    const [mine, theirs] = [await t.open('f', 'O_CREAT|O_RDWR'), await other.open('f', 'O_RDWR')]
    await t.gives('done', 'lock', mine, 'F_WRLCK', 10, 10)
    await other.gives('EAGAIN|EACCES', 'lock', theirs, 'F_WRLCK', 15, 10)
    await other.gives('EAGAIN|EACCES', 'lock', theirs, 'F_RDLCK', 0, 0)
    await other.gives('done', 'lock', theirs, 'F_WRLCK', 20, 10)
    await other.equals([true, 10, 10, true], 'lockHolder', theirs, 'F_RDLCK', 0, 15)
    await other.equals(null, 'lockHolder', theirs, 'F_WRLCK', 0, 10)
    await t.gives('done', 'lock', mine, 'F_RDLCK', 10, 10)
    await other.gives('done', 'lock', theirs, 'F_RDLCK', 10, 10)
    await other.gives('EAGAIN|EACCES', 'lock', theirs, 'F_WRLCK', 10, 1)
    await t.gives('done', 'lock', mine, 'F_UNLCK', 0, 0)
    await other.gives('done', 'lock', theirs, 'F_WRLCK', 10, 10)
    await other.does('close', theirs)
    await t.gives('done', 'lock', mine, 'F_WRLCK', 0, 0)
    await t.does('close', mine)
  },
  'fcntl locks of a process are gone when it closes any descriptor of the file': async t => {
    const other = await t.other()
    const [mine, second] = [await t.open('f', 'O_CREAT|O_RDWR'), await t.open('f', 'O_RDONLY')]
    const theirs = await other.open('f', 'O_RDWR')
    await t.gives('done', 'lock', mine, 'F_WRLCK', 0, 0)
    await other.gives('EAGAIN|EACCES', 'lock', theirs, 'F_WRLCK', 0, 1)
    await t.does('close', second)
    await other.gives('done', 'lock', theirs, 'F_WRLCK', 0, 1)
    await t.does('close', mine)
    await other.does('close', theirs)
  },
  'fcntl locks ask for a descriptor of their kind': async t => {
    const [reader, writer] = [await t.open('f', 'O_CREAT|O_RDONLY'), await t.open('f', 'O_WRONLY')]
    await t.gives('EBADF', 'lock', reader, 'F_WRLCK', 0, 1)
    await t.gives('EBADF', 'lock', writer, 'F_RDLCK', 0, 1)
    await t.gives('EINVAL', 'lock', reader, 'F_RDLCK', -1, 1)
    await t.does('close', reader)
    await t.does('close', writer)
  },
  'locks of open files hold within a process and outlive other descriptors': async t => {
    const other = await t.other()
    const [first, second] = [await t.open('f', 'O_CREAT|O_RDWR'), await t.open('f', 'O_RDWR')]
    const theirs = await other.open('f', 'O_RDWR')
    await t.gives('done', 'lock', first, 'F_WRLCK', 0, 10, 1)
    await t.gives('EAGAIN', 'lock', second, 'F_WRLCK', 5, 1, 1)
    await other.gives('EAGAIN', 'lock', theirs, 'F_RDLCK', 0, 1, 1)
    await other.gives('EAGAIN|EACCES', 'lock', theirs, 'F_WRLCK', 9, 1)
    await t.does('close', second)
    await other.gives('EAGAIN', 'lock', theirs, 'F_RDLCK', 0, 1, 1)
    await t.does('close', first)
    await other.gives('done', 'lock', theirs, 'F_WRLCK', 0, 0, 1)
    await other.does('close', theirs)
  },
} satisfies CallTests
