import { checked, loadLibc } from './libc.js'

const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_DONTWAIT = 0x40
const MSG_CMSG_CLOEXEC = 0x40000000

/** struct cmsghdr (16 bytes) and one int, padded to 8: CMSG_SPACE(sizeof(int)) on 64-bit Linux. */
const CONTROL_BYTES = 24
const CMSGHDR_BYTES = 16

/** A descriptor that waits in a unix socket (SCM_RIGHTS, unix(7)), closed on exec. Throws when there is none. */
export function receiveDescriptor(socket: number): number {
  const { koffi, libc } = loadLibc()
  const iovec = koffi.struct({ iov_base: 'void *', iov_len: 'size_t' })
  const msghdr = koffi.struct({
    msg_name: 'void *',
    msg_namelen: 'uint32',
    msg_iov: koffi.pointer(iovec),
    msg_iovlen: 'size_t',
    msg_control: 'void *',
    msg_controllen: 'size_t',
    msg_flags: 'int',
  })
  const recvmsg = libc.func('recvmsg', 'long', ['int', koffi.inout(koffi.pointer(msghdr)), 'int'])
  const data = Buffer.alloc(1)
  const control = Buffer.alloc(CONTROL_BYTES)
  const message = {
    msg_name: null,
    msg_namelen: 0,
    msg_iov: [{ iov_base: data, iov_len: data.length }],
    msg_iovlen: 1,
    msg_control: control,
    msg_controllen: control.length,
    msg_flags: 0,
  }
  checked('recvmsg', Number(recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)))
  const lengthBytes = control.readUInt32LE(0)
  if (
    lengthBytes < CMSGHDR_BYTES + 4 ||
    control.readInt32LE(8) !== SOL_SOCKET ||
    control.readInt32LE(12) !== SCM_RIGHTS
  )
    throw new Error('the message of fusermount3 holds no descriptor')
  return control.readInt32LE(CMSGHDR_BYTES)
}
