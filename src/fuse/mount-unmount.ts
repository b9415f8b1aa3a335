import { SystemCallError } from '../system/libc.js'
import { unmount } from '../system/mount.js'
import { fusermountUnmount } from './kernel/fusermount.js'
import { MountError } from './mount-error.js'

/**
 * Takes a mount out of the kernel's table: by umount2 as root, by fusermount3 otherwise. Rejects with a MountError of
 * kind `busy` when programs use it and `lazy` is not set.
 */
export async function unmountAt(mountPoint: string, options: { readonly lazy: boolean }): Promise<void> {
  try {
    await unmountAsPermitted(mountPoint, options)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EBUSY') {
      const message = `programs still use ${mountPoint} (fuser -vm shows them): end them, or use --lazy`
      throw new MountError('busy', message, { cause: error })
    }
    const reason = error instanceof Error ? error.message : String(error)
    throw new MountError('failed', `${mountPoint} can't be unmounted: ${reason}`, { cause: error })
  }
}

async function unmountAsPermitted(mountPoint: string, options: { readonly lazy: boolean }): Promise<void> {
  if (process.geteuid?.() === 0) {
    try {
      return await unmount(mountPoint, options)
    } catch (error) {
      // Root of a container or of a user namespace may not; the setuid program may.
      if (!(error instanceof SystemCallError && error.code === 'EPERM')) throw error
    }
  }
  return fusermountUnmount(mountPoint, options)
}
