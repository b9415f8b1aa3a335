import { isDeepStrictEqual } from 'node:util'
import mime from 'mime/lite'
import { isSameVersion } from '../backend/etag.js'
import type {
  Attachments,
  ObjectHeaders,
  ObjectInfo,
  ObjectStore,
  ObjectTraits,
  ObjectVersion,
} from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import type { Clock } from '../cache/clock.js'
import type { FolderTimes } from '../cache/folder-times.js'
import type { KnownVersions } from '../cache/known-versions.js'
import type { Found, MetadataCache } from '../cache/metadata-cache.js'
import {
  type AttributeDefaults,
  attributesFrom,
  S_IFDIR,
  S_IFREG,
  timestampOf,
  toMs,
  typeFrom,
  withAttributes,
} from './attributes.js'
import { FsError } from './fs-error.js'
import type { Inodes } from './inodes.js'
import { childKey, entryOf, isPartial, partialText, SELF_SLOT } from './names.js'
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
}

/** What names lead to: the bucket's truth as the metadata cache knows it, under the mount's own. */
export class Tree {
  readonly inodes: Inodes
  readonly metadata: MetadataCache
  readonly store: ObjectStore
  readonly asksAll: boolean
  readonly shown: ShownAttributes
  readonly #known: KnownVersions
  readonly #folderTimes: FolderTimes
  readonly #ttlMs: number
  readonly #clock: Clock

  constructor(options: TreeOptions) {
    this.store = options.store
    this.metadata = options.metadata
    this.inodes = options.inodes
    this.#known = options.known
    this.#ttlMs = options.ttlMs
    this.#clock = options.clock
    this.shown = new ShownAttributes({ ...options, startedMs: options.clock.nowMs() })
    this.#folderTimes = options.folderTimes
    this.asksAll = options.asksAll
  }

  nowMs(): number {
    return this.#clock.nowMs()
  }

  now(): Timestamp {
    return timestampOf(this.nowMs())
  }

  /** The node that a slot leads to; undefined when there is nothing, `expiresMs` tells how long that counts. */
  async lookup(parent: Node, slot: string): Promise<{ readonly node: Node | undefined; readonly expiresMs: number }> {
    const child = parent.children.get(slot)
    if (child?.isLocal === true) return { node: child, expiresMs: this.expiry() }
    const path = parent.pathOf(slot)
    const found = await this.#found(parent, slot)
    // Found under the old name of a folder that was renamed meanwhile.
    if (path !== parent.pathOf(slot)) return this.lookup(parent, slot)
    return { node: this.adopt(parent, slot, found), expiresMs: found.expiresMs }
  }

  /** What is known to stand at a slot, without asking. */
  existing(parent: Node, slot: string): Node | undefined {
    const child = parent.children.get(slot)
    if (child?.isLocal === true) return child
    if (slot === SELF_SLOT || isPartial(slot)) return child
    const found = this.metadata.known(parent.prefix, slot)
    if (found === undefined || (found.version !== undefined && this.isTypeOpen(found.version))) return undefined
    return this.adopt(parent, slot, found)
  }

  /** The node for what was found at a slot: the one that shows it, or a new one. A directory hides an object. */
  adopt(parent: Node, slot: string, found: Found): Node | undefined {
    const child = parent.children.get(slot)
    if (child?.isLocal === true) return child
    if (found.isDirectory || (found.version === undefined && parent.rememberedDirectories.has(slot)))
      return this.#adoptDirectory(parent, slot, child, found)
    if (found.version === undefined) {
      if (child !== undefined) this.inodes.detach(child)
      return undefined
    }
    if (found.info !== undefined) this.#known.seen(found.info)
    const known = this.#known.find(found.version)
    const type = known === undefined ? S_IFREG : typeFrom(known.metadata)
    const isShown = child?.isDirectory === false && isSameVersion(child.version, found.version)
    const node = isShown && (known === undefined || child.type === type) ? child : this.inodes.make(parent, slot, type)
    node.expiresMs = found.expiresMs
    node.version ??= found.version
    if (node.isChanging) return node
    // Metadata that others changed, or that this mount has forgotten, is asked for anew when it is needed.
    if (known === undefined) node.known = undefined
    else if (!isDeepStrictEqual(known.metadata, node.known?.metadata)) this.#learn(node, node.version)
    return node
  }

  /** An object of which a listing does not tell whether it is a file: of no bytes, and never seen. */
  isTypeOpen(version: ObjectVersion): boolean {
    return (this.asksAll || version.sizeBytes === 0) && this.#known.find(version) === undefined
  }

  /** The type bits of an object that a listing names; undefined where only a look at it tells. */
  typeOf(version: ObjectVersion): number | undefined {
    const known = this.#known.find(version)
    if (known !== undefined) return typeFrom(known.metadata)
    return this.isTypeOpen(version) ? undefined : S_IFREG
  }

  /** What HEAD tells of the stored file now; undefined when it is gone or another version. */
  async info(version: ObjectVersion): Promise<ObjectInfo | undefined> {
    const info = await this.#head(version.key)
    return info !== undefined && isSameVersion(version, info) ? info : undefined
  }

