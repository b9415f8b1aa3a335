import { checked, loadLibc } from './libc.js'

const FALLOC_FL_KEEP_SIZE = 1
const FALLOC_FL_PUNCH_HOLE = 2

let fallocate: ((fd: number, mode: number, offset: number, length: number) => number) | undefined

/** Gives the disk space of a range back; its bytes read as zero. Linux only; EOPNOTSUPP where the disk can't. */
export function punchHole(fd: number, offset: number, lengthBytes: number): void {
  fallocate ??= loadLibc().libc.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)')
  checked('fallocate', fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, lengthBytes))
}
