import type { ReadReply } from '../cache/lanes/read-reply.js'
import { FsError } from '../fs/fs-error.js'
import type { CallContext, Filesystem } from '../fs/operations.js'

/** Calls of the mount itself. */
type Ending = 'shutdown' | 'secure'

type Arguments<Name extends keyof Filesystem> = Parameters<Filesystem[Name]>

/**
 * Stands before a filesystem and closes when it shuts down: from then on no call reaches it, programs get EIO, and what
 * gives resources back goes nowhere. For a mount that is still in use when it ends.
 */
export class MountGate implements Filesystem {
  readonly #filesystem: Filesystem
  #behind: Omit<Filesystem, Ending>

  constructor(filesystem: Filesystem) {
    this.#filesystem = filesystem
    this.#behind = filesystem
  }

  shutdown(): ReturnType<Filesystem['shutdown']> {
    this.#behind = CLOSED
    return this.#filesystem.shutdown()
  }

  secure(): Promise<void> {
    return this.#filesystem.secure()
  }

  statfs(): ReturnType<Filesystem['statfs']> {
    return this.#behind.statfs()
  }

  lookup(...given: Arguments<'lookup'>): ReturnType<Filesystem['lookup']> {
    return this.#behind.lookup(...given)
  }

  forget(...given: Arguments<'forget'>): void {
    this.#behind.forget(...given)
  }

  getattr(...given: Arguments<'getattr'>): ReturnType<Filesystem['getattr']> {
    return this.#behind.getattr(...given)
  }

  setattr(...given: Arguments<'setattr'>): ReturnType<Filesystem['setattr']> {
    return this.#behind.setattr(...given)
  }

  mkdir(...given: Arguments<'mkdir'>): ReturnType<Filesystem['mkdir']> {
    return this.#behind.mkdir(...given)
  }

  mknod(...given: Arguments<'mknod'>): ReturnType<Filesystem['mknod']> {
    return this.#behind.mknod(...given)
  }

  symlink(...given: Arguments<'symlink'>): ReturnType<Filesystem['symlink']> {
    return this.#behind.symlink(...given)
  }

  readlink(...given: Arguments<'readlink'>): ReturnType<Filesystem['readlink']> {
    return this.#behind.readlink(...given)
  }

  getxattr(...given: Arguments<'getxattr'>): ReturnType<Filesystem['getxattr']> {
    return this.#behind.getxattr(...given)
  }

  setxattr(...given: Arguments<'setxattr'>): ReturnType<Filesystem['setxattr']> {
    return this.#behind.setxattr(...given)
  }

  removexattr(...given: Arguments<'removexattr'>): ReturnType<Filesystem['removexattr']> {
    return this.#behind.removexattr(...given)
  }

  listxattr(...given: Arguments<'listxattr'>): ReturnType<Filesystem['listxattr']> {
    return this.#behind.listxattr(...given)
  }

  allocate(...given: Arguments<'allocate'>): ReturnType<Filesystem['allocate']> {
    return this.#behind.allocate(...given)
  }

  seek(...given: Arguments<'seek'>): ReturnType<Filesystem['seek']> {
    return this.#behind.seek(...given)
  }

  copyFileRange(...given: Arguments<'copyFileRange'>): ReturnType<Filesystem['copyFileRange']> {
    return this.#behind.copyFileRange(...given)
  }

  unlink(...given: Arguments<'unlink'>): ReturnType<Filesystem['unlink']> {
    return this.#behind.unlink(...given)
  }

  rmdir(...given: Arguments<'rmdir'>): ReturnType<Filesystem['rmdir']> {
    return this.#behind.rmdir(...given)
  }

  rename(...given: Arguments<'rename'>): ReturnType<Filesystem['rename']> {
    return this.#behind.rename(...given)
  }

  open(...given: Arguments<'open'>): ReturnType<Filesystem['open']> {
    return this.#behind.open(...given)
  }

  create(...given: Arguments<'create'>): ReturnType<Filesystem['create']> {
    return this.#behind.create(...given)
  }

  /** Of these there are so many that a list of what is given would count. */
  read(handle: number, offset: number, sizeBytes: number, reply: ReadReply, context: CallContext): Promise<void> {
    return this.#behind.read(handle, offset, sizeBytes, reply, context)
  }

  write(...given: Arguments<'write'>): ReturnType<Filesystem['write']> {
    return this.#behind.write(...given)
  }

  flush(...given: Arguments<'flush'>): ReturnType<Filesystem['flush']> {
    return this.#behind.flush(...given)
  }

  fsync(...given: Arguments<'fsync'>): ReturnType<Filesystem['fsync']> {
    return this.#behind.fsync(...given)
  }

  release(...given: Arguments<'release'>): ReturnType<Filesystem['release']> {
    return this.#behind.release(...given)
  }

  opendir(...given: Arguments<'opendir'>): ReturnType<Filesystem['opendir']> {
    return this.#behind.opendir(...given)
  }

  readdir(...given: Arguments<'readdir'>): ReturnType<Filesystem['readdir']> {
    return this.#behind.readdir(...given)
  }

  releasedir(...given: Arguments<'releasedir'>): ReturnType<Filesystem['releasedir']> {
    return this.#behind.releasedir(...given)
  }
}

const CLOSED: Omit<Filesystem, Ending> = {
  statfs: refuse,
  lookup: refuse,
  forget: ignore,
  getattr: refuse,
  setattr: refuse,
  mkdir: refuse,
  mknod: refuse,
  symlink: refuse,
  readlink: refuse,
  getxattr: refuse,
  setxattr: refuse,
  removexattr: refuse,
  listxattr: refuse,
  allocate: refuse,
  seek: refuse,
  copyFileRange: refuse,
  unlink: refuse,
  rmdir: refuse,
  rename: refuse,
  open: refuse,
  create: refuse,
  read: refuse,
  write: refuse,
  flush: refuse,
  fsync: refuse,
  release: done,
  opendir: refuse,
  readdir: refuse,
  releasedir: done,
}

function ignore(): void {}

async function done(): Promise<void> {}

async function refuse(): Promise<never> {
  throw new FsError('EIO', 'the mount is being ended')
}
