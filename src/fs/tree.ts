import mime from 'mime/lite'
import type { Attachments, ObjectInfo, ObjectStore, ObjectVersion } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import type { Clock } from '../cache/clock.js'
import type { KnownVersions } from '../cache/known-versions.js'
import type { Found, MetadataCache } from '../cache/metadata-cache.js'
import { type AttributeDefaults, attributesFrom, NO_ATTRIBUTES, timestampOf, withAttributes } from './attributes.js'
import { FsError } from './fs-error.js'
import type { Inodes } from './inodes.js'
import type { Node } from './node.js'
import type { Attributes, AttributesReply, Entry, Timestamp } from './operations.js'

export interface TreeOptions {
  readonly store: ObjectStore
  readonly metadata: MetadataCache
  readonly known: KnownVersions
  readonly inodes: Inodes
  readonly defaults: AttributeDefaults
  readonly ttlMs: number
  readonly clock: Clock
}

/** Shown as the size of a folder. */
const DIRECTORY_SIZE_BYTES = 4096

/** What names lead to: the bucket's truth as the metadata cache knows it, under the mount's own. */
export class Tree {
  readonly inodes: Inodes
  readonly metadata: MetadataCache
  readonly store: ObjectStore
  readonly #known: KnownVersions
  readonly #defaults: AttributeDefaults
  readonly #ttlMs: number
  readonly #clock: Clock
  readonly #startedMs: number

  constructor(options: TreeOptions) {
    this.store = options.store
    this.metadata = options.metadata
    this.inodes = options.inodes
    this.#known = options.known
    this.#defaults = options.defaults
    this.#ttlMs = options.ttlMs
    this.#clock = options.clock
    this.#startedMs = options.clock.nowMs()
  }

