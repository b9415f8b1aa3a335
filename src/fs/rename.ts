import type { ObjectTraits, ObjectVersion } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import type { Directories } from './directories.js'
import type { FolderRenames, RenameCall } from './folder-renames.js'
import { FsError } from './fs-error.js'
import type { KeptOpen } from './kept-open.js'
import type { Loans } from './loans.js'
import type { Moving } from './moving.js'
import { leaverOf } from './mutex.js'
import { SELF_SLOT } from './names.js'
import type { Node } from './node.js'
import type { Leaver, RenameFlags } from './operations.js'
import { deleteUnanswered, deleteVersion } from './removal.js'
import type { Tree } from './tree.js'

export interface NamesOptions {
  readonly tree: Tree
  readonly directories: Directories
  readonly moving: Moving
  readonly loans: Loans
  readonly folders: FolderRenames
  readonly kept: KeptOpen
}

/** One file's way to another name. */
interface FileRename {
  readonly node: Node
  readonly newParent: Node
  readonly newSlot: string
  /** The file that stands at the new name. */
  readonly target: Node | undefined
  readonly noReplace: boolean
}

/** Removing and moving names. */
export class Names {
  readonly #tree: Tree
  readonly #directories: Directories
  readonly #moving: Moving
  readonly #loans: Loans
  readonly #folders: FolderRenames
  readonly #kept: KeptOpen

  constructor(options: NamesOptions) {
    this.#tree = options.tree
    this.#directories = options.directories
    this.#moving = options.moving
    this.#loans = options.loans
    this.#folders = options.folders
    this.#kept = options.kept
  }

