import { FsError } from '../../../fs/fs-error.js'
import { Opcode } from '../../protocol/opcodes.js'
import {
  readCopyFileRange,
  readFallocate,
  readHandle,
  readLseek,
  readOpen,
  readRead,
  readWrite,
} from '../../protocol/requests.js'
import type { Handler } from './handler.js'

/** What the 32 bits of COPY_FILE_RANGE's answer can count, in whole pages. */
const MAX_COPY_BYTES = 0x7fff_f000

/**
 * FOPEN_DIRECT_IO is never asked for: a program that opens with O_DIRECT passes the page cache by without it, and with it
 * nobody could map the file.
 */

export const open: Handler = async (request, message, { filesystem, replies }) => {
  const flags = readOpen(message)
  const reply = await filesystem.open(request.node, flags, request)
  if (!replies.open(request, reply, { noFlush: !flags.write })) await filesystem.release(reply.handle)
}

/** Of all calls that move bytes it has the most: what it can do without a promise of its own it does so. */
export const read: Handler = (request, message, { filesystem, replies }) => {
  const { handle, offset, sizeBytes } = readRead(message)
  return filesystem.read(handle, offset, sizeBytes, replies.read(request), request)
}

export const write: Handler = async (request, message, { filesystem, replies, keep }) => {
  const { handle, offset, sizeBytes, options, dataAt } = readWrite(message)
  const lease = keep(dataAt, sizeBytes)
  try {
    const { data, hold } = lease
    replies.number(request, await filesystem.write(handle, offset, data, { ...options, hold }, request))
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

export const fallocate: Handler = async (request, message, { filesystem, replies }) => {
  const { handle, offset, sizeBytes, options } = readFallocate(message)
  if (options === undefined) throw new FsError('EOPNOTSUPP', 'unknown mode of fallocate')
  await filesystem.allocate(handle, offset, sizeBytes, options, request)
  replies.empty(request)
}

export const lseek: Handler = async (request, message, { filesystem, replies }) => {
  const { handle, offset, what } = readLseek(message)
  if (what === undefined) throw new FsError('EINVAL', 'unknown origin of lseek')
  replies.number(request, await filesystem.seek(handle, offset, what, request))
}

export const copyFileRange: Handler = async (request, message, { filesystem, replies }) => {
  const { from, fromOffset, to, toOffset, sizeBytes, flags } = readCopyFileRange(message)
  if (flags !== 0) throw new FsError('EINVAL', 'unknown flags of copy_file_range')
  const limitBytes = request.opcode === Opcode.COPY_FILE_RANGE ? MAX_COPY_BYTES : Number.MAX_SAFE_INTEGER
  const askedBytes = Math.min(sizeBytes, limitBytes)
  replies.number(request, await filesystem.copyFileRange(from, fromOffset, to, toOffset, askedBytes, request))
}
