import type { Log } from '../backend/log.js'
import { errnoOf } from './fs-error.js'
import type { Node } from './node.js'
import type { OpenWriters } from './open-writers.js'
import type { Tree } from './tree.js'

/** Files that stay usable through their open handles although their stored object goes: their bytes are kept here. */
export class KeptOpen {
  readonly #tree: Tree
  readonly #writers: OpenWriters
  readonly #log: Log
  /** How often each was kept: by removals that failed, and one that did not. */
  readonly #kept = new Map<Node, number>()

  constructor(tree: Tree, writers: OpenWriters, log: Log) {
    this.#tree = tree
    this.#writers = writers
    this.#log = log
  }

  /**
   * The stored object of a file is about to go; call it under the file's lock. What open handles can ask for comes to
   * this machine; what has no room there is lost to them, and the object goes all the same. False: nothing is kept.
   */
  async keep(node: Node): Promise<boolean> {
    if (node.openFiles === 0 || (node.version === undefined && node.writer === undefined)) return false
    this.#kept.set(node, (this.#kept.get(node) ?? 0) + 1)
    this.#writers.hold(node)
    const { path } = node
    try {
      await this.#tree.attachments(node)
      // The last handle may have been closed meanwhile: nobody would end what is begun for it.
      if (!this.#kept.has(node)) return false
      const writer = this.#writers.of(node)
      await writer.settle()
      await writer.fetchAll()
    } catch (error) {
      const message =
        errnoOf(error) === 'ENOSPC'
          ? 'a removed file is open and staging has no room for it (--staging-size): reading it on fails with ESTALE'
          : 'a removed file is open and could not be fetched: reading it on fails with ESTALE'
      this.#log.warn(message, { path, error })
    }
    return true
  }

  /** The object stays after all. Not to be called under the file's lock, nor with a place in `Moving`. */
  async giveUp(node: Node): Promise<void> {
    const count = this.#kept.get(node)
    // The last handle may have been closed meanwhile.
    if (count === undefined) return
    if (count > 1) this.#kept.set(node, count - 1)
    else this.#kept.delete(node)
    const { writer } = node
    if (this.#writers.letGo(node) === 0 && writer !== undefined) await this.#writers.endLast(node, writer)
  }

  /** The last handle is gone. */
  async ended(node: Node): Promise<void> {
    while (this.#kept.has(node)) await this.giveUp(node)
  }
}
