import { closeSync, constants, openSync } from 'node:fs'
import { SystemCallError } from '../../system/libc.js'
import { mount } from '../../system/mount.js'
import type { TransportOptions } from '../transport.js'
import { fusermount } from './fusermount.js'
import { systemMountOptions } from './mount-options.js'

const DEVICE = '/dev/fuse'

/** The second half of the type in the mount table: `fuse.mount-bucket`. */
const SUBTYPE = 'mount-bucket'

/**
 * Mounts at `mountPoint` (without symbolic links) and gives the descriptor of /dev/fuse, open without blocking. Root
 * mounts by mount(2); where that is not permitted, and for others, the setuid program fusermount3 does.
 */
export async function mountFuse(options: TransportOptions, mountPoint: string): Promise<number> {
  if (process.geteuid?.() === 0) {
    try {
      return mountBySystemCall(options, mountPoint)
    } catch (error) {
      // Root of a container or of a user namespace, without the right to mount.
      if (!(error instanceof SystemCallError && error.code === 'EPERM')) throw error
    }
  }
  return fusermount(options, mountPoint, SUBTYPE)
}

function mountBySystemCall(options: TransportOptions, mountPoint: string): number {
  const descriptor = openSync(DEVICE, constants.O_RDWR | constants.O_NONBLOCK)
  try {
    const uid = process.getuid?.() ?? 0
    const gid = process.getgid?.() ?? 0
    const { flags, data } = systemMountOptions(options, descriptor, uid, gid)
    mount(options.source, mountPoint, `fuse.${SUBTYPE}`, flags, data)
    return descriptor
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}
