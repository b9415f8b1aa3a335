import type { ObjectVersion } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import { keysBelow } from '../cache/keys-below.js'
import type { ListedEntry, Listing } from '../cache/listing.js'
import { S_IFDIR, withAttributes } from './attributes.js'
import { FsError } from './fs-error.js'
import { DirectoryHandle } from './handles.js'
import type { Moving } from './moving.js'
import { childKey, entryOf, isPartial, isPlain, nameOfSlot, partialText, SELF_SLOT } from './names.js'
import type { Node } from './node.js'
import type { CallContext, DirectorySink, Entry } from './operations.js'
import type { Tree } from './tree.js'

/** Content type of a folder's marker, as s3fs-fuse and the AWS console have it. */
export const MARKER_HEADERS = { contentType: 'application/x-directory' } as const

/** `.` and `..` take the first offsets of a folder's entries. */
const DOTS = 2

/** How many objects of unknown type are asked for at the same time, `--attributes full`. */
const ASKED_AT_ONCE = 64

/** What stands in a folder at one place of its listing. `isExtra`: the listing does not tell of it. */
interface ShownEntry {
  readonly slot: string
  readonly name: string | Buffer
  readonly version: ObjectVersion | undefined
  readonly isDirectory: boolean
  readonly isExtra: boolean
}

/** Folders: reading, making and removing them. */
export class Directories {
  readonly #tree: Tree
  readonly #moving: Moving

  constructor(tree: Tree, moving: Moving) {
    this.#tree = tree
    this.#moving = moving
  }

  /**
   * Entries from `offset` on until the sink is full: first as the listing has them, page by page, then what only
   * this mount knows of. Offset 0 begins anew with what is true then.
   */
  async read(handle: DirectoryHandle, offset: number, withAttributes: boolean, sink: DirectorySink): Promise<void> {
    const { node } = handle
    if (offset === 0) {
      if (handle.hasBegun) this.close(handle)
      handle.hasBegun = true
      if (!sink.add({ name: '.', ino: node.ino, mode: S_IFDIR, nextOffset: 1, entry: undefined })) return
    }
    if (offset <= 1) {
      const ino = node.parent?.ino ?? node.ino
      if (!sink.add({ name: '..', ino, mode: S_IFDIR, nextOffset: DOTS, entry: undefined })) return
    }
    // The folder was renamed: the same entries stand in the same order below its new prefix.
    if (handle.listed !== undefined && handle.listed.listing.prefix !== node.prefix) this.close(handle)
    handle.listed ??= this.#tree.metadata.listing(node.prefix)
    let isHere = true
    for (let index = Math.max(0, offset - DOTS); ; index++) {
      // Waiting for what is there already would cost more than all the rest.
      if (this.#isMissing(handle, index)) {
        await this.#fetchTo(handle, index)
        isHere = handle.listed?.listing.prefix === node.prefix
      }
      const listed = this.#entryAt(handle, index)
      if (index === 0) this.#sawMarker(handle)
      if (listed === undefined) return
      const entry = this.#shown(handle, listed, index)
      if (entry === undefined) continue
      if (withAttributes && this.#tree.knowledge.asksAll) {
        await this.#ask(handle, entry, index)
        isHere = handle.listed?.listing.prefix === node.prefix
      }
      // Once the folder has another name, the names in it are the kernel's to look up.
      if (!this.#emit(handle, entry, index + DOTS + 1, withAttributes && isHere, sink)) return
    }
  }

  /** Begins to read. ESTALE where the folder's own attributes are others than what was shown. */
  async open(node: Node): Promise<DirectoryHandle> {
    const handle = new DirectoryHandle(node)
    if (node.known !== undefined || node.parent === undefined || isPartial(node.slot)) return handle
    handle.listed = this.#tree.metadata.listing(node.prefix)
    try {
      const { listing } = handle.listed
      // A marker is the first key of all.
      if (listing.entries.length === 0) await listing.more()
      await this.#tree.learnDirectory(node, listing.marker)
      return handle
    } catch (error) {
      this.close(handle)
      throw error
    }
  }

  /** Others may have changed what is kept of the folder: then the next one who opens it learns that. */
  #sawMarker({ node, listed }: DirectoryHandle): void {
    const isOf = listed?.listing.prefix === node.prefix && node.known !== undefined
    if (isOf && listed.listing.marker !== undefined) this.#tree.showMarker(node, listed.listing.marker)
  }

