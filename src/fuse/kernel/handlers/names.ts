import { FsError } from '../../../fs/fs-error.js'
import type { Entry, Filesystem, NegativeEntry, OpenFlags } from '../../../fs/operations.js'
import { isFound } from '../../protocol/attributes.js'
import {
  type RenameRequest,
  readCreate,
  readMkdir,
  readMknod,
  readName,
  readRename,
  readRename2,
} from '../../protocol/requests.js'
import type { Replies } from '../replies.js'
import type { Request } from '../request.js'
import type { Handler, Serving } from './handler.js'

const S_IFMT = 0o170000
const S_IFREG = 0o100000

/** mknod(2) of a regular file is a file created and closed without a byte. */
const MAKE_EMPTY: OpenFlags = {
  read: false,
  write: true,
  append: false,
  truncate: false,
  exclusive: true,
  sync: false,
  killPrivileges: false,
}

export const lookup: Handler = async (request, message, { filesystem, replies }) => {
  const entry = await filesystem.lookup(request.node, readName(message), request)
  answerEntry(request, entry, filesystem, replies)
}

export const mkdir: Handler = async (request, message, { filesystem, replies }) => {
  const { mode, name } = readMkdir(message)
  answerEntry(request, await filesystem.mkdir(request.node, name, mode, request), filesystem, replies)
}

export const mknod: Handler = async (request, message, { filesystem, replies }) => {
  const { mode, name } = readMknod(message)
  if ((mode & S_IFMT) !== S_IFREG) throw new FsError('EPERM', 'a bucket holds no devices, sockets or pipes')
  const { entry, open } = await filesystem.create(request.node, name, mode & ~S_IFMT, MAKE_EMPTY, request)
  try {
    await filesystem.flush(open.handle, request)
  } catch (error) {
    filesystem.forget(entry.node, 1)
    throw error
  } finally {
    await filesystem.release(open.handle)
  }
  answerEntry(request, entry, filesystem, replies)
}

export const create: Handler = async (request, message, { filesystem, replies }) => {
  const { mode, name, flags } = readCreate(message)
  const { entry, open } = await filesystem.create(request.node, name, mode, flags, request)
  // Also a file that was opened for reading only is new, and owed to the store at its close.
  if (replies.create(request, entry, open, { noFlush: false })) return
  filesystem.forget(entry.node, 1)
  await filesystem.release(open.handle)
}

export const unlink: Handler = async (request, message, { filesystem, replies }) => {
  await filesystem.unlink(request.node, readName(message), request)
  replies.empty(request)
}

export const rmdir: Handler = async (request, message, { filesystem, replies }) => {
  await filesystem.rmdir(request.node, readName(message), request)
  replies.empty(request)
}

export const rename: Handler = async (request, message, serving) =>
  carryOutRename(request, readRename(message), serving)

export const rename2: Handler = async (request, message, serving) =>
  carryOutRename(request, readRename2(message), serving)

/** symlink(2) and link(2). */
export const refuseLink: Handler = () => Promise.reject(new FsError('EPERM', 'this filesystem does not make links'))

async function carryOutRename(
  request: Request,
  rename: RenameRequest,
  { filesystem, replies }: Serving,
): Promise<void> {
  const { name, newParent, newName, flags } = rename
  if (flags === undefined) throw new FsError('EINVAL', 'unknown flags of renameat2')
  await filesystem.rename(request.node, name, newParent, newName, flags, request)
  replies.empty(request)
}

/** An entry that the kernel did not take is one lookup that it will never give back. */
function answerEntry(request: Request, entry: Entry | NegativeEntry, filesystem: Filesystem, replies: Replies): void {
  if (!replies.entry(request, entry) && isFound(entry)) filesystem.forget(entry.node, 1)
}
