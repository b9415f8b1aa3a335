import { checked, loadLibc } from './libc.js'

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const F_DUPFD_CLOEXEC = 1030

/** Two connected unix sockets that no child inherits by itself (Linux). */
export function socketPair(): readonly [number, number] {
  const call = loadLibc().libc.func('int socketpair(int, int, int, _Out_ int *)')
  const pair: [number, number] = [-1, -1]
  checked('socketpair', call(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
  return pair
}

/** Another descriptor of the same open file, closed on exec (Linux). */
export function duplicate(descriptor: number): number {
  const call = loadLibc().libc.func('int fcntl(int, int, ...)')
  return checked('fcntl', call(descriptor, F_DUPFD_CLOEXEC, 'int', 0))
}
