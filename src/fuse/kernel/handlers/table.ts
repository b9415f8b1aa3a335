import { Opcode } from '../../protocol/opcodes.js'
import * as directories from './directories.js'
import * as files from './files.js'
import type { Handler } from './handler.js'
import * as names from './names.js'
import * as nodes from './nodes.js'
import * as xattrs from './xattrs.js'

/**
 * Who carries out what, by opcode. INIT, DESTROY and INTERRUPT are the dispatcher's own. What is not listed is answered with
 * ENOSYS, whereupon the kernel does without and, for most, never asks again: ACCESS (default_permissions checks), FSYNCDIR
 * (names are stored when their call returns), STATX (GETATTR tells as much), TMPFILE, IOCTL, POLL.
 */
const TABLE: readonly (readonly [number, Handler])[] = [
  [Opcode.LOOKUP, names.lookup],
  [Opcode.FORGET, nodes.forget],
  [Opcode.BATCH_FORGET, nodes.batchForget],
  [Opcode.GETATTR, nodes.getattr],
  [Opcode.SETATTR, nodes.setattr],
  [Opcode.READLINK, nodes.readlink],
  [Opcode.STATFS, nodes.statfs],
  [Opcode.MKNOD, names.mknod],
  [Opcode.MKDIR, names.mkdir],
  [Opcode.UNLINK, names.unlink],
  [Opcode.RMDIR, names.rmdir],
  [Opcode.RENAME, names.rename],
  [Opcode.RENAME2, names.rename2],
  [Opcode.LINK, names.refuseLink],
  [Opcode.SYMLINK, names.symlink],
  [Opcode.CREATE, names.create],
  [Opcode.OPEN, files.open],
  [Opcode.READ, files.read],
  [Opcode.WRITE, files.write],
  [Opcode.FLUSH, files.flush],
  [Opcode.FSYNC, files.fsync],
  [Opcode.RELEASE, files.release],
  [Opcode.FALLOCATE, files.fallocate],
  [Opcode.LSEEK, files.lseek],
  [Opcode.COPY_FILE_RANGE, files.copyFileRange],
  [Opcode.COPY_FILE_RANGE_64, files.copyFileRange],
  [Opcode.GETXATTR, xattrs.getxattr],
  [Opcode.SETXATTR, xattrs.setxattr],
  [Opcode.REMOVEXATTR, xattrs.removexattr],
  [Opcode.LISTXATTR, xattrs.listxattr],
  [Opcode.OPENDIR, directories.opendir],
  [Opcode.READDIR, directories.readdir],
  [Opcode.READDIRPLUS, directories.readdirplus],
  [Opcode.RELEASEDIR, directories.releasedir],
]

export const HANDLERS: ReadonlyMap<number, Handler> = new Map(TABLE)