  /** A reader is done with the pages it holds. */
  close(handle: DirectoryHandle): void {
    if (handle.listed !== undefined) this.#tree.metadata.keep(handle.listed)
    handle.listed = undefined
    handle.extras = undefined
    handle.partials.clear()
    handle.askedTo = 0
  }

  /** Stores the marker. EEXIST when another mount has stored it already. */
  async make(parent: Node, slot: string, mode: number, context: CallContext): Promise<Node> {
    if (slot === SELF_SLOT) throw new FsError('EPERM', 'the name stands for an object, not for a folder')
    const { inodes } = this.#tree
    if (parent.children.get(slot)?.isLocal === true) throw new FsError('EEXIST', parent.pathOf(slot))
    if (!isPartial(slot)) childKey(parent.prefix, slot)
    const node = inodes.make(parent, slot, S_IFDIR)
    this.#tree.shown.give(node, mode, context.uid, context.gid)
    // The beginning of longer keys is nothing that could be stored.
    if (isPartial(slot)) parent.rememberedDirectories.add(slot)
    else await this.#storeNew(node)
    node.expiresMs = this.#tree.expiry()
    this.#tree.touchDirectory(node)
    // So it stays when the kernel forgets the folder.
    node.accessed = this.#tree.shown.of(node).mtime
    this.#tree.touchDirectory(parent)
    return node
  }

  /** Removes the marker of an empty folder. ENOTEMPTY when the bucket or this mount has anything below it. */
  remove(parent: Node, slot: string): Promise<void> {
    return this.#tree.with(parent, slot, node => this.#remove(parent, slot, node))
  }

  async #remove(parent: Node, slot: string, node: Node | undefined): Promise<void> {
    if (node === undefined) throw new FsError('ENOENT', parent.pathOf(slot))
    if (!node.isDirectory) throw new FsError('ENOTDIR', node.path)
    const prefix = isPartial(slot) ? parent.prefix + partialText(slot) : node.prefix
    const below = await keysBelow(this.#tree.store, prefix, 2)
    // Where the folder's own key holds bytes, it is more than a marker.
    const hasKeys = below.some(object => object.key !== node.prefix || object.sizeBytes > 0)
    if (node.holdsLocal || hasKeys || this.#tree.besideOf(node) !== undefined || node.rememberedDirectories.size > 0)
      throw new FsError('ENOTEMPTY', node.path)
    if (below.length > 0) await this.#delete(node.prefix)
    if (!isPartial(slot)) this.#tree.metadata.removedDirectory(node.path)
    this.remember(parent)
    parent.rememberedDirectories.delete(slot)
    this.#tree.forgetTimes(node)
    this.#tree.inodes.detach(node)
    this.#tree.touchDirectory(parent)
  }

  /** A folder that this mount may have emptied stays visible to it, with all folders above. */
  remember(directory: Node): void {
    for (let node = directory; node.parent !== undefined; node = node.parent)
      node.parent.rememberedDirectories.add(node.slot)
  }

  /**
   * Carries out `edit`, which changes in memory what is kept of a folder and tells whether there is something to store,
   * and stores it with the marker, which is made where there is none. The root keeps it in memory.
   */
  change(node: Node, edit: () => boolean): Promise<void> {
    return this.#moving.change(
      () => [node.path],
      () => node.lock.run(() => this.#change(node, edit)),
    )
  }

  async #change(node: Node, edit: () => boolean): Promise<void> {
    await this.learn(node)
    const { own, edited } = node
    const { mtime } = this.#tree.shown.of(node)
    if (!edit() || node.parent === undefined || isPartial(node.slot)) return
    // Storing the marker gives it a new time, which is not the folder's.
    node.modified ??= mtime
    node.own = { ...node.own, ctime: this.#tree.shown.of(node).ctime }
    node.isChanging = true
    try {
      await this.#storeMarker(node)
    } catch (error) {
      node.own = own
      node.edited = edited
      throw error
    } finally {
      node.isChanging = false
    }
  }

  /**
   * Knows what is kept with the marker, if there is one. EPERM where the folder's own key holds bytes: it must not become
   * a marker. ESTALE as `open`.
   */
  async learn(node: Node): Promise<void> {
    if (node.known !== undefined || node.parent === undefined || isPartial(node.slot)) return
    const [first] = await keysBelow(this.#tree.store, node.prefix, 1)
    if (first?.key !== node.prefix) return
    if (first.sizeBytes > 0) throw new FsError('EPERM', `${node.prefix} is an object with bytes of its own`)
    await this.#tree.learnDirectory(node, first)
  }

  async #storeMarker(node: Node): Promise<void> {
    const { metadata = {}, headers, traits } = await this.#tree.attachments(node)
    const marker = { metadata, headers: { ...headers, ...MARKER_HEADERS }, traits }
    const condition = node.marker === undefined ? { ifNoneMatch: '*' as const } : { ifMatch: node.marker.etag }
    try {
      const stored = await this.#tree.store.put(node.prefix, new Uint8Array(0), { ...condition, ...marker })
      this.#tree.storedMarker(node, stored, { ...marker, shownModifiedMs: undefined })
    } catch (error) {
      if (!isStoreError(error, 'precondition-failed')) throw error
      // Others may have stored bytes under the folder's own key.
      node.known = undefined
      node.marker = undefined
      throw new FsError('ESTALE', `${node.prefix} was changed by others`, error)
    }
  }

  async #storeNew(node: Node): Promise<void> {
    const { store, metadata, inodes } = this.#tree
    const attachments = {
      headers: MARKER_HEADERS,
      metadata: this.#tree.newMetadata(withAttributes({}, node.own, S_IFDIR)),
    }
    node.isChanging = true
    try {
      const stored = await store.put(node.prefix, new Uint8Array(0), { ifNoneMatch: '*', ...attachments })
      this.#tree.storedMarker(node, stored, { ...attachments, traits: {}, shownModifiedMs: undefined })
    } catch (error) {
      inodes.detach(node)
      metadata.forget(node.path)
      throw isStoreError(error, 'precondition-failed') ? new FsError('EEXIST', node.path, error) : error
    } finally {
      node.isChanging = false
    }
  }

