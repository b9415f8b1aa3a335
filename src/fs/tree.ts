import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import mime from 'mime/lite'
import { withoutDigests } from '../backend/content-digests.js'
import { isSameVersion } from '../backend/etag.js'
import type {
  Attachments,
  Metadata,
  ObjectHeaders,
  ObjectInfo,
  ObjectStore,
  ObjectVersion,
  WriteResult,
} from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import type { Clock } from '../cache/clock.js'
import type { FolderTimes } from '../cache/folder-times.js'
import type { KnownVersion, KnownVersions } from '../cache/known-versions.js'
import type { Found, MetadataCache } from '../cache/metadata-cache.js'
import {
  type AttributeDefaults,
  attributesFrom,
  S_IFDIR,
  S_IFREG,
  timestampOf,
  toMs,
  typeFrom,
  WRITE_ID,
  withAttributes,
} from './attributes.js'
import { Finder } from './finder.js'
import { FsError } from './fs-error.js'
import type { Inodes } from './inodes.js'
import { Knowledge } from './knowledge.js'
import { KnownTraits, type Told } from './known-traits.js'
import { childKey, isPartial, SELF_SLOT } from './names.js'
import type { Node } from './node.js'
import type { Attributes, AttributesReply, Entry, Timestamp } from './operations.js'
import { ShownAttributes } from './shown-attributes.js'

export interface TreeOptions {
  readonly store: ObjectStore
  readonly metadata: MetadataCache
  readonly known: KnownVersions
  readonly folderTimes: FolderTimes
  readonly inodes: Inodes
  readonly defaults: AttributeDefaults
  readonly ttlMs: number
  readonly clock: Clock
  /** `--attributes full`: the attributes of every version are asked for at its first sight, else when it is opened. */
  readonly asksAll: boolean
  /** Random words. */
  readonly newId?: (() => string) | undefined
}

/** What a slot leads to, and until when that counts. */
interface Looked {
  readonly node: Node | undefined
  readonly expiresMs: number
}

/** What names lead to: the bucket's truth as the metadata cache knows it, under the mount's own. */
export class Tree {
  readonly inodes: Inodes
  readonly metadata: MetadataCache
  readonly store: ObjectStore
  readonly knowledge: Knowledge
  readonly shown: ShownAttributes
  readonly traits: KnownTraits
  readonly #finder: Finder
  readonly #folderTimes: FolderTimes
  readonly #ttlMs: number
  readonly #clock: Clock
  readonly #newId: () => string

  constructor(options: TreeOptions) {
    this.store = options.store
    this.metadata = options.metadata
    this.inodes = options.inodes
    this.knowledge = new Knowledge(options.store, options.known, options.asksAll)
    this.#finder = new Finder(options.store, options.metadata, this.knowledge, () => this.expiry())
    this.#ttlMs = options.ttlMs
    this.#clock = options.clock
    this.#newId = options.newId ?? randomUUID
    this.traits = new KnownTraits({ ...options, nowMs: () => this.nowMs() })
    this.shown = new ShownAttributes({ ...options, startedMs: options.clock.nowMs() })
    this.#folderTimes = options.folderTimes
  }

  nowMs(): number {
    return this.#clock.nowMs()
  }

  now(): Timestamp {
    return timestampOf(this.nowMs())
  }

  /** The node that a slot leads to; undefined when there is nothing, `expiresMs` tells how long that counts. */
  async lookup(parent: Node, slot: string): Promise<Looked> {
    const known = this.known(parent, slot)
    if (known !== undefined) return known
    const path = parent.pathOf(slot)
    const found = await this.#finder.find(parent, slot)
    // Found under the old name of a folder that was renamed meanwhile.
    if (path !== parent.pathOf(slot)) return this.lookup(parent, slot)
    return { node: this.adopt(parent, slot, found), expiresMs: found.expiresMs }
  }

  /** The same where there is nothing to ask; undefined where there is. */
  known(parent: Node, slot: string): Looked | undefined {
    const child = parent.children.get(slot)
    if (child?.isLocal === true) return { node: child, expiresMs: this.expiry() }
    const found = this.#finder.known(parent, slot)
    return found && { node: this.adopt(parent, slot, found), expiresMs: found.expiresMs }
  }

