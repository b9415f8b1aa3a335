import { isUtf8 } from 'node:buffer'
import type { Log } from '../../backend/log.js'
import type { ReadReply } from '../../cache/lanes/read-reply.js'
import { errnoOf, FsError } from '../../fs/fs-error.js'
import type {
  CallContext,
  Entry,
  Filesystem,
  OpenFlags,
  SetAttributes,
  Timestamp,
  WriteOptions,
} from '../../fs/operations.js'
import { errnoNumber } from '../errno.js'
import { openFlags } from '../open-flags.js'
import { checkXattrName, joinXattrNames, xattrDemand } from '../xattrs.js'
import { AnonymousCall, type Owner } from './anonymous-call.js'
import { listAll, type NamedEntry } from './listing.js'
import { OpenFiles } from './open-files.js'
import type { Answer, Operations } from './package.js'
import type { PathNodes } from './path-nodes.js'
import { statFields, statfsFields } from './stat-fields.js'

const PERMISSIONS = 0o7777

/** chown(2) of one of the two leaves the other at -1. */
const UNCHANGED = 0xffff_ffff

/** Times before 1970 arrive as milliseconds of 64 bits without a sign. */
const NEGATIVE_MS = 2 ** 63

/** What bytes that are no UTF-8 arrive as: what they were can't be told. */
const REPLACEMENT = '\ufffd'

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
    if (Math.max(atimeMs, mtimeMs) >= NEGATIVE_MS) answer(-errnoNumber('EINVAL'))
    else this.#set('utimens', path, { atime: timestamp(atimeMs), mtime: timestamp(mtimeMs) }, answer)
  }

  chown(path: string, uid: number, gid: number, answer: Answer): void {
    const given = (id: number): number | undefined => (id === UNCHANGED ? undefined : id)
    this.#set('chown', path, { uid: given(uid), gid: given(gid) }, answer)
  }

  chmod(path: string, mode: number, answer: Answer): void {
    this.#set('chmod', path, { mode: mode & PERMISSIONS }, answer)
  }

  mknod(path: string, mode: number, device: number, answer: Answer): void {
    this.#plain('mknod', answer, call =>
      this.#make(path, call, (parent, name) => this.#filesystem.mknod(parent, name, mode, device, call)),
    )
  }

  link(_from: string, _to: string, answer: Answer): void {
    answer(-errnoNumber('EPERM'))
  }

  symlink(target: string, path: string, answer: Answer): void {
    this.#plain('symlink', answer, call =>
      this.#make(path, call, (parent, name) => this.#filesystem.symlink(parent, name, bytesOf(target), call)),
    )
  }

  readlink(path: string, answer: Answer): void {
    this.#value('readlink', answer, call =>
      this.#nodes.at(path, call, async ({ node }) => textOf(await this.#filesystem.readlink(node, call))),
    )
  }

  setxattr(path: string, name: string, value: Buffer, _position: number, flags: number, answer: Answer): void {
    this.#plain('setxattr', answer, async call => {
      const nameBytes = xattrName(name)
      const demand = xattrDemand(flags)
      await this.#nodes.at(path, call, ({ node }) => this.#filesystem.setxattr(node, nameBytes, value, demand, call))
    })
  }

  getxattr(path: string, name: string, room: Buffer, answer: Answer): void {
    this.#count('getxattr', answer, async call => {
      const nameBytes = xattrName(name)
      return fill(
        room,
        await this.#nodes.at(path, call, ({ node }) => this.#filesystem.getxattr(node, nameBytes, call)),
      )
    })
  }

  listxattr(path: string, room: Buffer, answer: Answer): void {
    this.#count('listxattr', answer, async call => {
      const names = await this.#nodes.at(path, call, ({ node }) => this.#filesystem.listxattr(node, call))
      return fill(room, joinXattrNames(names))
    })
  }

  removexattr(path: string, name: string, answer: Answer): void {
    this.#plain('removexattr', answer, async call => {
      const nameBytes = xattrName(name)
      await this.#nodes.at(path, call, ({ node }) => this.#filesystem.removexattr(node, nameBytes, call))
    })
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
      this.#make(path, call, (parent, name) => this.#filesystem.mkdir(parent, name, mode & PERMISSIONS, call)),
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
        this.#newName(to, call, (newParent, newName) =>
          this.#filesystem.rename(parent, name, newParent, newName, flags, call),
        ),
      )
      this.#nodes.dropTree(from)
      this.#nodes.dropTree(to)
    })
  }

  /** As `parentOf`, for a name that is to be: it must be what the program gave. */
  async #newName<T>(
    path: string,
    call: CallContext,
    use: (parent: number, name: Uint8Array) => Promise<T>,
  ): Promise<T> {
    if (path.includes(REPLACEMENT)) throw new FsError('EILSEQ', 'no UTF-8')
    return this.#nodes.parentOf(path, call, use)
  }

  /** Makes what is not opened. */
  #make(path: string, call: CallContext, make: (parent: number, name: Uint8Array) => Promise<Entry>): Promise<void> {
    return this.#newName(path, call, async (parent, name) => {
      const { node, entryTtlMs } = await make(parent, name)
      this.#nodes.take(path, node, entryTtlMs).release()
    })
  }

  /** The number of the new open file. */
  #create(path: string, mode: number, flags: OpenFlags, call: CallContext): Promise<number> {
    return this.#newName(path, call, async (parent, name) => {
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

/** Answers with `data` in `room`; no room at all is the question how much is needed. */
function fill(room: Buffer, data: Uint8Array): number {
  if (room.length === 0) return data.length
  if (data.length > room.length) throw new FsError('ERANGE', `${data.length} bytes, room for ${room.length}`)
  room.set(data)
  return data.length
}

function xattrName(text: string): Uint8Array {
  const name = bytesOf(text)
  checkXattrName(name)
  return name
}

function bytesOf(text: string): Uint8Array {
  if (text.includes(REPLACEMENT)) throw new FsError('EILSEQ', 'no UTF-8')
  return Buffer.from(text)
}

function textOf(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new FsError('EILSEQ', 'no UTF-8')
  return Buffer.from(bytes).toString()
}

function timestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000)
  return { seconds, nanoseconds: Math.round((ms - seconds * 1000) * 1e6) }
}
