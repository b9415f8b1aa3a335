import type { ObjectVersion } from '../backend/object-store.js'
import type { KnownVersion } from '../cache/known-versions.js'
import { NO_ATTRIBUTES, type OwnAttributes, S_IFDIR, S_IFREG } from './attributes.js'
import type { FileWriter } from './file-writer.js'
import { Mutex } from './mutex.js'
import type { Timestamp } from './operations.js'

/**
 * A file or folder that the kernel or an open handle knows. A node shows one version made by others for all its life;
 * a newer one gets a node of its own (with the same ino). What this mount commits becomes the node's version.
 */
export class Node {
  readonly id: number
  readonly isDirectory: boolean
  /**
   * Held by whatever changes a file's bytes, its stored object or its name: writes, commits, changes of attributes,
   * removing and renaming. Who needs two takes the one of the lower id first.
   */
  readonly lock = new Mutex()
  /** st_ino. */
  readonly ino: number
  /** Undefined for the root. */
  parent: Node | undefined
  name: string
  /** How often the kernel was given this node and has not forgotten it. */
  lookups = 0
  /** Open handles and calls under way that need it. */
  uses = 0
  /** The stored object that a file shows; undefined while there is none. */
  version: ObjectVersion | undefined
  /** What is stored under the name until the file, which is not stored yet, replaces it: it goes when the name does. */
  replaced: ObjectVersion | undefined
  /** What is kept beside the bytes of `version` (or of a folder's marker), once known. */
  known: KnownVersion | undefined
  /** What programs set; follows `known` until something is changed here. */
  own: OwnAttributes = NO_ATTRIBUTES
  /** When this mount last changed the content, the attributes, or read it; else the store's times hold. */
  modified: Timestamp | undefined
  changed: Timestamp | undefined
  accessed: Timestamp | undefined
  /** Until when what is shown counts as what the bucket holds. */
  expiresMs = 0
  /** There while a handle is open for writing or something is not stored yet. */
  writer: FileWriter | undefined
  /** The name leads elsewhere by now, or nowhere. */
  isDetached = false
  /** This mount has removed the name: nothing of the node is to be stored any more. */
  isUnlinked = false
  /** Nodes by name; only of folders. */
  readonly children = new Map<string, Node>()
  /** Folders below that stay visible although the bucket may hold no key of them; only of folders. */
  readonly rememberedDirectories = new Set<string>()

  constructor(id: number, ino: number, isDirectory: boolean, parent: Node | undefined, name: string) {
    this.id = id
    this.ino = ino
    this.isDirectory = isDirectory
    this.parent = parent
    this.name = name
  }

  /** st_mode's type bits. */
  get type(): number {
    return this.isDirectory ? S_IFDIR : S_IFREG
  }

  /** The key without a trailing slash; empty for the root. */
  get path(): string {
    return this.parent === undefined ? '' : this.parent.prefix + this.name
  }

  /** What the keys below a folder begin with. */
  get prefix(): string {
    return this.parent === undefined ? '' : `${this.path}/`
  }

  /** The bucket does not hold what this node shows: it is the mount's own truth. */
  get isLocal(): boolean {
    if (this.isUnlinked) return false
    return this.writer?.isDirty === true || (!this.isDirectory && !this.isDetached && this.version === undefined)
  }
}
