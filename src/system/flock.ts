import { checked, loadLibc, SystemCallError } from './libc.js'

/** sys/file.h, the same on Linux and macOS. */
const LOCK_EX = 2
const LOCK_NB = 4

let flock: ((fd: number, operation: number) => number) | undefined

/**
 * Takes an exclusive advisory lock on an open file, without waiting: false when another open file description holds it.
 * Closing the descriptor gives it back. There is no waiting form: a wait would hold a thread of Node's pool that the
 * holder may need in order to finish. Throws SystemCallError.
 */
export function tryLockExclusive(fd: number): boolean {
  flock ??= loadLibc().libc.func('int flock(int fd, int operation)')
  try {
    checked('flock', flock(fd, LOCK_EX | LOCK_NB))
    return true
  } catch (error) {
    if (error instanceof SystemCallError && (error.code === 'EAGAIN' || error.code === 'EWOULDBLOCK')) return false
    throw error
  }
}
