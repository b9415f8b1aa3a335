import { FsError } from '../../../fs/fs-error.js'
import type { Entry, Filesystem, NegativeEntry } from '../../../fs/operations.js'
import { isFound } from '../../protocol/attributes.js'
import {
  type RenameRequest,
  readCreate,
  readMkdir,
  readMknod,
  readName,
  readRename,
  readRename2,
  readSymlink,
} from '../../protocol/requests.js'
import type { Replies } from '../replies.js'
import type { Request } from '../request.js'
import type { Handler, Serving } from './handler.js'

export const lookup: Handler = async (request, message, { filesystem, replies }) => {
  const entry = await filesystem.lookup(request.node, readName(message), request)
  answerEntry(request, entry, filesystem, replies)
}

export const mkdir: Handler = async (request, message, { filesystem, replies }) => {
  const { mode, name } = readMkdir(message)
  answerEntry(request, await filesystem.mkdir(request.node, name, mode, request), filesystem, replies)
}

export const mknod: Handler = async (request, message, { filesystem, replies }) => {
  const { mode, rdev, name } = readMknod(message)
  answerEntry(request, await filesystem.mknod(request.node, name, mode, rdev, request), filesystem, replies)
}

export const symlink: Handler = async (request, message, { filesystem, replies }) => {
  const { name, target } = readSymlink(message)
  answerEntry(request, await filesystem.symlink(request.node, name, target, request), filesystem, replies)
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

/** A bucket has one name for each object. */
export const refuseLink: Handler = () => Promise.reject(new FsError('EPERM', 'this filesystem has no hard links'))

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