  /** The stored object goes at once; who holds the file open keeps it, and nothing of it is stored any more. */
  async unlink(parent: Node, slot: string, leaver: Leaver): Promise<void> {
    const remove = async (node: Node | undefined, kept: Node[]) => {
      if (node === undefined) throw new FsError('ENOENT', parent.pathOf(slot))
      if (node.isDirectory) throw new FsError('EISDIR', node.path)
      await this.#loans.whileChanging(node.path, undefined, () => this.#alone([node], () => this.#unlink(node, kept)))
      this.#directories.remember(parent)
      this.#tree.touchDirectory(parent)
    }
    await this.#change(
      () => [parent.pathOf(slot)],
      leaver,
      kept => this.#tree.with(parent, slot, node => remove(node, kept)),
    )
  }

  async #unlink(node: Node, kept: Node[]): Promise<void> {
    if (node.isUnlinked) throw new FsError('ENOENT', node.path)
    if (await this.#kept.keep(node)) kept.push(node)
    const isGone = await this.#deleteObject(node)
    // At once with the name, or a lookup would find what it has asked for before.
    if (isGone) this.#tree.metadata.removed(node.path)
    else this.#tree.metadata.forget(node.path)
    this.#gone(node)
  }

  /** As rename(2); `FolderRenames` moves folders. */
  rename(
    parent: Node,
    slot: string,
    newParent: Node,
    newSlot: string,
    flags: RenameFlags,
    call: RenameCall,
  ): Promise<void> {
    return this.#tree.with(parent, slot, async node => {
      if (node === undefined) throw new FsError('ENOENT', parent.pathOf(slot))
      this.#tree.newKey(newParent, newSlot)
      return this.#tree.with(newParent, newSlot, target =>
        this.#rename({ node, newParent, newSlot, target, noReplace: flags.noReplace }, flags, call),
      )
    })
  }

  async #rename(rename: FileRename, flags: RenameFlags, call: RenameCall): Promise<void> {
    const { node, newParent, newSlot, target } = rename
    const to = newParent.pathOf(newSlot)
    if (newParent.isDetached) throw new FsError('ENOENT', newParent.path)
    if (flags.exchange) return this.#exchange(node, target, to, call)
    if (target === node) return
    if (target !== undefined && flags.noReplace) throw new FsError('EEXIST', to)
    if (node.isDirectory) {
      if (target?.isDirectory === false) throw new FsError('ENOTDIR', to)
      return this.#folders.rename({ node, newParent, newSlot, target, call })
    }
    if (target?.isDirectory === true) throw new FsError('EISDIR', to)
    await this.#renameFile(rename, call)
  }

  /**
   * Moves a file: a copy on the server and a delete, so that one of the names holds the data at every moment. What
   * isn't stored yet goes to the new name when it is.
   */
  async #renameFile(rename: FileRename, call: RenameCall): Promise<void> {
    const { node, newParent, newSlot, target } = rename
    const { parent } = node
    const paths = () => [node.path, newParent.pathOf(newSlot)]
    const move = async (kept: Node[]) => {
      if (node.isDetached || target?.isDetached) throw new FsError('ESTALE', 'a name leads elsewhere by now')
      call.begins()
      await this.#move(rename, kept)
    }
    const nodes = target === undefined ? [node] : [node, target]
    await this.#change(paths, leaverOf(call.signal), async kept => {
      const alone = () => this.#alone(nodes, () => move(kept))
      await (target === undefined ? alone() : this.#loans.whileChanging(target.path, undefined, alone))
    })
    if (parent !== undefined) {
      this.#directories.remember(parent)
      this.#tree.touchDirectory(parent)
    }
    if (newParent !== parent) this.#tree.touchDirectory(newParent)
  }

  async #move(rename: FileRename, kept: Node[]): Promise<void> {
    const { node, newParent, newSlot, target } = rename
    const from = node.path
    const to = newParent.pathOf(newSlot)
    const { metadata, inodes, store } = this.#tree
    let isReplaced = false
    try {
      // What is copied is what the bucket has of the file.
      if (node.version !== undefined) await node.writer?.settle()
      const { version } = node
      node.writer?.checkMovable()
      if (target !== undefined && (await this.#kept.keep(target))) kept.push(target)
      const replaced = target?.version ?? target?.replaced
      const moved = version === undefined ? undefined : await this.#copy(node, version, to, rename.noReplace)
      // From here on both names hold the data; what stood at the new one is gone.
      if (version !== undefined && moved !== undefined) this.#loans.moved(version, moved)
      isReplaced = moved !== undefined
      const isGone = version === undefined ? await this.#deleteReplaced(node) : await deleteVersion(store, version)
      // It could not be stored at its last close, which was meanwhile: there is no such file any more.
      if (moved === undefined && node.isDetached) throw new FsError('ESTALE', `${from} could not be stored`)
      // All at once, so that no lookup finds a part of it.
      if (target !== undefined) this.#gone(target)
      if (isGone) metadata.removed(from)
      else metadata.forget(from)
      if (moved !== undefined) metadata.forget(to)
      node.replaced = version === undefined ? replaced : undefined
      node.writer?.unanswered.moved(version === undefined ? target?.writer?.unanswered : undefined)
      if (node.slot === SELF_SLOT && node.parent !== undefined) node.parent.beside = undefined
      inodes.move(node, newParent, newSlot)
      if (newSlot === SELF_SLOT) newParent.beside = moved
      node.writer?.moved(moved, target !== undefined)
      node.changed = this.#tree.now()
      if (moved !== undefined) this.#tree.moved(node, moved)
    } catch (error) {
      if (isReplaced && target !== undefined) this.#gone(target)
      // What has come of it is not known.
      metadata.forget(from)
      metadata.forget(to)
      throw error
    }
  }

  async #copy(node: Node, version: ObjectVersion, to: string, noReplace: boolean): Promise<ObjectVersion> {
    const traits = await this.#traitsOf(node, version)
    const { etag, sizeBytes } = version
    const conditions = { sourceIfMatch: etag, sizeBytes, ifNoneMatch: noReplace ? ('*' as const) : undefined }
    try {
      const copied = await this.#tree.store.copy(version.key, to, { ...conditions, traits })
      const lastModifiedMs = copied.lastModifiedMs ?? version.lastModifiedMs
      return { ...version, versionId: undefined, ...copied, key: to, lastModifiedMs }
    } catch (error) {
      if (
        noReplace &&
        isStoreError(error, 'precondition-failed') &&
        (await this.#tree.knowledge.head(to)) !== undefined
      )
        throw new FsError('EEXIST', to, error)
      throw error
    }
  }

  /** Swaps two files that are not stored yet: a bucket can not exchange two names in one step. */
  async #exchange(node: Node, other: Node | undefined, to: string, call: RenameCall): Promise<void> {
    if (other === undefined) throw new FsError('ENOENT', to)
    if (other === node) return
    const swap = async () => {
      if (!isOnlyHere(node) || !isOnlyHere(other))
        throw new FsError('EINVAL', 'a bucket can not exchange two stored names at once')
      for (const file of [node, other]) file.writer?.checkMovable()
      call.begins()
      this.#tree.inodes.swap(node, other)
      for (const file of [node, other]) {
        file.writer?.moved(undefined, false)
        file.changed = this.#tree.now()
        if (file.parent !== undefined) this.#tree.touchDirectory(file.parent)
      }
    }
    await this.#moving.change(
      () => [node.path, other.path],
      () => this.#alone([node, other], swap),
      leaverOf(call.signal),
    )
  }

  #gone(node: Node): void {
    node.isUnlinked = true
    node.changed = this.#tree.now()
    if (node.slot === SELF_SLOT && node.parent !== undefined) node.parent.beside = undefined
    this.#tree.inodes.detach(node)
  }

  /** Runs `task` with a place in `Moving`. What it has kept of files whose names are still there is given up again. */
  async #change(paths: () => readonly string[], leaver: Leaver, task: (kept: Node[]) => Promise<void>): Promise<void> {
    const kept: Node[] = []
    try {
      await this.#moving.change(paths, () => task(kept), leaver)
    } finally {
      // Not sooner: the writer may have to store something, which takes a place of its own.
      for (const node of kept) if (!node.isUnlinked) await this.#kept.giveUp(node)
    }
  }

  /** While nothing of these files is written or stored. */
  #alone<T>(nodes: readonly Node[], task: () => Promise<T>): Promise<T> {
    const [first, ...others] = nodes.toSorted((a, b) => a.id - b.id)
    if (first === undefined) return task()
    first.writer?.stepAside()
    const changing = async () => {
      first.isChanging = true
      try {
        return await this.#alone(others, task)
      } finally {
        first.isChanging = false
      }
    }
    return this.#tree.inodes.using(first, () => first.lock.run(changing))
  }

  /** What a copy does not keep by itself. */
  async #traitsOf(node: Node, version: ObjectVersion): Promise<ObjectTraits> {
    const known = node.known && this.#tree.traits.fresh(node.known)
    if (known !== undefined) return known
    const traits = await this.#tree.traits.ask(version)
    if (node.known !== undefined) node.known = { ...node.known, traits }
    return traits
  }

  /** Whatever stands there of a file that the bucket has; of one that it perhaps has, that alone. Whether nothing is left. */
  async #deleteObject(node: Node): Promise<boolean> {
    const stored = node.version ?? node.replaced
    if (stored === undefined) return this.#deleteReplaced(node)
    const [result] = await this.#tree.store.delete([{ key: stored.key }])
    if (result?.error !== undefined) throw result.error
    return true
  }

  /** What a file that is not stored was to replace goes, or what an earlier commit may have put there. */
  async #deleteReplaced({ path, replaced, writer }: Node): Promise<boolean> {
    if (replaced !== undefined && (await deleteVersion(this.#tree.store, replaced))) return true
    if (writer === undefined || writer.unanswered.isEmpty) return replaced === undefined
    return deleteUnanswered(this.#tree, path, writer.unanswered)
  }
}

/** The bucket holds something under the name of a file, or perhaps does. */
function isStored({ version, replaced, writer }: Node): boolean {
  return version !== undefined || replaced !== undefined || writer?.unanswered.isEmpty === false
}

/** The bucket holds nothing of it, and nothing that it would replace. */
function isOnlyHere(node: Node): boolean {
  return !node.isDirectory && !node.isDetached && !isStored(node)
}