  async #delete(key: string): Promise<void> {
    const [result] = await this.#tree.store.delete([{ key }])
    if (result?.error !== undefined) throw result.error
  }

  #isMissing({ listed, extras }: DirectoryHandle, index: number): boolean {
    return listed !== undefined && extras === undefined && index >= listed.listing.entries.length
  }

  /** Fetches pages until the entry is there; behind the last page, what this mount alone knows. */
  async #fetchTo(handle: DirectoryHandle, index: number): Promise<void> {
    const listing = handle.listed?.listing
    if (listing === undefined) return
    while (this.#isMissing(handle, index) && !listing.isComplete) await listing.more()
    if (this.#isMissing(handle, index))
      handle.extras = { from: listing.entries.length, slots: this.#slotsBeside(handle.node, listing) }
  }

  #entryAt({ node, listed, extras }: DirectoryHandle, index: number): ListedEntry | undefined {
    if (extras === undefined || index < extras.from) return listed?.listing.entries[index]
    const name = extras.slots[index - extras.from]
    if (name === undefined) return undefined
    const isDirectory = node.rememberedDirectories.has(name) || node.children.get(name)?.isDirectory === true
    return { name, version: undefined, isDirectory }
  }

  /** What the listing does not tell of: the mount's own files and folders, and the object that shares the folder's key. */
  #slotsBeside(node: Node, listing: Listing): string[] {
    const local = [...node.children.values()]
      .filter(child => listing.find(child.slot) === undefined && (child.isLocal || child.holdsLocal))
      .map(child => child.slot)
    const slots = new Set([...local, ...node.rememberedDirectories])
    if (this.#tree.besideOf(node) !== undefined) slots.add(SELF_SLOT)
    return [...slots].filter(slot => listing.find(slot) === undefined)
  }

  /** As what an entry of the listing shows in this folder; undefined where it does not, or has done so already. */
  #shown(handle: DirectoryHandle, listed: ListedEntry, index: number): ShownEntry | undefined {
    const { partial } = handle.node
    const { name: slot, version, isDirectory } = listed
    const isExtra = handle.extras !== undefined && index >= handle.extras.from
    if (partial === '' && isPlain(slot)) return { slot, name: slot, version, isDirectory, isExtra }
    if (slot === SELF_SLOT || isPartial(slot))
      return { slot, name: nameOfSlot(slot, partial), version, isDirectory, isExtra }
    const entry = entryOf(slot, partial)
    if (entry === undefined) return undefined
    if (entry.slot === slot) return { slot, name: entry.name, version, isDirectory, isExtra }
    // Many components may begin alike: the first of them shows where they are.
    const first = handle.partials.get(entry.slot) ?? index
    handle.partials.set(entry.slot, first)
    const isThere = isDirectory || version !== undefined
    return first === index && isThere ? { ...entry, version: undefined, isDirectory: true, isExtra } : undefined
  }

  /** Asks for what is kept of this entry and the next ones, where attributes are wanted in full. */
  async #ask(handle: DirectoryHandle, { slot, isExtra }: ShownEntry, index: number): Promise<void> {
    const { knowledge } = this.#tree
    if (isExtra || isPartial(slot) || index < handle.askedTo) return
    const next = handle.listed?.listing.entries.slice(index, index + ASKED_AT_ONCE) ?? []
    handle.askedTo = index + next.length
    const isUnknown = ({ version }: ListedEntry) => version !== undefined && knowledge.isTypeOpen(version)
    const keys = next.flatMap(one =>
      one.isDirectory ? [`${handle.node.prefix}${one.name}/`] : isUnknown(one) ? [handle.node.prefix + one.name] : [],
    )
    await Promise.all(keys.map(key => knowledge.askKey(key)))
  }

  /** What the listing does not tell of (any more) is told of once, among the extras. */
  #isThere(parent: Node, { slot, version, isDirectory, isExtra }: ShownEntry): boolean {
    if (isDirectory || version !== undefined) return true
    if (slot === SELF_SLOT)
      return this.#tree.besideOf(parent) !== undefined || parent.children.get(slot)?.isLocal === true
    return isExtra && (parent.children.has(slot) || this.#tree.existing(parent, slot) !== undefined)
  }

  /** False when the sink is full. */
  #emit(
    handle: DirectoryHandle,
    shown: ShownEntry,
    nextOffset: number,
    withAttributes: boolean,
    sink: DirectorySink,
  ): boolean {
    const parent = handle.node
    const { slot, name } = shown
    if (!this.#isThere(parent, shown)) return true
    const child = parent.children.get(slot)
    const node = withAttributes ? this.#nodeOf(handle, shown, child) : undefined
    const entry: Entry | undefined = node === undefined ? undefined : this.#tree.entry(node)
    const mode = node?.type ?? this.#typeOf(shown, child)
    const ino = node?.ino ?? child?.ino ?? this.#tree.inodes.inoOf(parent.pathOf(slot))
    if (sink.add({ name, ino, mode, nextOffset, entry })) return true
    if (entry !== undefined) this.#tree.inodes.forget(entry.node, 1)
    return false
  }

  /** The type bits; 0 where only a look at the object tells. */
  #typeOf({ version, isDirectory }: ShownEntry, child: Node | undefined): number {
    if (isDirectory) return S_IFDIR
    if (version === undefined) return child?.type ?? 0
    return this.#tree.knowledge.typeOf(version) ?? 0
  }

  /**
   * The node to show with its attributes; undefined where what is listed may be older than what is known, or does not
   * tell the type.
   */
  #nodeOf(handle: DirectoryHandle, shown: ShownEntry, child: Node | undefined): Node | undefined {
    const { slot, version, isDirectory } = shown
    // A name of this mount alone: nothing to learn from the listing.
    if (version === undefined && !isDirectory) return child
    const expiresMs = handle.listed?.expiresMs ?? 0
    if (child !== undefined && this.#tree.remainingMs(expiresMs) === 0) return undefined
    if (!isDirectory && version !== undefined && this.#tree.knowledge.isTypeOpen(version)) return undefined
    return this.#tree.adopt(handle.node, slot, { version, isDirectory, info: undefined, expiresMs })
  }
}
