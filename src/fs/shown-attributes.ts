import type { FolderTimes } from '../cache/folder-times.js'
import type { MetadataCache } from '../cache/metadata-cache.js'
import { type AttributeDefaults, NO_ATTRIBUTES, S_IFREG, S_ISGID, SPECIAL_MODE, timestampOf } from './attributes.js'
import type { Node } from './node.js'
import type { Attributes, Timestamp } from './operations.js'

/** Shown as the size of a folder. */
const DIRECTORY_SIZE_BYTES = 4096

export interface ShownAttributesOptions {
  readonly metadata: MetadataCache
  readonly folderTimes: FolderTimes
  readonly defaults: AttributeDefaults
  /** Milliseconds since 1970: stands for times that nobody knows. */
  readonly startedMs: number
}

/** What stat(2) tells of a node: what programs set, else what the store tells, else the mount's defaults. */
export class ShownAttributes {
  readonly #metadata: MetadataCache
  readonly #folderTimes: FolderTimes
  readonly #defaults: AttributeDefaults
  readonly #startedMs: number

  constructor(options: ShownAttributesOptions) {
    this.#metadata = options.metadata
    this.#folderTimes = options.folderTimes
    this.#defaults = options.defaults
    this.#startedMs = options.startedMs
  }

  of(node: Node): Attributes {
    const { own } = node
    const stored = timestampOf((node.version ?? node.marker)?.lastModifiedMs ?? this.#startedMs)
    const times = node.isDirectory ? this.#folderTimes.get(node.path) : undefined
    const mtime = times?.modified ?? own.mtime ?? node.modified ?? stored
    return {
      ino: node.ino,
      sizeBytes: node.isDirectory ? DIRECTORY_SIZE_BYTES : (node.writer?.sizeBytes ?? node.version?.sizeBytes ?? 0),
      mode: node.type | this.mode(node),
      nlink: node.isDetached ? 0 : node.isDirectory ? 2 + this.#subdirectories(node) : 1,
      uid: own.uid ?? this.#defaults.uid,
      gid: own.gid ?? this.#defaults.gid,
      rdev: own.rdev ?? 0,
      mtime,
      atime: node.accessed ?? own.atime ?? mtime,
      ctime: node.changed ?? later(times?.changed, own.ctime) ?? mtime,
    }
  }

  /** Permission bits. */
  mode(node: Node): number {
    if (node.own.mode !== undefined) return node.own.mode
    if (node.isDirectory) return this.#defaults.directoryMode
    return node.type === S_IFREG ? this.#defaults.fileMode : SPECIAL_MODE
  }

  /** What a caller's new file or folder is given. In a folder with setgid it belongs to the folder's group. */
  give(node: Node, mode: number, uid: number, gid: number): void {
    const { parent } = node
    const shown = this.mode(node)
    const inherits = parent !== undefined && (this.mode(parent) & S_ISGID) !== 0
    const permissions = (mode & 0o7777) | (inherits && node.isDirectory ? S_ISGID : 0)
    const group = inherits ? (parent.own.gid ?? this.#defaults.gid) : gid
    node.own = {
      ...NO_ATTRIBUTES,
      mode: permissions === shown ? undefined : permissions,
      uid: uid === this.#defaults.uid ? undefined : uid,
      gid: group === this.#defaults.gid ? undefined : group,
    }
  }

  /** Of those that are known: the kernel's, the mount's own, and all where the folder was listed. */
  #subdirectories(node: Node): number {
    const { children, rememberedDirectories } = node
    const listing = this.#metadata.complete(node.prefix)
    if (listing === undefined || node.partial !== '') {
      const unseen = [...rememberedDirectories].filter(slot => children.get(slot)?.isDirectory !== true)
      return children.directories + unseen.length
    }
    const unlisted = [...rememberedDirectories].filter(slot => listing.find(slot)?.isDirectory !== true)
    return listing.directories + unlisted.length
  }
}

function later(a: Timestamp | undefined, b: Timestamp | undefined): Timestamp | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a.seconds > b.seconds || (a.seconds === b.seconds && a.nanoseconds > b.nanoseconds) ? a : b
}
