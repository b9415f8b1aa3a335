import { S_IFDIR } from './attributes.js'
import { FsError } from './fs-error.js'
import { Node } from './node.js'
import { ROOT_NODE } from './operations.js'
import { hash48 } from './path-hash.js'

interface Shown {
  /** How many nodes show it: versions of one file share theirs. */
  count: number
  /** The path that it belongs to. */
  path: string | undefined
  /** It came along from another path. */
  isBrought: boolean
}

/** Of so many files that were renamed and forgotten the ino is remembered. */
const MAX_BROUGHT = 10_000

/**
 * The nodes that the kernel, a handle or unstored content needs. A node goes when none of them does and no node is
 * left below it.
 */
export class Inodes {
  readonly root = new Node(ROOT_NODE, ROOT_NODE, S_IFDIR, undefined, '')
  readonly #nodes = new Map<number, Node>([[ROOT_NODE, this.root]])
  /** What is known of the inos that nodes show, and of those that are remembered. */
  readonly #inos = new Map<number, Shown>()
  /** By path: the inos that nodes had brought along from other names when they went. */
  readonly #brought = new Map<string, number>()
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

  /**
   * As `get`; ESTALE also where only a name that the kernel remembers leads to the node, and to another one by now: the
   * kernel looks it up again.
   */
  current(id: number): Node {
    const node = this.get(id)
    if (node.isDetached && !node.isUnlinked && !node.isDirectory && node.openFiles === 0)
      throw new FsError('ESTALE', `${node.path} is another file by now`)
    return node
  }

  directory(id: number): Node {
    const node = this.get(id)
    if (!node.isDirectory) throw new FsError('ENOTDIR', node.path)
    return node
  }

  /** The file that shows an object, if a node has its name and the name is an ordinary one. */
  file(key: string): Node | undefined {
    let node: Node | undefined = this.root
    for (const slot of key.split('/')) node = node?.children.get(slot)
    return node?.isDirectory === false ? node : undefined
  }

  /** A new node for a slot; one that stood there before is detached. */
  make(parent: Node, slot: string, type: number): Node {
    const before = parent.children.get(slot)
    const path = parent.pathOf(slot)
    const ino = before?.isDirectory === (type === S_IFDIR) ? before.ino : this.inoOf(path)
    if (before !== undefined) this.detach(before)
    this.#lastId += 1
    const node = new Node(this.#lastId, ino, type, parent, slot)
    parent.children.set(slot, node)
    this.#add(node, path)
    return node
  }

  /**
   * The st_ino of a path: 48 bits of a hash, so that it is the same whenever the path is met, or the next free one
   * while a file that was renamed or removed there still shows it. What was renamed keeps the one that it had.
   */
  inoOf(path: string): number {
    const brought = this.#brought.get(path)
    if (brought !== undefined) return brought
    let ino = hash48(path) + ROOT_NODE + 1
    for (let shown = this.#inos.get(ino); shown !== undefined && shown.path !== path; shown = this.#inos.get(ino))
      ino += 1
    return ino
  }

  /** The kernel is given the node once more, also if it forgot it while the answer was on its way. */
  remember(node: Node): void {
    node.lookups += 1
    if (this.#nodes.has(node.id)) return
    this.#add(node, node.path)
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
    this.#release(node)
    if (node.parent.children.get(node.slot) === node) node.parent.children.delete(node.slot)
    this.tidy(node.parent)
  }

  #add(node: Node, path: string): void {
    this.#nodes.set(node.id, node)
    const shown = this.#inos.get(node.ino)
    if (shown === undefined) this.#inos.set(node.ino, { count: 1, path, isBrought: false })
    else {
      shown.count += 1
      shown.path = path
    }
  }

  #release(node: Node): void {
    const shown = this.#inos.get(node.ino)
    if (shown === undefined) return
    shown.count -= 1
    if (shown.count > 0) return
    const { path } = node
    // Whoever meets the file again must find it under its ino, which no other file may have until then.
    if (shown.isBrought && !node.isDetached) this.#bring(path, node.ino)
    if (this.#brought.get(path) === node.ino) shown.path = path
    else this.#inos.delete(node.ino)
  }

  /** Bounded: the oldest go first, and such a file shows the ino of its path from then on. */
  #bring(path: string, ino: number): void {
    this.#giveUp(path)
    this.#brought.set(path, ino)
    for (const oldest of this.#brought.keys()) {
      if (this.#brought.size <= MAX_BROUGHT) break
      this.#giveUp(oldest)
    }
  }

  #giveUp(path: string): void {
    const ino = this.#brought.get(path)
    if (ino === undefined) return
    this.#brought.delete(path)
    if (this.#inos.get(ino)?.count === 0) this.#inos.delete(ino)
  }

  /** The inos of a node and all below it no longer belong to their paths, though the nodes show them still. */
  #disown(node: Node): void {
    const shown = this.#inos.get(node.ino)
    if (shown !== undefined) {
      shown.path = undefined
      shown.isBrought = true
    }
    this.#giveUp(node.path)
    for (const child of node.children.values()) this.#disown(child)
  }
}
