import type { ObjectVersion } from '../backend/object-store.js'
import type { Directories } from './directories.js'
import { FsError } from './fs-error.js'
import { childKey } from './names.js'
import type { Node } from './node.js'
import type { RenameFlags } from './operations.js'
import type { Tree } from './tree.js'

/** Removing and moving the names of files. */
export class Names {
  readonly #tree: Tree
  readonly #directories: Directories

  constructor(tree: Tree, directories: Directories) {
    this.#tree = tree
    this.#directories = directories
  }

  /** The stored object goes at once; who holds the file open keeps it, and nothing of it is stored any more. */
  async unlink(parent: Node, name: string): Promise<void> {
    const { node } = await this.#tree.lookup(parent, name)
    if (node === undefined) throw new FsError('ENOENT', parent.prefix + name)
    if (node.isDirectory) throw new FsError('EISDIR', node.path)
    await this.#alone([node], async () => {
      if (node.isUnlinked) throw new FsError('ENOENT', node.path)
      const stored = node.version ?? node.replaced
      if (stored !== undefined) await this.#delete(stored.key)
      this.#gone(node)
    })
    this.#tree.metadata.removed(parent.pathOf(name))
    this.#directories.remember(parent)
    this.#tree.touchDirectory(parent)
  }

  /**
   * Moves a file: a copy on the server and a delete, so that one of the names holds the data at every moment. What
   * isn't stored yet goes to the new name when it is. EXDEV for a folder: `mv` then moves what is in it.
   */
  async rename(parent: Node, name: string, newParent: Node, newName: string, flags: RenameFlags): Promise<void> {
    if (flags.exchange) throw new FsError('EINVAL', 'a bucket can not exchange two names at once')
    const to = childKey(newParent.prefix, newName)
    const { node } = await this.#tree.lookup(parent, name)
    if (node === undefined) throw new FsError('ENOENT', parent.prefix + name)
    if (node.isDirectory) throw new FsError('EXDEV', `${node.path} is a folder`)
    const { node: target } = await this.#tree.lookup(newParent, newName)
    if (target === node) return
    if (target !== undefined && flags.noReplace) throw new FsError('EEXIST', to)
    if (target?.isDirectory === true) throw new FsError('EISDIR', to)
    await this.#alone(target === undefined ? [node] : [node, target], async () => {
      if (node.isDetached || target?.isDetached) throw new FsError('ESTALE', 'a name leads elsewhere by now')
      await this.#move(node, newParent, newName, target, flags)
    })
    this.#directories.remember(parent)
    this.#tree.touchDirectory(parent)
    this.#tree.touchDirectory(newParent)
  }

  async #move(node: Node, parent: Node, name: string, target: Node | undefined, flags: RenameFlags): Promise<void> {
    const from = node.path
    const to = parent.prefix + name
    const { metadata, inodes } = this.#tree
    const { version } = node
    node.writer?.checkMovable()
    const moved = version === undefined ? undefined : await this.#copy(version, to, flags)
    if (version !== undefined) {
      // Both names hold the data until this is done; if it fails the file is still where it was.
      metadata.forget(to)
      await this.#deleteSource(version)
    } else if (node.replaced !== undefined) await this.#deleteSource(node.replaced)
    node.replaced = version === undefined ? (target?.version ?? target?.replaced) : undefined
    metadata.removed(from)
    if (target !== undefined) this.#gone(target)
    inodes.move(node, parent, name)
    node.writer?.moved(moved, target !== undefined)
    node.changed = this.#tree.now()
    if (moved !== undefined) this.#tree.moved(node, moved)
  }

  async #copy(version: ObjectVersion, to: string, flags: RenameFlags): Promise<ObjectVersion> {
    const ifNoneMatch = flags.noReplace ? '*' : undefined
    const copied = await this.#tree.store.copy(version.key, to, { sourceIfMatch: version.etag, ifNoneMatch })
    const lastModifiedMs = copied.lastModifiedMs ?? version.lastModifiedMs
    return { ...version, versionId: undefined, ...copied, key: to, lastModifiedMs }
  }

  #gone(node: Node): void {
    node.isUnlinked = true
    this.#tree.inodes.detach(node)
  }

  /** While nothing of these files is written or stored. */
  #alone<T>(nodes: readonly Node[], task: () => Promise<T>): Promise<T> {
    const [first, ...others] = nodes.toSorted((a, b) => a.id - b.id)
    if (first === undefined) return task()
    first.writer?.stepAside()
    return this.#tree.inodes.using(first, () => first.lock.run(() => this.#alone(others, task)))
  }

  async #delete(key: string): Promise<void> {
    const [result] = await this.#tree.store.delete([{ key }])
    if (result?.error !== undefined) throw result.error
  }

  /** The source of a rename goes only if it is what was copied; what others made of it meanwhile stays. */
  async #deleteSource({ key, etag }: ObjectVersion): Promise<void> {
    const { store } = this.#tree
    const support = store.capabilities.conditions.delete
    // The copy has just checked the version: a HEAD in place of a real condition would tell nothing more.
    const ifMatch = support === 'atomic' || support === 'unknown' ? etag : undefined
    const [result] = await store.delete([{ key, ifMatch }])
    if (result?.error !== undefined && result.error.kind !== 'precondition-failed') throw result.error
  }
}
