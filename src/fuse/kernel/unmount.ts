import { SystemCallError } from '../../system/libc.js'
import { unmount } from '../../system/mount.js'
import { fusermountUnmount } from './fusermount.js'

/** Unmounts with whatever right this process has. The error has `code` EBUSY when the mount is in use (Linux). */
export async function unmountFuse(mountPoint: string, options: { readonly lazy: boolean }): Promise<void> {
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