  /** Runs `task` with the node that a slot leads to, or undefined; what only the lookup needed goes again. */
  async with<T>(parent: Node, slot: string, task: (node: Node | undefined) => Promise<T>): Promise<T> {
    const { node } = await this.lookup(parent, slot)
    return node === undefined ? task(node) : this.inodes.using(node, () => task(node))
  }

  /** What is known to stand at a slot, without asking. */
  existing(parent: Node, slot: string): Node | undefined {
    const child = parent.children.get(slot)
    if (child?.isLocal === true) return child
    if (slot === SELF_SLOT || isPartial(slot)) return child
    const found = this.metadata.known(parent.prefix, slot)
    if (found === undefined || (found.version !== undefined && this.knowledge.isTypeOpen(found.version)))
      return undefined
    return this.adopt(parent, slot, found)
  }

  /** The node for what was found at a slot: the one that shows it, or a new one. A directory hides an object. */
  adopt(parent: Node, slot: string, found: Found): Node | undefined {
    const child = parent.children.get(slot)
    // The answer may be older than what this mount does there at the moment.
    if (child?.isLocal === true || child?.isChanging === true) return child
    const stays = () => parent.rememberedDirectories.has(slot) || child?.holdsLocal === true
    if (found.isDirectory || (found.version === undefined && stays()))
      return this.#adoptDirectory(parent, slot, child, found)
    if (found.version === undefined) {
      if (child !== undefined) this.inodes.detach(child)
      return undefined
    }
    // Others have made a file where the folder was.
    parent.rememberedDirectories.delete(slot)
    if (found.info !== undefined) this.knowledge.known.seen(found.info)
    const known = this.knowledge.known.find(found.version)
    const type = known === undefined ? S_IFREG : typeFrom(known.metadata)
    const isShown = child?.isDirectory === false && isSameVersion(child.version, found.version)
    const node = isShown && (known === undefined || child.type === type) ? child : this.inodes.make(parent, slot, type)
    node.expiresMs = found.expiresMs
    // Of another time when others have changed what is kept beside the bytes.
    if (node.version?.lastModifiedMs !== found.version.lastModifiedMs) node.version = found.version
    // Metadata that others changed, or that this mount has forgotten, is asked for anew when it is needed: not in the
    // midst of writing, when programs have changed what was known.
    if (known === undefined) node.known = node.writer === undefined ? undefined : node.known
    else if (!isDeepStrictEqual(known.metadata, node.known?.metadata)) this.#take(node, known)
    return node
  }

  /**
   * Knows what is kept beside the bytes of a stored file: from `read`, which fetches something of it, where that is
   * given, else from HEAD. ESTALE when the file is not what it seemed to be: another version by now, or its type, mode
   * or owner are others than what was shown. The kernel then looks the name up again.
   */
  async learn(node: Node, read?: () => Promise<unknown>): Promise<void> {
    const { version } = node
    if (version === undefined || node.known !== undefined) return
    const shown = this.shown.of(node)
    const { known } = this.knowledge
    let found = known.find(version)
    if (found === undefined && read !== undefined) {
      await this.#reading(node, read)
      found = known.find(version)
    }
    if (found === undefined) {
      await this.#ask(node, version)
      found = known.find(version)
    }
    // The file was renamed meanwhile, perhaps with its folder, or stored.
    if (node.version !== version) return this.learn(node, read)
    // Another call has learnt it meanwhile, and what programs have changed since stays.
    if (node.known === undefined && found !== undefined) this.#take(node, found)
    this.#checkShown(node, shown)
  }

  /** What is kept beside the bytes: ESTALE when the stored file is another version by now. */
  async attachments(node: Node, told?: Told): Promise<Attachments> {
    if (node.version !== undefined && node.known === undefined) await this.learn(node)
    const traits = await this.traits.of(node, told)
    const { known, edited, own } = node
    const kept = edited?.metadata ?? known?.metadata ?? {}
    const beside = node.writer?.hasUnstoredContent === true ? withoutDigests(kept, known?.metadata ?? {}) : kept
    const metadata = withAttributes(beside, own, node.type)
    return { metadata, headers: this.headers(node), traits }
  }

