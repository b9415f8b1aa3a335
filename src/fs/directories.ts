import { isStoreError } from '../backend/store-error.js'
import { keysBelow } from '../cache/keys-below.js'
import type { ListedEntry } from '../cache/listing.js'
import { S_IFDIR, S_IFREG, withAttributes } from './attributes.js'
import { FsError } from './fs-error.js'
import type { DirectoryHandle } from './handles.js'
import { childKey, nameOf } from './names.js'
import type { Node } from './node.js'
import type { CallContext, DirectorySink, Entry } from './operations.js'
import type { Tree } from './tree.js'

/** Content type of a folder's marker, as s3fs-fuse and the AWS console have it. */
export const MARKER_HEADERS = { contentType: 'application/x-directory' } as const

/** `.` and `..` take the first offsets of a folder's entries. */
const DOTS = 2

/** `isExtra`: this mount alone knows of it. */
type ShownEntry = ListedEntry & { readonly isExtra?: boolean }

/** Folders: reading, making and removing them. */
export class Directories {
  readonly #tree: Tree

  constructor(tree: Tree) {
    this.#tree = tree
  }

  /**
   * Entries from `offset` on until the sink is full: first as the listing has them, page by page, then what only
   * this mount knows of. Offset 0 begins anew with what is true then.
   */
  async read(handle: DirectoryHandle, offset: number, withAttributes: boolean, sink: DirectorySink): Promise<void> {
    const { node } = handle
    if (offset === 0) {
      this.close(handle)
      if (!sink.add({ name: Buffer.from('.'), ino: node.ino, mode: S_IFDIR, nextOffset: 1, entry: undefined })) return
    }
    if (offset <= 1) {
      const ino = node.parent?.ino ?? node.ino
      if (!sink.add({ name: Buffer.from('..'), ino, mode: S_IFDIR, nextOffset: DOTS, entry: undefined })) return
    }
    handle.listed ??= this.#tree.metadata.listing(node.prefix)
    for (let index = Math.max(0, offset - DOTS); ; index++) {
      const entry = await this.#entryAt(handle, index)
      if (entry === undefined) return
      if (!this.#emit(handle, entry, index + DOTS + 1, withAttributes, sink)) return
    }
  }

  /** A reader is done with the pages it holds. */
  close(handle: DirectoryHandle): void {
    if (handle.listed !== undefined) this.#tree.metadata.keep(handle.listed)
    handle.listed = undefined
    handle.extras = undefined
  }

  /** Stores the marker. EEXIST when another mount has stored it already. */
  async make(parent: Node, name: string, mode: number, context: CallContext): Promise<Node> {
    const key = `${childKey(parent.prefix, name)}/`
    const { inodes, store, metadata } = this.#tree
    if (parent.children.has(name) && parent.children.get(name)?.isLocal === true)
      throw new FsError('EEXIST', parent.prefix + name)
    const node = inodes.make(parent, name, true)
    try {
      this.#tree.own(node, mode, context.uid, context.gid)
      const markerMetadata = withAttributes({}, node.own, S_IFDIR)
      await store.put(key, new Uint8Array(0), { ifNoneMatch: '*', headers: MARKER_HEADERS, metadata: markerMetadata })
      node.known = { metadata: markerMetadata, headers: MARKER_HEADERS, shownModifiedMs: undefined }
    } catch (error) {
      inodes.detach(node)
      metadata.forget(node.path)
      throw isStoreError(error, 'precondition-failed') ? new FsError('EEXIST', node.path, error) : error
    }
    node.modified = this.#tree.now()
    node.changed = node.modified
    node.expiresMs = this.#tree.expiry()
    metadata.madeDirectory(node.path)
    this.#tree.touchDirectory(parent)
    return node
  }

  /** Removes the marker of an empty folder. ENOTEMPTY when the bucket or this mount has anything below it. */
  async remove(parent: Node, name: string): Promise<void> {
    const { node } = await this.#tree.lookup(parent, name)
    if (node === undefined) throw new FsError('ENOENT', parent.prefix + name)
    if (!node.isDirectory) throw new FsError('ENOTDIR', node.path)
    const hasLocal = [...node.children.values()].some(child => child.isLocal)
    const below = await keysBelow(this.#tree.store, node.prefix, 2)
    // Where the folder's own key holds bytes, it is more than a marker.
    const hasKeys = below.some(object => object.key !== node.prefix || object.sizeBytes > 0)
    if (hasLocal || hasKeys || node.rememberedDirectories.size > 0) throw new FsError('ENOTEMPTY', node.path)
    if (below.length > 0) await this.#delete(node.prefix)
    this.#tree.metadata.removed(node.path)
    this.remember(parent)
    parent.rememberedDirectories.delete(name)
    this.#tree.inodes.detach(node)
    this.#tree.touchDirectory(parent)
  }

  /** A folder that this mount may have emptied stays visible to it, with all folders above. */
  remember(directory: Node): void {
    for (let node = directory; node.parent !== undefined; node = node.parent)
      node.parent.rememberedDirectories.add(node.name)
  }

  /** Stores changed attributes with the marker, which is made where there is none. The root keeps them in memory. */
  async storeAttributes(node: Node): Promise<void> {
    if (node.parent === undefined) return
    if (node.known === undefined) await this.#checkMarker(node)
    const metadata = withAttributes(node.known?.metadata ?? {}, node.own, S_IFDIR)
    await this.#tree.store.put(node.prefix, new Uint8Array(0), { headers: MARKER_HEADERS, metadata })
    node.known = { metadata, headers: MARKER_HEADERS, shownModifiedMs: undefined }
    this.#tree.metadata.madeDirectory(node.path)
  }

  /** EPERM where the folder's own key holds bytes: it must not become a marker. */
  async #checkMarker(node: Node): Promise<void> {
    const [first] = await keysBelow(this.#tree.store, node.prefix, 1)
    if (first?.key === node.prefix && first.sizeBytes > 0)
      throw new FsError('EPERM', `${node.prefix} is an object with bytes of its own`)
  }

  async #delete(key: string): Promise<void> {
    const [result] = await this.#tree.store.delete([{ key }])
    if (result?.error !== undefined) throw result.error
  }

  async #entryAt(handle: DirectoryHandle, index: number): Promise<ShownEntry | undefined> {
    const listing = handle.listed?.listing
    if (listing === undefined) return undefined
    while (handle.extras === undefined && index >= listing.entries.length && !listing.isComplete) await listing.more()
    if (handle.extras === undefined && index < listing.entries.length) return listing.entries[index]
    handle.extras ??= { from: listing.entries.length, names: this.#namesBeside(handle.node, listing) }
    if (index < handle.extras.from) return listing.entries[index]
    const name = handle.extras.names[index - handle.extras.from]
    if (name === undefined) return undefined
    const isDirectory = handle.node.rememberedDirectories.has(name) || handle.node.children.get(name)?.isDirectory
    return { name, version: undefined, isDirectory: isDirectory === true, isExtra: true }
  }

  #namesBeside(node: Node, listing: { find(name: string): ListedEntry | undefined }): string[] {
    const local = [...node.children.values()].filter(child => child.isLocal).map(child => child.name)
    const names = new Set([...local, ...node.rememberedDirectories])
    return [...names].filter(name => listing.find(name) === undefined)
  }

