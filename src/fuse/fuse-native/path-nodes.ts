import { LRUCache } from 'lru-cache'
import { errnoOf, FsError } from '../../fs/fs-error.js'
import { type CallContext, type Filesystem, ROOT_NODE } from '../../fs/operations.js'
import { isFound } from '../protocol/attributes.js'

/** Paths whose nodes are remembered. */
const MAX_PATHS = 10_000

/** A node that stays known to the filesystem until it is released. */
export interface HeldNode {
  readonly node: number
  /** Another hold, for who needs the node for longer. */
  keep(): HeldNode
  release(): void
}

/** Never forgotten. */
const ROOT: HeldNode = { node: ROOT_NODE, keep: () => ROOT, release: () => {} }

interface KnownPath {
  readonly node: number
  expiresMs: number
  /** Calls and open handles that use it. */
  users: number
  forgotten: boolean
}

/**
 * Walks paths to nodes, since libfuse 2 names files by paths and the filesystem by nodes. A path is remembered as long as
 * its entries are valid; each remembered path and each use of one holds exactly one lookup, given back by `forget`.
 */
export class PathNodes {
  readonly #filesystem: Filesystem
  readonly #nowMs: () => number
  readonly #known = new LRUCache<string, KnownPath>({
    max: MAX_PATHS,
    dispose: known => {
      known.forgotten = true
      this.#forgetUnused(known)
    },
  })

  constructor(filesystem: Filesystem, nowMs: () => number = Date.now) {
    this.#filesystem = filesystem
    this.#nowMs = nowMs
  }

  /**
   * Calls `use` with the node at `path`. A node that turns out to belong to another version, or to have been shown with
   * other attributes (ESTALE), is looked up anew, once, as the kernel does it. It is held meanwhile, as the kernel holds
   * it, so that what has been learnt of it is not forgotten.
   */
  async at<T>(path: string, call: CallContext, use: (held: HeldNode) => Promise<T>): Promise<T> {
    const held = await this.#walk(path, call)
    try {
      return await use(held)
    } catch (error) {
      if (errnoOf(error) !== 'ESTALE') throw error
      this.clear()
      return await this.#with(path, call, use)
    } finally {
      held.release()
    }
  }

  /** Calls `use` with the node of the folder that `path` lies in, and the last name of `path`. */
  parentOf<T>(path: string, call: CallContext, use: (parent: number, name: Uint8Array) => Promise<T>): Promise<T> {
    const slash = path.lastIndexOf('/')
    const name = Buffer.from(path.slice(slash + 1))
    return this.at(path.slice(0, slash) || '/', call, ({ node }) => use(node, name))
  }

  /** Remembers what an answer of `create` or `mkdir` told: it counts as one lookup. */
  take(path: string, node: number, entryTtlMs: number): HeldNode {
    return this.#hold(this.#remember(path, node, entryTtlMs))
  }

  /** Forgets a path. */
  drop(path: string): void {
    this.#known.delete(path)
  }

  /** Forgets a path and all below it. */
  dropTree(path: string): void {
    const below = `${path}/`
    for (const known of [...this.#known.keys()])
      if (known === path || known.startsWith(below)) this.#known.delete(known)
  }

  /** Forgets all paths. */
  clear(): void {
    this.#known.clear()
  }

  async #with<T>(path: string, call: CallContext, use: (held: HeldNode) => Promise<T>): Promise<T> {
    const held = await this.#walk(path, call)
    try {
      return await use(held)
    } finally {
      held.release()
    }
  }

  async #walk(path: string, call: CallContext): Promise<HeldNode> {
    if (path === '/') return ROOT
    const known = this.#known.get(path)
    if (known !== undefined && known.expiresMs > this.#nowMs()) return this.#hold(known)
    const slash = path.lastIndexOf('/')
    const parent = await this.#walk(path.slice(0, slash) || '/', call)
    try {
      const entry = await this.#filesystem.lookup(parent.node, Buffer.from(path.slice(slash + 1)), call)
      if (!isFound(entry)) {
        this.#known.delete(path)
        throw new FsError('ENOENT', path)
      }
      return this.take(path, entry.node, entry.entryTtlMs)
    } finally {
      parent.release()
    }
  }

  #remember(path: string, node: number, entryTtlMs: number): KnownPath {
    const expiresMs = this.#nowMs() + entryTtlMs
    const known = this.#known.get(path)
    if (known?.node === node) {
      // One lookup is enough for one path.
      this.#filesystem.forget(node, 1)
      known.expiresMs = expiresMs
      return known
    }
    const fresh: KnownPath = { node, expiresMs, users: 0, forgotten: false }
    this.#known.set(path, fresh)
    return fresh
  }

  #hold(known: KnownPath): HeldNode {
    known.users++
    let held = true
    return {
      node: known.node,
      keep: () => this.#hold(known),
      release: () => {
        if (!held) return
        held = false
        known.users--
        this.#forgetUnused(known)
      },
    }
  }

  #forgetUnused(known: KnownPath): void {
    if (known.forgotten && known.users === 0) this.#filesystem.forget(known.node, 1)
  }
}