  /** The content headers of a file; of a new one what its name tells. */
  headers(node: Node): ObjectHeaders {
    const { known, edited } = node
    return edited?.headers ?? known?.headers ?? { contentType: mime.getType(node.slot) ?? undefined }
  }

  /** The mount stored this version of the node. */
  stored(node: Node, version: ObjectVersion, attachments: Attachments): void {
    const { metadata = {}, headers = {} } = attachments
    const shownModifiedMs = node.modified === undefined ? undefined : toMs(node.modified)
    node.version = version
    node.replaced = undefined
    forgetDigests(node, metadata)
    node.known = { metadata, headers, traits: this.traits.stored(attachments.traits), shownModifiedMs }
    node.expiresMs = this.expiry()
    this.knowledge.known.wrote(version, node.known)
    this.metadata.stored({ ...version, metadata, headers })
  }

  /** What is written goes behind a version of others, which the node shows from now on. */
  follow(node: Node, info: ObjectInfo): void {
    this.knowledge.known.seen(info)
    node.version = info
    node.replaced = undefined
    // The time of the last write, or the one that a program has set since.
    const { modified, own } = node
    this.#learn(node, info)
    node.modified = modified
    node.own = { ...node.own, mtime: own.mtime, ctime: undefined }
  }

  /** The node's stored object has been copied to where the node is now, with all that is kept beside it. */
  moved(node: Node, version: ObjectVersion): void {
    // The copy has a new time, which is not the file's.
    node.modified ??= this.shown.of(node).mtime
    node.version = version
    node.expiresMs = this.expiry()
    if (node.known === undefined) this.metadata.forget(version.key)
    else {
      node.known = { ...node.known, shownModifiedMs: toMs(node.modified) }
      this.knowledge.known.wrote(version, node.known)
      this.metadata.stored({ ...version, ...node.known })
    }
  }

  /** The metadata of what must be new, so that it is told from the same that others make. */
  newMetadata(metadata: Metadata): Metadata {
    return { ...metadata, [WRITE_ID]: this.#newId() }
  }

  /** When something learnt now stops to count. */
  expiry(): number {
    return this.#clock.nowMs() + this.#ttlMs
  }

  /** How much longer something counts. */
  remainingMs(expiresMs: number): number {
    return Math.max(0, expiresMs - this.#clock.nowMs())
  }

  attributesReply(node: Node): AttributesReply {
    const ttlMs = this.remainingMs(node.isLocal || node.parent === undefined ? this.expiry() : node.expiresMs)
    return { attributes: this.shown.of(node), ttlMs }
  }

  /** An answer that counts as one lookup of the node. */
  entry(node: Node): Entry {
    this.inodes.remember(node)
    const { attributes, ttlMs } = this.attributesReply(node)
    return { attributes, ttlMs, node: node.id, entryTtlMs: ttlMs }
  }

  /**
   * The key of an object to be made at a slot. ENAMETOOLONG where no store takes it; EPERM for names that no object
   * of its own can have.
   */
  newKey(parent: Node, slot: string): string {
    if (isPartial(slot)) throw new FsError('EPERM', 'the name stands for the beginning of longer keys')
    if (slot === '') throw new FsError('EPERM', `the name stands for ${parent.prefix}, the marker of the folder`)
    return slot === SELF_SLOT ? parent.path : childKey(parent.prefix, slot)
  }

  /** Something was made, removed or renamed in a folder. */
  touchDirectory(directory: Node): void {
    const now = this.now()
    directory.accessed ??= this.shown.of(directory).atime
    directory.changed = now
    this.#folderTimes.set(directory.path, { modified: now, changed: now })
  }

  /** A program gave the folder other times, or it is gone. */
  forgetTimes(directory: Node): void {
    this.#folderTimes.delete(directory.path)
  }

  /** The object that has the folder's own key without the slash, as far as known. */
  besideOf(directory: Node): ObjectVersion | undefined {
    const { parent, slot, beside } = directory
    if (parent === undefined || isPartial(slot)) return undefined
    const known = this.metadata.known(parent.prefix, slot)
    return known === undefined ? beside : known.version
  }

  #adoptDirectory(parent: Node, slot: string, child: Node | undefined, found: Found): Node {
    const node = child?.isDirectory === true ? child : this.inodes.make(parent, slot, S_IFDIR)
    node.expiresMs = found.expiresMs
    node.beside = found.version
    if (found.marker !== undefined) this.showMarker(node, found.marker)
    else if (node.known === undefined && node !== child) this.#showLastMarker(node)
    return node
  }

  /** The listing of the parent does not tell the marker's version: the last one that was seen is shown until it is opened. */
  #showLastMarker(node: Node): void {
    const last = this.knowledge.known.lastOf(node.prefix)
    if (last !== undefined) node.own = attributesFrom(last.metadata)
  }

