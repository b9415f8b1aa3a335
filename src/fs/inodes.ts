import { hash } from 'node:crypto'
import { S_IFDIR } from './attributes.js'
import { FsError } from './fs-error.js'
import { Node } from './node.js'
import { ROOT_NODE } from './operations.js'

/**
 * The nodes that the kernel, a handle or unstored content needs. A node goes when none of them does and no node is
 * left below it.
 */
export class Inodes {
  readonly root = new Node(ROOT_NODE, ROOT_NODE, S_IFDIR, undefined, '')
  readonly #nodes = new Map<number, Node>([[ROOT_NODE, this.root]])
  /** How many nodes show an ino (versions of one file share theirs), and the path that it belongs to. */
  readonly #inos = new Map<number, { count: number; path: string | undefined }>()
  #lastId = ROOT_NODE

  get size(): number {
    return this.#nodes.size
  }

  /** Every node, in no order. */
  all(): IterableIterator<Node> {
    return this.#nodes.values()
  }

  /** ESTALE for an id that is not known (any longer). */
  get(id: number): Node {
    const node = this.#nodes.get(id)
    if (node === undefined) throw new FsError('ESTALE', `node ${id} is gone`)
    return node
  }

  directory(id: number): Node {
    const node = this.get(id)
    if (!node.isDirectory) throw new FsError('ENOTDIR', node.path)
    return node
  }

  /** A new node for a slot; one that stood there before is detached. */
  make(parent: Node, slot: string, type: number): Node {
    const before = parent.children.get(slot)
    const ino = before?.isDirectory === (type === S_IFDIR) ? before.ino : this.inoOf(parent.pathOf(slot))
    if (before !== undefined) this.detach(before)
    this.#lastId += 1
    const node = new Node(this.#lastId, ino, type, parent, slot)
    parent.children.set(slot, node)
    this.#add(node)
    return node
  }

  /**
   * The st_ino of a path: 48 bits of a hash, so that it is the same whenever the path is met, or the next free one
   * while a file that was renamed or removed there still shows it.
   */
  inoOf(path: string): number {
    let ino = hash('sha1', path, 'buffer').readUIntBE(0, 6) + ROOT_NODE + 1
    for (let shown = this.#inos.get(ino); shown !== undefined && shown.path !== path; shown = this.#inos.get(ino))
      ino += 1
    return ino
  }

  /** The kernel is given the node once more, also if it forgot it while the answer was on its way. */
  remember(node: Node): void {
    node.lookups += 1
    if (this.#nodes.has(node.id)) return
    this.#add(node)
    if (!node.isDetached && node.parent?.children.has(node.slot) === false) node.parent.children.set(node.slot, node)
  }

  forget(id: number, lookups: number): void {
    const node = this.#nodes.get(id)
    if (node === undefined) return
    node.lookups = Math.max(0, node.lookups - lookups)
    this.tidy(node)
  }

  /** Keeps a node while `task` runs. */
  async using<T>(node: Node, task: () => Promise<T>): Promise<T> {
    node.uses += 1
    try {
      return await task()
    } finally {
      this.release(node)
    }
  }

  release(node: Node): void {
    node.uses -= 1
    this.tidy(node)
  }

  /** The name of the node is gone or leads elsewhere; the node lives on for those who hold it. */
  detach(node: Node): void {
    if (node.isDetached) return
    node.isDetached = true
    this.#disown(node)
    if (node.parent?.children.get(node.slot) === node) node.parent.children.delete(node.slot)
    const parent = node.parent
    this.tidy(node)
    if (parent !== undefined) this.tidy(parent)
  }

  /** The node, with all below it, gets another name, also if the old one leads elsewhere by now. */
  move(node: Node, parent: Node, slot: string): void {
    const target = parent.children.get(slot)
    if (target !== undefined && target !== node) this.detach(target)
    this.#disown(node)
    const before = node.parent
    if (before?.children.get(node.slot) === node) before.children.delete(node.slot)
    node.parent = parent
    node.slot = slot
    node.isDetached = false
    parent.children.set(slot, node)
    if (before !== undefined) this.tidy(before)
  }

  /** Each of two nodes gets the other's name. */
  swap(a: Node, b: Node): void {
    const { parent, slot } = a
    this.#disown(a)
    this.#disown(b)
    a.parent = b.parent
    a.slot = b.slot
    b.parent = parent
    b.slot = slot
    a.parent?.children.set(a.slot, a)
    b.parent?.children.set(b.slot, b)
  }

  /** Drops a node that nobody needs. */
  tidy(node: Node): void {
    if (node.parent === undefined || node.lookups > 0 || node.uses > 0 || node.isLocal) return
    if (node.children.size > 0 || node.rememberedDirectories.size > 0) return
    if (!this.#nodes.delete(node.id)) return
    const shown = this.#inos.get(node.ino)
    if (shown !== undefined) {
      shown.count -= 1
      if (shown.count === 0) this.#inos.delete(node.ino)
    }
    if (node.parent.children.get(node.slot) === node) node.parent.children.delete(node.slot)
    this.tidy(node.parent)
  }

  #add(node: Node): void {
    this.#nodes.set(node.id, node)
    this.#inos.set(node.ino, { count: (this.#inos.get(node.ino)?.count ?? 0) + 1, path: node.path })
  }

  /** The inos of a node and all below it no longer belong to their paths, though the nodes show them still. */
  #disown(node: Node): void {
    const shown = this.#inos.get(node.ino)
    if (shown !== undefined) shown.path = undefined
    for (const child of node.children.values()) this.#disown(child)
  }
}
