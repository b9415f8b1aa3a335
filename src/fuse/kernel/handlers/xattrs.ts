import { FsError } from '../../../fs/fs-error.js'
import { isOfUser, readGetxattr, readListxattr, readRemovexattr, readSetxattr } from '../../protocol/xattr-requests.js'
import { checkXattrName, joinXattrNames, xattrDemand } from '../../xattrs.js'
import type { Replies } from '../replies.js'
import type { Request } from '../request.js'
import type { Handler } from './handler.js'

export const getxattr: Handler = async (request, message, { filesystem, replies }) => {
  // The kernel asks for one of `security.` before the first write to a file: that must cost next to nothing.
  if (!isOfUser(message)) {
    replies.error(request.unique, 'EOPNOTSUPP')
    return
  }
  const { name, roomBytes } = readGetxattr(message)
  checkXattrName(name)
  answer(request, await filesystem.getxattr(request.node, name, request), roomBytes, replies)
}

export const listxattr: Handler = async (request, message, { filesystem, replies }) => {
  const roomBytes = readListxattr(message)
  answer(request, joinXattrNames(await filesystem.listxattr(request.node, request)), roomBytes, replies)
}

export const setxattr: Handler = async (request, message, { filesystem, replies }) => {
  const { name, value, flags } = readSetxattr(message)
  checkXattrName(name)
  await filesystem.setxattr(request.node, name, value, xattrDemand(flags), request)
  replies.empty(request)
}

export const removexattr: Handler = async (request, message, { filesystem, replies }) => {
  const name = readRemovexattr(message)
  checkXattrName(name)
  await filesystem.removexattr(request.node, name, request)
  replies.empty(request)
}

/** No room at all is the question how much is needed. */
function answer(request: Request, data: Uint8Array, roomBytes: number, replies: Replies): void {
  if (roomBytes === 0) replies.number(request, data.length)
  else if (data.length > roomBytes) throw new FsError('ERANGE', `${data.length} bytes, room for ${roomBytes}`)
  else replies.bytes(request, data)
}