  /** This mount stored the folder's marker. */
  storedMarker(node: Node, { etag, versionId }: WriteResult, known: KnownVersion): void {
    const lastModifiedMs = this.nowMs()
    node.marker = { key: node.prefix, sizeBytes: 0, etag, versionId, lastModifiedMs }
    node.known = { ...known, traits: this.traits.stored(known.traits) }
    this.knowledge.known.wrote(node.marker, node.known)
    this.metadata.madeDirectory(node.path, node.marker)
  }

  /** The folder's own object has been seen: what is known of it is shown, and else asked for when it is opened. */
  showMarker(node: Node, marker: ObjectVersion): void {
    if (node.isChanging) return
    node.marker = marker
    const known = this.knowledge.known.find(marker)
    if (known === undefined) node.known = undefined
    else if (!isDeepStrictEqual(known.metadata, node.known?.metadata)) this.#learn(node, marker)
  }

  /** Knows the attributes of a folder whose listing has begun; ESTALE where they are others than what was shown. */
  async learnDirectory(node: Node, marker: ObjectVersion | undefined): Promise<void> {
    if (marker === undefined || node.known !== undefined) return
    const shown = this.shown.of(node)
    if (this.knowledge.known.find(marker) === undefined) await this.knowledge.ask([marker])
    this.showMarker(node, marker)
    this.#checkShown(node, shown)
  }

  #learn(node: Node, version: ObjectVersion): void {
    const known = this.knowledge.known.find(version)
    if (known !== undefined) this.#take(node, known)
  }

  #take(node: Node, known: KnownVersion): void {
    node.known = known
    node.edited = undefined
    node.own = attributesFrom(known.metadata)
    if (known.shownModifiedMs !== undefined) node.modified = timestampOf(known.shownModifiedMs)
  }

  #checkShown(node: Node, shown: Attributes): void {
    if (node.known !== undefined && !node.isDirectory && typeFrom(node.known.metadata) !== node.type) {
      this.inodes.detach(node)
      throw new FsError('ESTALE', `${node.path} is no plain file`)
    }
    const { mode, uid, gid } = this.shown.of(node)
    if (mode !== shown.mode || uid !== shown.uid || gid !== shown.gid)
      throw new FsError('ESTALE', `${node.path} has other attributes than a listing told`)
  }

  async #reading(node: Node, read: () => Promise<unknown>): Promise<void> {
    try {
      await read()
    } catch (error) {
      if (isStoreError(error, 'precondition-failed', 'not-found')) throw this.#changed(node, error)
      throw error
    }
  }

  async #ask(node: Node, version: ObjectVersion): Promise<void> {
    const info = await this.knowledge.head(version.key)
    if (node.version !== version) return
    if (info === undefined || !isSameVersion(version, info)) throw this.#changed(node)
    this.knowledge.known.seen(info)
  }

  #changed(node: Node, cause?: unknown): FsError {
    this.metadata.forget(node.path)
    return new FsError('ESTALE', `${node.path} was changed by others`, cause)
  }
}

/** What programs have edited keeps no digest that was left out of what has been stored: it is of bytes that are gone. */
function forgetDigests(node: Node, stored: Metadata): void {
  if (node.edited === undefined) return
  const old = Object.entries(node.known?.metadata ?? {})
  const gone = Object.fromEntries(old.filter(([name]) => stored[name] === undefined))
  node.edited = { ...node.edited, metadata: withoutDigests(node.edited.metadata, gone) }
}