  /** What the listing does not tell of (any more) is told of once, among the extras. */
  #isThere(parent: Node, { name, version, isDirectory, isExtra }: ShownEntry): boolean {
    if (isDirectory || version !== undefined) return true
    return isExtra === true && (parent.children.has(name) || this.#tree.existing(parent, name) !== undefined)
  }

  /** False when the sink is full. */
  #emit(
    handle: DirectoryHandle,
    listed: ShownEntry,
    nextOffset: number,
    withAttributes: boolean,
    sink: DirectorySink,
  ): boolean {
    const name = nameOf(listed.name)
    if (name === undefined) return true
    const parent = handle.node
    const child = parent.children.get(listed.name)
    if (!this.#isThere(parent, listed)) return true
    const node = withAttributes ? this.#nodeOf(handle, listed, child) : undefined
    const entry: Entry | undefined = node === undefined ? undefined : this.#tree.entry(node)
    const mode = (child?.isDirectory ?? listed.isDirectory) ? S_IFDIR : S_IFREG
    const ino = node?.ino ?? child?.ino ?? this.#tree.inodes.inoOf(parent.prefix + listed.name)
    if (sink.add({ name, ino, mode, nextOffset, entry })) return true
    if (entry !== undefined) this.#tree.inodes.forget(entry.node, 1)
    return false
  }

  /** The node to show with its attributes; undefined where what is listed may be older than what is known. */
  #nodeOf(handle: DirectoryHandle, listed: ListedEntry, child: Node | undefined): Node | undefined {
    const { name, version, isDirectory } = listed
    // A name of this mount alone: nothing to learn from the listing.
    if (version === undefined && !isDirectory) return child
    const expiresMs = handle.listed?.expiresMs ?? 0
    if (child !== undefined && this.#tree.remainingMs(expiresMs) === 0) return undefined
    return this.#tree.adopt(handle.node, name, { version, isDirectory, info: undefined, expiresMs })
  }
}
