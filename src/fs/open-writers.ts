import type { Log } from '../backend/log.js'
import { FileWriter } from './file-writer.js'
import { errnoOf } from './fs-error.js'
import type { FileHandle } from './handles.js'
import { type KilledWriters, signalName } from './killed-writers.js'
import type { Moving } from './moving.js'
import { leavable } from './mutex.js'
import { nameOfSlot } from './names.js'
import type { Node } from './node.js'
import { NodeTarget, type TargetRooms } from './node-target.js'
import type { CallContext, HolderProbe, KernelCache, Leaver } from './operations.js'
import { deleteUnanswered } from './removal.js'
import type { Tree } from './tree.js'
import type { Unanswered } from './unanswered.js'
import { keepingOf, revert } from './unstored.js'
import type { WriterServices } from './writer-services.js'

export interface OpenWritersOptions {
  readonly tree: Tree
  readonly services: WriterServices
  readonly holders: HolderProbe
  readonly killed: KilledWriters
  readonly kernelCache: KernelCache
  readonly moving: Moving
  readonly log: Log
}

const DONE = Promise.resolve()

/** The writers of files that are open for writing: who needs them, when they store what is dirty, and how they end. */
export class OpenWriters {
  readonly #tree: Tree
  readonly #services: WriterServices
  readonly #holders: HolderProbe
  readonly #killed: KilledWriters
  readonly #kernelCache: KernelCache
  readonly #rooms: TargetRooms
  readonly #log: Log
  /** How many handles of a node are open for writing: its writer ends with the last. */
  readonly #writeHandles = new Map<Node, number>()
  /** What is going again, since it is not known whether it came. */
  readonly #withdrawals = new Set<Promise<void>>()

  constructor(options: OpenWritersOptions) {
    this.#tree = options.tree
    this.#services = options.services
    this.#holders = options.holders
    this.#killed = options.killed
    this.#kernelCache = options.kernelCache
    this.#rooms = options
    this.#log = options.log
  }

  /** The node's writer lives until as many `letGo` as `hold`. */
  hold(node: Node): FileWriter {
    this.#writeHandles.set(node, (this.#writeHandles.get(node) ?? 0) + 1)
    return this.of(node)
  }

