import type { Metadata, ObjectHeaders, ObjectVersion } from '../backend/object-store.js'
import type { KnownVersion } from '../cache/known-versions.js'
import { NO_ATTRIBUTES, type OwnAttributes, S_IFDIR } from './attributes.js'
import type { FileReads } from './file-reads.js'
import type { FileWriter } from './file-writer.js'
import { Mutex } from './mutex.js'
import { isPartial, partialText, SELF_SLOT } from './names.js'
import type { Timestamp } from './operations.js'

/** Nodes by slot. */
class Children extends Map<string, Node> {
  /** How many of them are folders. */
  directories = 0

  override set(slot: string, node: Node): this {
    if (this.has(slot)) this.delete(slot)
    if (node.isDirectory) this.directories += 1
    return super.set(slot, node)
  }

  override delete(slot: string): boolean {
    if (this.get(slot)?.isDirectory === true) this.directories -= 1
    return super.delete(slot)
  }
}

/** Of files, of which there are many: they never have any. */
const NO_CHILDREN = new Children()
const NO_DIRECTORIES = new Set<string>()

/**
 * A file or folder that the kernel or an open handle knows. A node shows one version made by others for all its life;
 * a newer one gets a node of its own (with the same ino). What this mount commits becomes the node's version.
 */
export class Node {
  readonly id: number
  /** st_mode's type bits. */
  readonly type: number
  /** st_ino. */
  readonly ino: number
  /** Undefined for the root. */
  parent: Node | undefined
  /** What its folder names it by (names.ts): the component of its key, but for what no component is. */
  slot: string
  /** How often the kernel was given this node and has not forgotten it. */
  lookups = 0
  /** Open handles and calls under way that need it. */
  uses = 0
  /** Open file handles. */
  openFiles = 0
  /** How they are read; undefined while there is no handle. */
  reads: FileReads | undefined
  /** The stored object that a file shows; undefined while there is none. */
  version: ObjectVersion | undefined
  /** What is stored under the name until the file, which is not stored yet, replaces it: it goes when the name does. */
  replaced: ObjectVersion | undefined
  /** What is kept beside the bytes of `version` (or of a folder's marker), once known. */
  known: KnownVersion | undefined
  /** What programs set; follows `known` until something is changed here. */
  own: OwnAttributes = NO_ATTRIBUTES
  /** Metadata (without attributes) and headers as programs changed them; undefined: those of `known`. */
  edited: { readonly metadata: Metadata; readonly headers: ObjectHeaders } | undefined
  /** The object whose key is the folder's own without the slash, and the folder's marker; only of folders. */
  beside: ObjectVersion | undefined
  marker: ObjectVersion | undefined
  /** When this mount last changed the content, the attributes, or read it; else the store's times hold. */
  modified: Timestamp | undefined
  changed: Timestamp | undefined
  accessed: Timestamp | undefined
  /**
   * What this mount changes of it, its attributes or its name, is on its way to the store: no answer of the store counts
   * until that is known. Set under the lock.
   */
  isChanging = false
  /** Made when somebody takes it: most are only listed. */
  #lock: Mutex | undefined
  /** Until when what is shown counts as what the bucket holds. */
  expiresMs = 0
  /** There while a handle is open for writing or something is not stored yet. */
  writer: FileWriter | undefined
  /** It has had one: what the kernel holds of it may be other bytes than those of a version. */
  hasHadWriter = false
  /** The name leads elsewhere by now, or nowhere. */
  isDetached = false
  /** This mount has removed the name: nothing of the node is to be stored any more. */
  isUnlinked = false
  /** Nodes by name; only of folders. */
  readonly children: Children
  /** Folders below that stay visible although the bucket may hold no key of them; only of folders. */
  readonly rememberedDirectories: Set<string>

  constructor(id: number, ino: number, type: number, parent: Node | undefined, slot: string) {
    this.id = id
    this.ino = ino
    this.type = type
    this.parent = parent
    this.slot = slot
    this.children = this.isDirectory ? new Children() : NO_CHILDREN
    this.rememberedDirectories = this.isDirectory ? new Set() : NO_DIRECTORIES
  }

  /**
   * Held by whatever changes a file's bytes, its stored object or its name: writes, commits, changes of attributes,
   * removing and renaming. Who needs two takes the one of the lower id first.
   */
  get lock(): Mutex {
    this.#lock ??= new Mutex()
    return this.#lock
  }

  get isDirectory(): boolean {
    return this.type === S_IFDIR
  }

  /** The beginning that all components below share where they are too long for one name (names.ts); else empty. */
  get partial(): string {
    return isPartial(this.slot) ? partialText(this.slot) : ''
  }

  /** The key without a trailing slash; empty for the root. */
  get path(): string {
    return this.parent === undefined ? '' : this.parent.pathOf(this.slot)
  }

  /** What the keys below a folder begin with. */
  get prefix(): string {
    if (this.parent === undefined) return ''
    return isPartial(this.slot) ? this.parent.prefix : `${this.path}/`
  }

  /** The path of what stands at a slot of this folder. */
  pathOf(slot: string): string {
    return slot === SELF_SLOT ? this.path : this.prefix + slot
  }

  /** The bucket does not hold what this node shows: it is the mount's own truth. */
  get isLocal(): boolean {
    if (this.isUnlinked) return false
    return this.writer?.isDirty === true || (!this.isDirectory && !this.isDetached && this.version === undefined)
  }

  /** Something below this folder is the mount's own truth, so the folder is there whatever the bucket says. */
  get holdsLocal(): boolean {
    return [...this.children.values()].some(child => child.isLocal || child.holdsLocal)
  }
}
