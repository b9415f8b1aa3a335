import { FsError } from '../../../fs/fs-error.js'
import { readBatchForget, readForget, readGetattr, readSetattr } from '../../protocol/requests.js'
import type { Handler } from './handler.js'

/** PATH_MAX less its NUL: the kernel takes no longer target. */
const MAX_TARGET_BYTES = 4095

export const getattr: Handler = async (request, message, { filesystem, replies }) => {
  replies.attributes(request, await filesystem.getattr(request.node, readGetattr(message), request))
}

export const setattr: Handler = async (request, message, { filesystem, replies }) => {
  const { changes, handle } = readSetattr(message)
  replies.attributes(request, await filesystem.setattr(request.node, changes, handle, request))
}

export const readlink: Handler = async (request, _message, { filesystem, replies }) => {
  const target = await filesystem.readlink(request.node, request)
  if (target.length > MAX_TARGET_BYTES) throw new FsError('ENAMETOOLONG', `a link's target of ${target.length} bytes`)
  replies.bytes(request, target)
}

export const statfs: Handler = async (request, _message, { filesystem, replies }) => {
  replies.statistics(request, await filesystem.statfs())
}

/** Not answered. */
export const forget: Handler = async (request, message, { filesystem }) => {
  filesystem.forget(request.node, readForget(message))
}

/** Not answered. */
export const batchForget: Handler = async (_request, message, { filesystem }) => {
  readBatchForget(message, (node, lookups) => filesystem.forget(node, lookups))
}