  /** Asks for what is kept beside the bytes of several versions, at the same time. What is gone meanwhile is left out. */
  async ask(versions: readonly ObjectVersion[]): Promise<void> {
    await Promise.all(
      versions.map(async ({ key }) => {
        const info = await this.#head(key)
        if (info !== undefined) this.#known.seen(info)
      }),
    )
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
    if (read !== undefined && this.#known.find(version) === undefined) await this.#reading(node, read)
    if (this.#known.find(version) === undefined) await this.#ask(node, version)
    // The file was renamed meanwhile, perhaps with its folder, or stored.
    if (node.version !== version) return this.learn(node, read)
    this.#learn(node, version)
    this.#checkShown(node, shown)
  }

  /** What is kept beside the bytes: ESTALE when the stored file is another version by now. */
  async attachments(node: Node): Promise<Attachments> {
    if (node.version !== undefined && node.known === undefined) await this.learn(node)
    const traits = await this.#traits(node)
    const { known, edited, own } = node
    const metadata = withAttributes(edited?.metadata ?? known?.metadata ?? {}, own, node.type)
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
    node.known = { metadata, headers, traits: attachments.traits ?? {}, shownModifiedMs }
    node.expiresMs = this.expiry()
    this.#known.wrote(version, node.known)
    this.metadata.stored({ ...version, metadata, headers })
  }

  /** What is written goes behind a version of others, which the node shows from now on. */
  follow(node: Node, info: ObjectInfo): void {
    this.#known.seen(info)
    node.version = info
    node.replaced = undefined
    this.#learn(node, info)
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

  attributesReply(node: Node): AttributesReply {
    const ttlMs = this.remainingMs(node.isLocal || node.parent === undefined ? this.expiry() : node.expiresMs)
    return { attributes: this.shown.of(node), ttlMs }
  }

  /** An answer that counts as one lookup of the node. */
  entry(node: Node): Entry {
    this.inodes.remember(node)
    const reply = this.attributesReply(node)
    return { ...reply, node: node.id, entryTtlMs: reply.ttlMs }
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

  async #found(parent: Node, slot: string): Promise<Found> {
    if (slot === SELF_SLOT) return this.#foundBeside(parent)
    if (isPartial(slot)) return this.#foundPartial(parent, slot)
    const found = await this.metadata.lookup(parent.prefix, slot)
    if (!found.isDirectory) return this.#withType(parent, slot, found)
    if (this.asksAll && parent.children.get(slot)?.marker === undefined)
      await this.#askMarker(`${parent.prefix}${slot}/`)
    else if (found.marker !== undefined && this.#known.find(found.marker) === undefined) await this.ask([found.marker])
    return found
  }

  /** The kernel never lets a node change its type, so that must be known before there is one. */
  async #withType(parent: Node, slot: string, found: Found): Promise<Found> {
    if (found.version === undefined || found.info !== undefined || !this.isTypeOpen(found.version)) return found
    const info = await this.#head(found.version.key)
    if (info !== undefined && isSameVersion(found.version, info)) return { ...found, info }
    this.metadata.forget(parent.pathOf(slot))
    return this.metadata.lookup(parent.prefix, slot)
  }

  async #foundBeside(directory: Node): Promise<Found> {
    const { parent, slot } = directory
    const nothing = { version: undefined, isDirectory: false, info: undefined, expiresMs: this.expiry() }
    if (parent === undefined || isPartial(slot)) return nothing
    const found = await this.metadata.lookup(parent.prefix, slot)
    return this.#withType(parent, slot, { ...found, isDirectory: false })
  }

  async #foundPartial(parent: Node, slot: string): Promise<Found> {
    const prefix = parent.prefix + partialText(slot)
    const leadsHere = (key: string) => entryOf(key.slice(parent.prefix.length), parent.partial)?.slot === slot
    let isDirectory = false
    let cursor: string | undefined
    do {
      const page = await this.store.list({ prefix, delimiter: '/', cursor })
      isDirectory = [...page.objects.map(({ key }) => key), ...page.prefixes.map(key => key.slice(0, -1))].some(
        leadsHere,
      )
      cursor = page.next
    } while (!isDirectory && cursor !== undefined)
    return { version: undefined, isDirectory, info: undefined, expiresMs: this.expiry() }
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
    return node
  }

  /** The folder's own object has been seen: what is known of it is shown. */
  showMarker(node: Node, marker: ObjectVersion): void {
    if (node.marker !== undefined && !isSameVersion(node.marker, marker)) node.known = undefined
    node.marker = marker
    if (node.known === undefined) this.#learn(node, marker)
  }

  /** Knows the attributes of a folder whose listing has begun; ESTALE where they are others than what was shown. */
  async learnDirectory(node: Node, marker: ObjectVersion | undefined): Promise<void> {
    if (marker === undefined || node.known !== undefined) return
    const shown = this.shown.of(node)
    if (this.#known.find(marker) === undefined) await this.ask([marker])
    this.showMarker(node, marker)
    this.#checkShown(node, shown)
  }

  async #askMarker(key: string): Promise<void> {
    const info = await this.#head(key)
    if (info !== undefined) this.#known.seen(info)
  }

  #learn(node: Node, version: ObjectVersion): void {
    const known = this.#known.find(version)
    if (known === undefined) return
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
    const info = await this.#head(version.key)
    if (node.version !== version) return
    if (info === undefined || !isSameVersion(version, info)) throw this.#changed(node)
    this.#known.seen(info)
  }

  #changed(node: Node, cause?: unknown): FsError {
    this.metadata.forget(node.path)
    return new FsError('ESTALE', `${node.path} was changed by others`, cause)
  }

  /** What the store keeps of the object besides, asked for once before it is first written anew. */
  async #traits(node: Node): Promise<ObjectTraits> {
    const stored = node.version ?? node.marker
    if (stored === undefined || node.known === undefined) return {}
    if (node.known.traits !== undefined) return node.known.traits
    const traits = await this.store.traits(stored.key, { listed: stored })
    this.#known.learnTraits(stored, traits)
    node.known = { ...node.known, traits }
    return traits
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