  /** How many hold the writer still. */
  letGo(node: Node): number {
    const left = (this.#writeHandles.get(node) ?? 1) - 1
    if (left > 0) this.#writeHandles.set(node, left)
    else this.#writeHandles.delete(node)
    return left
  }

  of(node: Node): FileWriter {
    node.hasHadWriter = true
    node.writer ??= new FileWriter(new NodeTarget(node, this.#rooms), node.version, this.#services)
    return node.writer
  }

  /** Nobody but the caller holds the node's writer. */
  isAlone(node: Node): boolean {
    return this.#writeHandles.get(node) === 1
  }

  /**
   * A descriptor was closed: stores what the file owes, unless another process still holds it for writing. A program
   * that is being killed stores nothing, and only marks the handle: a later close of it by a living one may.
   */
  flush(handle: FileHandle, context: CallContext): Promise<void> {
    const { node } = handle
    handle.killedBy = undefined
    if (!handle.flags.write || node.writer?.isDirty !== true) return DONE
    const held = context.pid !== 0 && this.#holders.isHeld(handle.pids, node.ino)
    if (held === false) return this.#settle(handle, context)
    return Promise.resolve(held).then(isHeld => (isHeld ? undefined : this.#settle(handle, context)))
  }

  /** Nobody else holds the file. */
  #settle(handle: FileHandle, context: CallContext): Promise<void> {
    const { node } = handle
    if (node.writer?.hasUnstoredContent === true) handle.killedBy = this.#killed.signalOf(handle, context)
    return handle.killedBy === undefined ? this.commit(node, context) : DONE
  }

  /** Resolves when everything written so far is stored. What is being stored goes on when the caller leaves. */
  commit(node: Node, leaver?: Leaver): Promise<void> {
    const { writer } = node
    if (writer === undefined) return DONE
    const committed = writer.commit()
    return leaver === undefined ? committed : leavable(committed, leaver)
  }

  /** Stores everything that is dirty; what can't be stored is kept. */
  async storeAll(): Promise<{ readonly stored: number; readonly kept: { path: string; keptAt: string }[] }> {
    const kept: { path: string; keptAt: string }[] = []
    let stored = 0
    const store = async (node: Node) => {
      const { writer } = node
      if (writer !== undefined && node.isUnlinked) {
        // Nobody reads on, and whoever mounts next must not take it for what was not stored.
        node.writer = undefined
        await writer.close(undefined)
      }
      if (writer?.isDirty !== true || node.isUnlinked) return
      const keptAt = await this.#end(node, writer, { isMountEnding: true })
      if (keptAt === undefined) stored += 1
      else kept.push({ path: node.path, keptAt })
    }
    await Promise.all([...this.#tree.inodes.all()].map(store))
    await Promise.all(this.#withdrawals)
    return { stored, kept }
  }

  /** Puts what is not stored onto the local disk, also while it is being stored. Never rejects. */
  async secureAll(): Promise<void> {
    const owing = [...this.#tree.inodes.all()].filter(
      ({ writer, isUnlinked }) => writer?.hasUnstoredContent && !isUnlinked,
    )
    await Promise.all(owing.map(({ writer }) => writer?.secure()))
  }

  /** A handle that was open for writing is gone. */
  async release(handle: FileHandle): Promise<void> {
    const { node, killedBy } = handle
    const left = this.letGo(node)
    const { writer } = node
    if (writer === undefined) return
    if (killedBy !== undefined && writer.hasUnstoredContent && !node.isUnlinked) {
      // One content is all that a file has: what is left to other handles is theirs to publish.
      if (left === 0) await this.#endKilled(node, writer, killedBy)
      return
    }
    if (left > 0) {
      // The other handles' commits publish it too; this one's error has nobody to hear it.
      await writer.commit().catch((error: unknown) => this.#log.warn('not stored yet', { path: node.path, error }))
      return
    }
    await this.endLast(node, writer)
  }

  /** Ends the writer that nobody holds any more. */
  async endLast(node: Node, writer: FileWriter): Promise<void> {
    await this.#end(node, writer)
  }

  /** The handle was to be there and is not: nothing of what it owes is stored or kept. */
  async abandon(node: Node): Promise<void> {
    const { writer } = node
    if (this.letGo(node) > 0 || writer === undefined) return
    node.writer = undefined
    this.#dropFromKernel(node)
    await writer.close(undefined)
    const { unanswered } = writer
    if (unanswered.isEmpty) return
    const withdrawal = this.#withdraw(node.path, unanswered).finally(() => this.#withdrawals.delete(withdrawal))
    this.#withdrawals.add(withdrawal)
  }

  /** What was perhaps stored of a handle that is not there goes again. Never rejects. */
  async #withdraw(path: string, unanswered: Unanswered): Promise<void> {
    try {
      await this.#rooms.moving.change(
        () => [path],
        () => deleteUnanswered(this.#tree, path, unanswered),
      )
      this.#tree.metadata.forget(path)
    } catch (error) {
      this.#log.warn('a file that could not be created may be in the bucket, and nobody has it', { path, error })
    }
  }

  /** The last writer was killed. The bucket and the mount show what was stored before; what it wrote is kept. */
  async #endKilled(node: Node, writer: FileWriter, signal: number): Promise<void> {
    const { path } = node
    const reason = `killed by ${signalName(signal)}`
    const keeping = await node.lock.run(async () => {
      // A commit that was under way may have stored it, and who has opened the file meanwhile goes on with it.
      if (!writer.hasUnstoredContent || this.#writeHandles.has(node)) return undefined
      const found = keepingOf(this.#tree, node, reason)
      node.writer = undefined
      this.#dropFromKernel(node)
      return found
    })
    if (keeping === undefined) {
      if (!this.#writeHandles.has(node)) await this.endLast(node, writer)
      return
    }
    try {
      const keptAt = await writer.close(writer.sizeBytes === 0 ? undefined : keeping)
      const message = 'a writer was killed, so the bucket keeps what it had'
      if (keptAt === undefined) this.#log.warn(`${message}; nothing had been written`, { path, reason })
      else this.#log.warn(`${message}; what was written is kept: mount-bucket recover`, { path, reason, keptAt })
    } catch (error) {
      this.#log.error('what a killed writer wrote could not be kept', { path, reason, error })
    }
  }

  /**
   * Stores what a writer owes and ends it; says where the bytes are kept if that failed. Who has opened the file for
   * writing meanwhile goes on with the writer and owes what is not stored.
   */
  async #end(node: Node, writer: FileWriter, { isMountEnding = false } = {}): Promise<string | undefined> {
    let failure = writer.failure
    // A failure that the program has heard of is not tried again.
    while (failure === undefined && writer.isDirty && !node.isUnlinked)
      await writer.commit().catch((error: unknown) => {
        failure = error
      })
    if (this.#writeHandles.has(node) && (failure === undefined || !isMountEnding)) return undefined
    const { path } = node
    try {
      const reason = failure === undefined ? 'closed' : `${errnoOf(failure)}: ${String(failure)}`
      const keeping = keepingOf(this.#tree, node, reason)
      if (node.writer === writer) {
        node.writer = undefined
        if (failure !== undefined && !node.isUnlinked) this.#dropFromKernel(node)
      }
      const keptAt = await writer.close(keeping)
      if (failure === undefined || node.isUnlinked) return undefined
      const message = 'a file was not stored'
      if (keptAt === undefined) this.#log.error(`${message}; nobody had written to it`, { path, error: failure })
      else this.#log.error(`${message}; its bytes are kept: mount-bucket recover`, { path, keptAt, error: failure })
      return keptAt ?? 'nowhere: only its attributes or its size had changed'
    } catch (error) {
      this.#log.error('a file was neither stored nor kept', { path, reason: failure, error })
      return 'nowhere: the state folder failed too'
    }
  }

  /** The kernel still holds bytes that the bucket will never have, and the node attributes. */
  #dropFromKernel(node: Node): void {
    revert(node)
    this.#kernelCache.invalidateNode(node.id)
    if (node.version !== undefined) return
    // What it was to replace is there still.
    this.#tree.metadata.forget(node.path)
    if (node.parent !== undefined)
      this.#kernelCache.invalidateEntry(node.parent.id, nameOfSlot(node.slot, node.parent.partial))
    this.#tree.inodes.detach(node)
  }
}
