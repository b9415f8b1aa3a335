import { checked, loadLibc } from './libc.js'

const AF_UNIX = 1
/** Linux's numbers; macOS has no use for this. */
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_NOSIGNAL = 0x4000
const MSG_DONTWAIT = 0x40

/** sun_path of sockaddr_un (unix(7)). */
const MAX_PATH_BYTES = 108

/**
 * Sends one datagram to a unix socket, without waiting; a path with `@` in front names an abstract socket. Throws a
 * SystemCallError, and a RangeError for a path that no socket can have.
 */
export function sendUnixDatagram(path: string, data: Uint8Array): void {
  const { libc } = loadLibc()
  const socket = libc.func('int socket(int, int, int)')
  const sendto = libc.func('long sendto(int, const void *, size_t, int, const void *, unsigned int)')
  const close = libc.func('int close(int)')
  const address = unixAddress(path)
  const descriptor = checked('socket', socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))
  try {
    const flags = MSG_NOSIGNAL | MSG_DONTWAIT
    checked('sendto', Number(sendto(descriptor, data, data.length, flags, address, address.length)))
  } finally {
    close(descriptor)
  }
}

/** struct sockaddr_un: the family, then the path; abstract names begin with NUL and have no end mark. */
function unixAddress(path: string): Uint8Array {
  const isAbstract = path.startsWith('@')
  const name = Buffer.from(isAbstract ? `\0${path.slice(1)}` : `${path}\0`)
  if (name.length > MAX_PATH_BYTES) throw new RangeError(`a socket's path of ${name.length} bytes is too long`)
  const family = Buffer.from(new Uint16Array([AF_UNIX]).buffer)
  return Buffer.concat([family, name])
}
