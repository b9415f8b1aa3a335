import type { Log } from '../backend/log.js'
import type { AnsweringThreads } from '../cache/lanes/answering-threads.js'
import type { Filesystem, HolderProbe, KernelCache } from '../fs/operations.js'

/** How a mount looks from outside. */
export interface TransportOptions {
  /** Absolute path of an existing folder. */
  readonly mountPoint: string
  /** First column of /proc/mounts: the storage URL without secrets. */
  readonly source: string
  readonly readOnly: boolean
  readonly allowOther: boolean
  readonly allowRoot: boolean
  readonly defaultPermissions: boolean
  /** To whom what a caller makes belongs, where the transport is not told who calls. */
  readonly owner: { readonly uid: number; readonly gid: number }
  /** Options of mount(8) to pass on to the kernel: `nosuid`, `nodev`, `noatime`, ... */
  readonly mountOptions: readonly string[]
  /** How far the kernel may read ahead, where it lets this user say so. */
  readonly kernelReadAheadBytes: number
  /** May answer reads; what can't have them do so does it alone. */
  readonly threads?: AnsweringThreads | undefined
  readonly log: Log
}

/** Carries the kernel's requests to a filesystem and its answers back. */
export interface Transport {
  readonly kernelCache: KernelCache
  readonly holders: HolderProbe
  /** Mounts, and resolves once the kernel has been answered for the first time. */
  start(filesystem: Filesystem): Promise<void>
  /** Resolves when the mount is gone and every request has been answered, whoever unmounted it. */
  readonly ended: Promise<void>
  /** Unmounts; `EBUSY` (as `code` of the error) when the mount is in use and `lazy` is not set. */
  unmount(options: { readonly lazy: boolean }): Promise<void>
}
