import type { Log } from '../../backend/log.js'
import type { ReadReply } from '../../cache/lanes/read-reply.js'
import { errnoOf, FsError } from '../../fs/fs-error.js'
import type { CallContext, Filesystem, OpenFlags, SetAttributes, Timestamp, WriteOptions } from '../../fs/operations.js'
import { errnoNumber } from '../errno.js'
import { openFlags } from '../open-flags.js'
import { AnonymousCall, type Owner } from './anonymous-call.js'
import { listAll, type NamedEntry } from './listing.js'
import { OpenFiles } from './open-files.js'
import type { Answer, Operations } from './package.js'
import type { PathNodes } from './path-nodes.js'
import { statFields, statfsFields } from './stat-fields.js'

const PERMISSIONS = 0o7777
const S_IFMT = 0o170000
const S_IFREG = 0o100000

/** chown(2) of one of the two leaves the other at -1. */
const UNCHANGED = 0xffff_ffff

/** libfuse 2 does not tell the flags of a create. */
const CREATE: OpenFlags = {
  read: true,
  write: true,
  append: false,
  truncate: false,
  exclusive: false,
  sync: false,
  killPrivileges: false,
}

const WRITE: WriteOptions = { fromPageCache: false, killPrivileges: false }

/** The package's operations on paths, carried out by a filesystem of nodes. */
export class PathOperations implements Operations {
  readonly #filesystem: Filesystem
  readonly #nodes: PathNodes
  readonly #owner: Owner
  readonly #log: Log
  readonly #files = new OpenFiles()

  constructor(filesystem: Filesystem, nodes: PathNodes, { owner, log }: { readonly owner: Owner; readonly log: Log }) {
    this.#filesystem = filesystem
    this.#nodes = nodes
    this.#owner = owner
    this.#log = log
  }

  statfs(_path: string, answer: Answer): void {
    this.#value('statfs', answer, async () => statfsFields(await this.#filesystem.statfs()))
  }

