import { isStoreError } from '../backend/store-error.js'
import type { BlockCache } from '../cache/block-cache.js'
import { S_IFLNK, S_IFMT, S_IFREG } from './attributes.js'
import { FsError } from './fs-error.js'
import type { Node } from './node.js'
import type { CallContext } from './operations.js'
import type { Tree } from './tree.js'

/** What no type of the web names. */
const HEADERS = { contentType: 'application/octet-stream' } as const

/**
 * Objects that are made in one go: symbolic links, whose target is the body, and pipes, sockets, devices and empty files
 * without a byte. The metadata `mode` carries the type, `rdev` the device's number. Opening them is the kernel's work.
 */
export class SpecialFiles {
  readonly #tree: Tree
  readonly #blocks: BlockCache

  constructor(tree: Tree, blocks: BlockCache) {
    this.#tree = tree
    this.#blocks = blocks
  }

  /** `mode` with type bits. */
  async make(parent: Node, slot: string, mode: number, rdev: number, context: CallContext): Promise<Node> {
    const type = (mode & S_IFMT) === 0 ? S_IFREG : mode & S_IFMT
    return this.#store(parent, slot, { type, mode, rdev, body: new Uint8Array(0) }, context)
  }

  /** The target is kept as s3fs keeps it. */
  async link(parent: Node, slot: string, target: Uint8Array, context: CallContext): Promise<Node> {
    return this.#store(parent, slot, { type: S_IFLNK, mode: 0o777, rdev: 0, body: Uint8Array.from(target) }, context)
  }

  /** The target of a symbolic link. */
  async target(node: Node, signal: AbortSignal): Promise<Uint8Array> {
    if (node.type !== S_IFLNK) throw new FsError('EINVAL', `${node.path} is no symbolic link`)
    if (node.version === undefined) throw new FsError('EIO', `${node.path} is not stored`)
    try {
      return await this.#blocks.readBytes(node.version, 0, node.version.sizeBytes, signal)
    } catch (error) {
      if (!isStoreError(error, 'precondition-failed', 'not-found')) throw error
      this.#tree.metadata.forget(node.path)
      throw new FsError('ESTALE', `${node.path} was changed by others`, error)
    }
  }

  async #store(
    parent: Node,
    slot: string,
    file: { readonly type: number; readonly mode: number; readonly rdev: number; readonly body: Uint8Array },
    context: CallContext,
  ): Promise<Node> {
    const { store, inodes, metadata } = this.#tree
    const key = this.#tree.newKey(parent, slot)
    if (parent.children.get(slot)?.isLocal === true) throw new FsError('EEXIST', key)
    const node = inodes.make(parent, slot, file.type)
    try {
      this.#tree.shown.give(node, file.mode, context.uid, context.gid)
      if (file.rdev !== 0) node.own = { ...node.own, rdev: file.rdev }
      const plain = await this.#tree.attachments(node)
      const headers = file.type === S_IFREG ? plain.headers : HEADERS
      const attachments = { ...plain, headers, metadata: this.#tree.newMetadata(plain.metadata ?? {}) }
      const { etag, versionId } = await store.put(key, file.body, { ifNoneMatch: '*', ...attachments })
      node.modified = this.#tree.now()
      node.changed = node.modified
      const lastModifiedMs = this.#tree.nowMs()
      const version = { key, sizeBytes: file.body.length, etag, versionId, lastModifiedMs }
      this.#tree.stored(node, version, attachments)
    } catch (error) {
      inodes.detach(node)
      metadata.forget(node.path)
      throw isStoreError(error, 'precondition-failed') ? new FsError('EEXIST', key, error) : error
    }
    this.#tree.touchDirectory(parent)
    return node
  }
}
