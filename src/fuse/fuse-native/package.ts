import { createRequire } from 'node:module'

/** What the package hands to `ops`: a negative errno, or 0 or a count; for some, a value behind it. */
export type Answer = (result: number, ...values: unknown[]) => void

/** The operations that are used, as the package calls them (it has no types). Paths begin with `/`. */
export interface Operations {
  statfs(path: string, answer: Answer): void
  getattr(path: string, answer: Answer): void
  readdir(path: string, answer: Answer): void
  truncate(path: string, sizeBytes: number, answer: Answer): void
  ftruncate(path: string, handle: number, sizeBytes: number, answer: Answer): void
  /** Milliseconds. */
  utimens(path: string, atimeMs: number, mtimeMs: number, answer: Answer): void
  chown(path: string, uid: number, gid: number, answer: Answer): void
  chmod(path: string, mode: number, answer: Answer): void
  mknod(path: string, mode: number, device: number, answer: Answer): void
  link(from: string, to: string, answer: Answer): void
  symlink(target: string, path: string, answer: Answer): void
  readlink(path: string, answer: Answer): void
  setxattr(path: string, name: string, value: Buffer, position: number, flags: number, answer: Answer): void
  /** As `createFuse` makes the package call it: the value goes into `room`, which is empty to ask for its size. */
  getxattr(path: string, name: string, room: Buffer, answer: Answer): void
  /** As `getxattr`, of all names, each with a NUL behind it. */
  listxattr(path: string, room: Buffer, answer: Answer): void
  removexattr(path: string, name: string, answer: Answer): void
  open(path: string, flags: number, answer: Answer): void
  create(path: string, mode: number, answer: Answer): void
  read(path: string, handle: number, buffer: Buffer, sizeBytes: number, offset: number, answer: Answer): void
  write(path: string, handle: number, buffer: Buffer, sizeBytes: number, offset: number, answer: Answer): void
  flush(path: string, handle: number, answer: Answer): void
  fsync(path: string, dataOnly: number, handle: number, answer: Answer): void
  release(path: string, handle: number, answer: Answer): void
  mkdir(path: string, mode: number, answer: Answer): void
  rmdir(path: string, answer: Answer): void
  unlink(path: string, answer: Answer): void
  rename(from: string, to: string, answer: Answer): void
}

/** The package's options that are used. */
export interface FuseOptions {
  /** False: a call may take as long as it takes. */
  readonly timeout: false
  /** Whatever follows a comma is passed to libfuse as further options. */
  readonly fsname: string
  readonly subtype: string
  readonly allowOther: boolean
  readonly allowRoot: boolean
  readonly defaultPermissions: boolean
}

export interface Fuse {
  /** The package's own two do not look at how much room there is: what is longer would be read from beyond it. */
  _op_getxattr(signal: XattrSignal, path: string, name: string, room: Buffer): void
  _op_listxattr(signal: XattrSignal, path: string, room: Buffer): void
  mount(done: (error?: Error | null) => void): void
  unmount(done: (error?: Error | null) => void): void
}

/** Ends a call about extended attributes; the memory that libfuse lent for it is given back with the result. */
type XattrSignal = (result: number, memory: ArrayBufferLike) => void

export interface FuseClass {
  new (mountPoint: string, operations: Operations, options: FuseOptions): Fuse
  /** What `unmount` of every mount begins with: by default a shell that runs `fusermount -uz`. */
  unmount(mountPoint: string, done: (error?: Error | null) => void): void
}

/** A mount of the package that tells `operations` how much room there is for extended attributes. */
export function createFuse(Fuse: FuseClass, mountPoint: string, operations: Operations, options: FuseOptions): Fuse {
  const fuse = new Fuse(mountPoint, operations, options)
  fuse._op_getxattr = (signal, path, name, room) =>
    operations.getxattr(path, name, room, result => signal(result, room.buffer))
  fuse._op_listxattr = (signal, path, room) => operations.listxattr(path, room, result => signal(result, room.buffer))
  return fuse
}

/** Loads the package, an optional dependency whose binaries are for x64 only. */
export function loadFuseNative(): FuseClass {
  try {
    return createRequire(import.meta.url)('fuse-native') as FuseClass
  } catch (error) {
    throw new Error(
      `the package fuse-native is not installed or has no binary for ${process.platform} ${process.arch}; use --transport kernel`,
      { cause: error },
    )
  }
}
