import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { SystemCallError } from '../../system/libc.js'
import { unmount } from '../../system/mount.js'
import { fusermountUnmount } from './fusermount.js'

/** Unmounts with whatever right this process has. On Linux the error has `code` EBUSY when the mount is in use. */
export async function unmountFuse(mountPoint: string, options: { readonly lazy: boolean }): Promise<void> {
  if (process.platform === 'darwin') {
    // The nearest to a lazy unmount that macOS has.
    await promisify(execFile)('umount', options.lazy ? ['-f', mountPoint] : [mountPoint])
    return
  }
  if (process.geteuid?.() === 0) {
    try {
      return await unmount(mountPoint, options)
    } catch (error) {
      // Root of a container or of a user namespace, without the right to unmount: the setuid program may.
      if (!(error instanceof SystemCallError && error.code === 'EPERM')) throw error
    }
  }
  return fusermountUnmount(mountPoint, options)
}