  now(): Timestamp {
    return timestampOf(this.#clock.nowMs())
  }

  /** The node that a name leads to; undefined when there is nothing, `expiresMs` tells how long that counts. */
  async lookup(parent: Node, name: string): Promise<{ readonly node: Node | undefined; readonly expiresMs: number }> {
    const child = parent.children.get(name)
    if (child?.isLocal === true) return { node: child, expiresMs: this.expiry() }
    const found = await this.metadata.lookup(parent.prefix, name)
    return { node: this.adopt(parent, name, found), expiresMs: found.expiresMs }
  }

  /** What is known to stand at a name, without asking. */
  existing(parent: Node, name: string): Node | undefined {
    const child = parent.children.get(name)
    if (child?.isLocal === true) return child
    const found = this.metadata.known(parent.prefix, name)
    return found === undefined ? undefined : this.adopt(parent, name, found)
  }

  /** The node for what was found at a name: the one that shows it, or a new one. */
  adopt(parent: Node, name: string, found: Found): Node | undefined {
    const child = parent.children.get(name)
    if (child?.isLocal === true) return child
    if (found.isDirectory || (found.version === undefined && parent.rememberedDirectories.has(name)))
      return this.#adoptDirectory(parent, name, child, found)
    if (found.version === undefined) {
      if (child !== undefined) this.inodes.detach(child)
      return undefined
    }
    if (found.info !== undefined) this.#known.seen(found.info)
    const node =
      child?.isDirectory === false && isSameVersion(child.version, found.version)
        ? child
        : this.inodes.make(parent, name, false)
    node.expiresMs = found.expiresMs
    if (node.version === undefined) this.#show(node, found.version)
    else if (node.known === undefined) this.#learn(node, found.version)
    return node
  }

  /** Everything that is kept beside the bytes of a stored file. ESTALE when it is another version by now. */
  async attachments(node: Node): Promise<Attachments> {
    if (node.version !== undefined && node.known === undefined) await this.#ask(node, node.version)
    const kept = node.known ?? { metadata: {}, headers: { contentType: mime.getType(node.name) ?? undefined } }
    return { metadata: withAttributes(kept.metadata, node.own, node.type), headers: kept.headers }
  }

  /** The mount stored this version of the node. */
  stored(node: Node, version: ObjectVersion, attachments: Attachments): void {
    const { metadata = {}, headers = {} } = attachments
    const shownModifiedMs = node.modified === undefined ? undefined : toMs(node.modified)
    node.version = version
    node.replaced = undefined
    node.known = { metadata, headers, shownModifiedMs }
    node.expiresMs = this.expiry()
    this.#known.wrote(version, node.known)
    this.metadata.stored({ ...version, metadata, headers })
  }

  /** The node's stored object has been copied to where the node is now, with all that is kept beside it. */
  moved(node: Node, version: ObjectVersion): void {
    node.version = version
    node.expiresMs = this.expiry()
    if (node.known === undefined) this.metadata.forget(version.key)
    else {
      this.#known.wrote(version, node.known)
      this.metadata.stored({ ...version, ...node.known })
    }
  }

  /** When something learnt now stops to count. */
  expiry(): number {
    return this.#clock.nowMs() + this.#ttlMs
  }

  /** How much longer something counts. */
  remainingMs(expiresMs: number): number {
    return Math.max(0, expiresMs - this.#clock.nowMs())
  }

  attributes(node: Node): Attributes {
    const { own } = node
    const stored = timestampOf(node.version?.lastModifiedMs ?? this.#startedMs)
    const mtime = own.mtime ?? node.modified ?? stored
    return {
      ino: node.ino,
      sizeBytes: node.isDirectory ? DIRECTORY_SIZE_BYTES : (node.writer?.sizeBytes ?? node.version?.sizeBytes ?? 0),
      mode: node.type | this.mode(node),
      nlink: node.isDetached ? 0 : node.isDirectory ? 2 : 1,
      uid: own.uid ?? this.#defaults.uid,
      gid: own.gid ?? this.#defaults.gid,
      rdev: 0,
      mtime,
      atime: own.atime ?? node.accessed ?? mtime,
      ctime: node.changed ?? own.ctime ?? mtime,
    }
  }

  /** Permission bits. */
  mode(node: Node): number {
    return node.own.mode ?? (node.isDirectory ? this.#defaults.directoryMode : this.#defaults.fileMode)
  }

  attributesReply(node: Node): AttributesReply {
    const ttlMs = this.remainingMs(node.isLocal || node.parent === undefined ? this.expiry() : node.expiresMs)
    return { attributes: this.attributes(node), ttlMs }
  }

  /** An answer that counts as one lookup of the node. */
  entry(node: Node): Entry {
    this.inodes.remember(node)
    const reply = this.attributesReply(node)
    return { ...reply, node: node.id, entryTtlMs: reply.ttlMs }
  }

  /** What a caller's new file or folder is given. */
  own(node: Node, mode: number, uid: number, gid: number): void {
    const shown = this.mode(node)
    const permissions = mode & 0o7777
    node.own = {
      ...NO_ATTRIBUTES,
      mode: permissions === shown ? undefined : permissions,
      uid: uid === this.#defaults.uid ? undefined : uid,
      gid: gid === this.#defaults.gid ? undefined : gid,
    }
  }

  /** Something was made, removed or renamed in a folder. */
  touchDirectory(directory: Node): void {
    directory.modified = this.now()
    directory.changed = directory.modified
    directory.own = { ...directory.own, mtime: undefined }
  }

  #adoptDirectory(parent: Node, name: string, child: Node | undefined, found: Found): Node {
    const node = child?.isDirectory === true ? child : this.inodes.make(parent, name, true)
    node.expiresMs = found.expiresMs
    return node
  }

  #show(node: Node, version: ObjectVersion): void {
    node.version = version
    this.#learn(node, version)
  }

  #learn(node: Node, version: ObjectVersion): void {
    const known = this.#known.find(version)
    if (known === undefined) return
    node.known = known
    node.own = attributesFrom(known.metadata)
    if (known.shownModifiedMs !== undefined) node.modified = timestampOf(known.shownModifiedMs)
  }

  async #ask(node: Node, version: ObjectVersion): Promise<void> {
    const info = await this.#head(version.key)
    if (info === undefined || !isSameVersion(version, info)) {
      this.metadata.forget(node.path)
      throw new FsError('ESTALE', `${node.path} was changed by others`)
    }
    this.#known.seen(info)
    this.#learn(node, info)
  }

  async #head(key: string): Promise<ObjectInfo | undefined> {
    try {
      return await this.store.head(key)
    } catch (error) {
      if (isStoreError(error, 'not-found')) return undefined
      throw error
    }
  }
}

function isSameVersion(a: ObjectVersion | undefined, b: ObjectVersion): boolean {
  return a !== undefined && a.etag === b.etag && a.sizeBytes === b.sizeBytes
}

function toMs(time: Timestamp): number {
  return time.seconds * 1000 + time.nanoseconds / 1e6
}
