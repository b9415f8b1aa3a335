import { checked, loadLibc, SystemCallError } from './libc.js'

/** Flags of mount(2), from include/uapi/linux/mount.h. */
export const MountFlag = {
  RDONLY: 1 << 0,
  NOSUID: 1 << 1,
  NODEV: 1 << 2,
  NOEXEC: 1 << 3,
  SYNCHRONOUS: 1 << 4,
  DIRSYNC: 1 << 7,
  NOSYMFOLLOW: 1 << 8,
  NOATIME: 1 << 10,
  NODIRATIME: 1 << 11,
  RELATIME: 1 << 21,
  STRICTATIME: 1 << 24,
  LAZYTIME: 1 << 25,
} as const

/** Flags of umount2(2). */
const MNT_FORCE = 1
const MNT_DETACH = 2
const UMOUNT_NOFOLLOW = 8

/** mount(2). Throws a SystemCallError. */
export function mount(source: string, target: string, type: string, flags: number, data: string): void {
  const { libc } = loadLibc()
  const call = libc.func('int mount(const char *, const char *, const char *, unsigned long, const char *)')
  checked('mount', call(source, target, type, flags, data))
}

/** umount2(2), in another thread than the one that calls. Rejects with a SystemCallError. */
export function unmount(target: string, options: { readonly lazy: boolean }): Promise<void> {
  const { koffi, libc } = loadLibc()
  const call = libc.func('int umount2(const char *, int)')
  return new Promise((resolve, reject) => {
    call.async(target, UMOUNT_NOFOLLOW | (options.lazy ? MNT_DETACH : 0), (error: unknown, result: number) => {
      // The errno of the other thread arrives with the result.
      if (error) reject(error)
      else if (result < 0) reject(new SystemCallError('umount2', koffi.errno()))
      else resolve()
    })
  })
}

/**
 * Cuts a FUSE mount off from its driver and detaches it, without a word to the filesystem: for a process that ends while
 * one of its own threads may wait for the mount. Throws a SystemCallError.
 */
export function forceUnmount(target: string): void {
  const call = loadLibc().libc.func('int umount2(const char *, int)')
  checked('umount2', call(target, UMOUNT_NOFOLLOW | MNT_FORCE | MNT_DETACH))
}
