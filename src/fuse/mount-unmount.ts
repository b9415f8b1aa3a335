import { unmountFuse } from './kernel/unmount.js'
import { MountError } from './mount-error.js'

/**
 * Takes a mount out of the kernel's table. Rejects with a MountError of
 * kind `busy` when programs use it and `lazy` is not set.
 */
export async function unmountAt(mountPoint: string, options: { readonly lazy: boolean }): Promise<void> {
  try {
    await unmountFuse(mountPoint, options)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EBUSY') {
      const message = `programs still use ${mountPoint} (fuser -vm shows them): end them, or use --lazy`
      throw new MountError('busy', message, { cause: error })
    }
    const reason = error instanceof Error ? error.message : String(error)
    throw new MountError('failed', `${mountPoint} can't be unmounted: ${reason}`, { cause: error })
  }
}
