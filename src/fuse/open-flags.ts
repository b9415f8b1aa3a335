import { constants } from 'node:fs'
import type { OpenFlags } from '../fs/operations.js'

/** The flags of open(2) in plain words; their numbers are this platform's. */
export function openFlags(flags: number, killPrivileges: boolean): OpenFlags {
  const access = flags & (constants.O_RDONLY | constants.O_WRONLY | constants.O_RDWR)
  return {
    read: access !== constants.O_WRONLY,
    write: access !== constants.O_RDONLY,
    append: (flags & constants.O_APPEND) !== 0,
    truncate: (flags & constants.O_TRUNC) !== 0,
    exclusive: (flags & constants.O_EXCL) !== 0,
    // O_SYNC holds the bit of O_DSYNC as well.
    sync: (flags & constants.O_DSYNC) !== 0,
    killPrivileges,
  }
}