  getattr(path: string, answer: Answer): void {
    this.#value('getattr', answer, async call => {
      const { attributes } = await this.#nodes.at(path, call, ({ node }) =>
        this.#filesystem.getattr(node, undefined, call),
      )
      return statFields(attributes)
    })
  }

  readdir(path: string, answer: Answer): void {
    this.#run('readdir', answer, async call => {
      const entries = await this.#nodes.at(path, call, ({ node }) => this.#list(node, call))
      answer(
        0,
        entries.map(entry => entry.name),
        entries.map(entry => ({ mode: entry.mode, ino: entry.ino, atime: 0, mtime: 0, ctime: 0 })),
      )
    })
  }

  truncate(path: string, sizeBytes: number, answer: Answer): void {
    this.#set('truncate', path, { sizeBytes }, answer)
  }

  ftruncate(_path: string, number: number, sizeBytes: number, answer: Answer): void {
    this.#plain('ftruncate', answer, async call => {
      const { handle, held } = this.#files.get(number)
      await this.#filesystem.setattr(held.node, { sizeBytes }, handle, call)
    })
  }

  utimens(path: string, atimeMs: number, mtimeMs: number, answer: Answer): void {
    this.#set('utimens', path, { atime: timestamp(atimeMs), mtime: timestamp(mtimeMs) }, answer)
  }

  chown(path: string, uid: number, gid: number, answer: Answer): void {
    const given = (id: number): number | undefined => (id === UNCHANGED ? undefined : id)
    this.#set('chown', path, { uid: given(uid), gid: given(gid) }, answer)
  }

  chmod(path: string, mode: number, answer: Answer): void {
    this.#set('chmod', path, { mode: mode & PERMISSIONS }, answer)
  }

  mknod(path: string, mode: number, _device: number, answer: Answer): void {
    this.#plain('mknod', answer, async call => {
      if ((mode & S_IFMT) !== S_IFREG) throw new FsError('EPERM', 'a bucket holds no devices, sockets or pipes')
      const number = await this.#create(path, mode, { ...CREATE, exclusive: true }, call)
      try {
        await this.#filesystem.flush(this.#files.get(number).handle, call)
      } finally {
        await this.#filesystem.release(this.#files.remove(number))
      }
    })
  }

  link(_from: string, _to: string, answer: Answer): void {
    answer(-errnoNumber('EPERM'))
  }

  symlink(_target: string, _path: string, answer: Answer): void {
    answer(-errnoNumber('EPERM'))
  }

  open(path: string, flags: number, answer: Answer): void {
    this.#value('open', answer, call =>
      this.#nodes.at(path, call, async held => {
        const { handle } = await this.#filesystem.open(held.node, openFlags(flags, false), call)
        return this.#files.add(handle, held.keep())
      }),
    )
  }

  create(path: string, mode: number, answer: Answer): void {
    this.#value('create', answer, call => this.#create(path, mode, CREATE, call))
  }

  read(_path: string, number: number, buffer: Buffer, sizeBytes: number, offset: number, answer: Answer): void {
    this.#count('read', answer, async call => {
      const reply = new CopyingReply(buffer)
      await this.#filesystem.read(this.#files.get(number).handle, offset, sizeBytes, reply, call)
      return reply.copiedBytes
    })
  }

  write(_path: string, number: number, buffer: Buffer, sizeBytes: number, offset: number, answer: Answer): void {
    this.#count('write', answer, call => {
      const { handle } = this.#files.get(number)
      return this.#filesystem.write(handle, offset, buffer.subarray(0, sizeBytes), WRITE, call)
    })
  }

  flush(_path: string, number: number, answer: Answer): void {
    this.#plain('flush', answer, call => this.#filesystem.flush(this.#files.get(number).handle, call))
  }

  fsync(_path: string, _dataOnly: number, number: number, answer: Answer): void {
    this.#plain('fsync', answer, call => this.#filesystem.fsync(this.#files.get(number).handle, call))
  }

  release(_path: string, number: number, answer: Answer): void {
    this.#plain('release', answer, () => this.#filesystem.release(this.#files.remove(number)))
  }

  mkdir(path: string, mode: number, answer: Answer): void {
    this.#plain('mkdir', answer, call =>
      this.#nodes.parentOf(path, call, async (parent, name) => {
        const { node, entryTtlMs } = await this.#filesystem.mkdir(parent, name, mode & PERMISSIONS, call)
        this.#nodes.take(path, node, entryTtlMs).release()
      }),
    )
  }

  rmdir(path: string, answer: Answer): void {
    this.#plain('rmdir', answer, async call => {
      await this.#nodes.parentOf(path, call, (parent, name) => this.#filesystem.rmdir(parent, name, call))
      this.#nodes.dropTree(path)
    })
  }

  unlink(path: string, answer: Answer): void {
    this.#plain('unlink', answer, async call => {
      await this.#nodes.parentOf(path, call, (parent, name) => this.#filesystem.unlink(parent, name, call))
      this.#nodes.drop(path)
    })
  }

  rename(from: string, to: string, answer: Answer): void {
    const flags = { noReplace: false, exchange: false }
    this.#plain('rename', answer, async call => {
      await this.#nodes.parentOf(from, call, (parent, name) =>
        this.#nodes.parentOf(to, call, (newParent, newName) =>
          this.#filesystem.rename(parent, name, newParent, newName, flags, call),
        ),
      )
      this.#nodes.dropTree(from)
      this.#nodes.dropTree(to)
    })
  }

  /** The number of the new open file. */
  #create(path: string, mode: number, flags: OpenFlags, call: CallContext): Promise<number> {
    return this.#nodes.parentOf(path, call, async (parent, name) => {
      const { entry, open } = await this.#filesystem.create(parent, name, mode & PERMISSIONS, flags, call)
      return this.#files.add(open.handle, this.#nodes.take(path, entry.node, entry.entryTtlMs))
    })
  }

  async #list(node: number, call: CallContext): Promise<readonly NamedEntry[]> {
    const { handle } = await this.#filesystem.opendir(node, call)
    try {
      return await listAll(this.#filesystem, handle, call)
    } finally {
      await this.#filesystem.releasedir(handle)
    }
  }

  #set(operation: string, path: string, changes: SetAttributes, answer: Answer): void {
    this.#plain(operation, answer, async call => {
      await this.#nodes.at(path, call, ({ node }) => this.#filesystem.setattr(node, changes, undefined, call))
    })
  }

  #plain(operation: string, answer: Answer, work: (call: CallContext) => Promise<void>): void {
    this.#run(operation, answer, async call => {
      await work(call)
      answer(0)
    })
  }

  /** Answers with what `work` gives as the value behind the result. */
  #value(operation: string, answer: Answer, work: (call: CallContext) => Promise<unknown>): void {
    this.#run(operation, answer, async call => answer(0, await work(call)))
  }

  /** Answers with a number of bytes, which stands in the place of the result. */
  #count(operation: string, answer: Answer, work: (call: CallContext) => Promise<number>): void {
    this.#run(operation, answer, async call => answer(await work(call)))
  }

  /** Carries out one call; a failure is answered with its errno. */
  #run(operation: string, answer: Answer, work: (call: CallContext) => Promise<void>): void {
    void this.#settle(operation, answer, work)
  }

  async #settle(operation: string, answer: Answer, work: (call: CallContext) => Promise<void>): Promise<void> {
    try {
      await work(new AnonymousCall(this.#owner))
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === 'EIO') this.#log.error('a call failed', { operation, error })
      answer(-errnoNumber(errno))
    }
  }
}

/** Copies an answer into libfuse's buffer, which is at least as large as what was asked for. */
class CopyingReply implements ReadReply {
  readonly #buffer: Buffer
  #copiedBytes = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  get copiedBytes(): number {
    return this.#copiedBytes
  }

  send(views: readonly Uint8Array[], release: () => void): void {
    for (const view of views) {
      this.#buffer.set(view, this.#copiedBytes)
      this.#copiedBytes += view.length
    }
    release()
  }
}

function timestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000)
  return { seconds, nanoseconds: Math.round((ms - seconds * 1000) * 1e6) }
}
