import { FsError } from '../../../fs/fs-error.js'
import { readHandle, readOpen, readRead, readWrite } from '../../protocol/requests.js'
import type { Handler } from './handler.js'

export const open: Handler = async (request, message, { filesystem, replies }) => {
  const flags = readOpen(message)
  const reply = await filesystem.open(request.node, flags, request)
  if (!replies.open(request, reply, { noFlush: !flags.write })) await filesystem.release(reply.handle)
}

export const read: Handler = async (request, message, { filesystem, replies }) => {
  const { handle, offset, sizeBytes } = readRead(message)
  const reply = replies.read(request)
  await filesystem.read(handle, offset, sizeBytes, reply, request)
  if (!reply.sent) throw new FsError('EIO', 'a read ended without an answer')
}

export const write: Handler = async (request, message, { filesystem, replies, keep }) => {
  const { handle, offset, sizeBytes, options, dataAt } = readWrite(message)
  const lease = keep(dataAt, sizeBytes)
  try {
    replies.written(request, await filesystem.write(handle, offset, lease.data, options, request))
  } finally {
    lease.release()
  }
}

export const flush: Handler = async (request, message, { filesystem, replies }) => {
  await filesystem.flush(readHandle(message), request)
  replies.empty(request)
}

export const fsync: Handler = async (request, message, { filesystem, replies }) => {
  await filesystem.fsync(readHandle(message), request)
  replies.empty(request)
}

export const release: Handler = async (request, message, { filesystem, replies }) => {
  await filesystem.release(readHandle(message))
  replies.empty(request)
}
