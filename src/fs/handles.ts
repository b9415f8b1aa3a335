import type { ListingInUse } from '../cache/metadata-cache.js'
import { FileReads, type HandleReads } from './file-reads.js'
import { FsError } from './fs-error.js'
import type { Node } from './node.js'
import type { OpenFlags } from './operations.js'

/** Threads of one handle that are remembered; of more, who opened it and the latest. */
const MAX_PIDS = 256

export class FileHandle {
  readonly kind = 'file'
  readonly node: Node
  readonly flags: OpenFlags
  readonly reads: HandleReads
  /** A program has asked for bytes. */
  hasRead = false
  /** The signal that was ending whoever closed it last, where that is no reason to store what was written. */
  killedBy: number | undefined
  readonly #pids = new Set<number>()

  constructor(node: Node, flags: OpenFlags) {
    this.node = node
    this.flags = flags
    node.reads ??= new FileReads()
    this.reads = node.reads.open()
  }

  /** Threads that opened, wrote or flushed: their processes may hold the file open still. */
  get pids(): readonly number[] {
    return [...this.#pids]
  }

  usedBy(pid: number): void {
    if (pid === 0 || this.#pids.has(pid)) return
    if (this.#pids.size >= MAX_PIDS) {
      // A shell has a file open for all the programs that it runs one after the other.
      const [, oldest] = this.#pids
      if (oldest !== undefined) this.#pids.delete(oldest)
    }
    this.#pids.add(pid)
  }
}

export class DirectoryHandle {
  readonly kind = 'directory'
  readonly node: Node
  /** What the pages of the listing bring; a new one whenever reading begins anew. */
  listed: ListingInUse | undefined
  /** What only this mount knows, once the listing has ended, and where they begin. */
  extras: { readonly from: number; readonly slots: readonly string[] } | undefined
  /** At which place of the listing each partial folder is told of (names.ts). */
  readonly partials = new Map<string, number>()
  hasBegun = false
  /** Up to which place of the listing attributes have been asked for. */
  askedTo = 0

  constructor(node: Node) {
    this.node = node
  }
}

/** Open files and folders by number. */
export class Handles {
  readonly #handles = new Map<number, FileHandle | DirectoryHandle>()
  #last = 0

  add(handle: FileHandle | DirectoryHandle): number {
    this.#last += 1
    this.#handles.set(this.#last, handle)
    return this.#last
  }

  file(id: number): FileHandle {
    const handle = this.#handles.get(id)
    if (handle?.kind !== 'file') throw new FsError('EBADF', `no open file ${id}`)
    return handle
  }

  directory(id: number): DirectoryHandle {
    const handle = this.#handles.get(id)
    if (handle?.kind !== 'directory') throw new FsError('EBADF', `no open folder ${id}`)
    return handle
  }

  remove(id: number): void {
    this.#handles.delete(id)
  }
}
