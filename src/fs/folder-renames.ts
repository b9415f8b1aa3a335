import type { Log } from '../backend/log.js'
import type { ObjectVersion } from '../backend/object-store.js'
import type { FolderTimes } from '../cache/folder-times.js'
import { keysBelow } from '../cache/keys-below.js'
import type { KnownVersions } from '../cache/known-versions.js'
import type { Directories } from './directories.js'
import { countKeys, FolderMove } from './folder-move.js'
import { FsError } from './fs-error.js'
import type { Loans } from './loans.js'
import type { Moving } from './moving.js'
import { childKey, isPartial, SELF_SLOT } from './names.js'
import type { Node } from './node.js'
import type { RenameEntry, RenameJournal } from './rename-journal.js'
import type { Tree } from './tree.js'

/** Who asks for a rename. */
export interface RenameCall {
  readonly signal: AbortSignal
  /** From now on the call ends as it ends, also when its program is killed. EINTR if that has happened already. */
  begins(): void
}

export interface FolderRename {
  readonly node: Node
  readonly newParent: Node
  readonly newSlot: string
  /** An empty folder that stands at the new name. */
  readonly target: Node | undefined
  readonly call: RenameCall
}

export interface FolderRenamesOptions {
  readonly tree: Tree
  readonly directories: Directories
  readonly moving: Moving
  readonly journal: RenameJournal
  readonly known: KnownVersions
  readonly folderTimes: FolderTimes
  readonly loans: Loans
  readonly log: Log
}

/** Renaming folders: all keys below move, and with them everything that this mount knows and has not stored. */
export class FolderRenames {
  readonly #options: FolderRenamesOptions

  constructor(options: FolderRenamesOptions) {
    this.#options = options
  }

  rename(rename: FolderRename): Promise<void> {
    const { node, newParent, newSlot, call } = rename
    const { inodes } = this.#options.tree
    const paths = () => [node.path, newParent.pathOf(newSlot)]
    // A commit that only sends parts begins anew under the new name.
    const closed = () => {
      for (const file of filesBelow(node)) file.writer?.stepAside()
    }
    const move = () => this.#options.moving.move(paths, () => this.#rename(rename), { closed, signal: call.signal })
    return inodes.using(node, move)
  }

  async #rename(rename: FolderRename): Promise<void> {
    const { node, newParent, newSlot, target, call } = rename
    if (node.isDetached || target?.isDetached === true) throw new FsError('ESTALE', 'a name leads elsewhere by now')
    if (isPartial(node.slot)) throw new FsError('EPERM', 'the name stands for the beginning of longer keys')
    if (newSlot === SELF_SLOT) throw new FsError('EPERM', 'the name stands for an object, not for a folder')
    const { tree, loans, directories } = this.#options
    const to = tree.newKey(newParent, newSlot)
    checkNotWithin(node.path, to)
    const hasMarker = target !== undefined && (await this.#checkEmpty(target))
    checkFiles(node, to)
    const count = await countKeys(tree.store, node.path, to)
    call.begins()
    await loans.settleBelow(node.prefix)
    if (count > 0 || node.beside !== undefined) return this.#move(rename, to, hasMarker)
    await this.#withWriters(node, async () => this.#switch(rename, undefined))
    directories.remember(node)
  }

  async #move(rename: FolderRename, to: string, hasMarker: boolean): Promise<void> {
    const { journal, log, tree } = this.#options
    const { store } = tree
    const { node } = rename
    const from = node.path
    const isMarked = hasMarker && (await keysBelow(store, node.prefix, 1))[0]?.key === node.prefix
    const about = { url: store.url, from, to, startedMs: tree.nowMs(), withBeside: node.beside !== undefined }
    const entry = await journal.begin({ ...about, replacesMarker: isMarked })
    const move = new FolderMove(store, entry, log)
    try {
      await move.copy('fail')
      await this.#withWriters(node, async () => {
        checkFiles(node, to)
        if (rename.target !== undefined) checkNothingLocal(rename.target)
        await entry.advance('deleting', move.newestMs)
        this.#switch(rename, entry)
      })
    } catch (error) {
      await this.#takeBack(move, entry)
      throw error
    }
    await this.#finish(node, move, entry, hasMarker && !isMarked)
  }

  /** Others know the folder under its old name still: what is left of it goes. The rename counts as done. */
  async #finish(node: Node, move: FolderMove, entry: RenameEntry, dropsMarker: boolean): Promise<void> {
    const { from, to } = entry.record
    const { metadata, store } = this.#options.tree
    try {
      // The marker of the empty folder that stood here, where this one has none.
      if (dropsMarker) await store.delete([{ key: `${to}/` }])
      await move.deleteSources({ late: true })
      await entry.end()
    } catch (error) {
      this.#options.log.error('a folder is renamed, but what it was is not removed yet: the next mount does it', {
        from,
        to,
        error,
      })
      await this.#leave(entry)
    }
    metadata.forgetFolder(from)
    node.expiresMs = this.#options.tree.expiry()
  }

  async #takeBack(move: FolderMove, entry: RenameEntry): Promise<void> {
    const { from, to } = entry.record
    try {
      await entry.advance('returning', entry.newestMs, move.made)
      await move.takeBack()
      await entry.end()
    } catch (error) {
      const message = 'copies of a folder that could not be renamed are left: the next mount removes them'
      this.#options.log.error(message, { from, to, error })
      await this.#leave(entry)
    }
    this.#options.tree.metadata.forgetFolder(to)
  }

  async #leave(entry: RenameEntry): Promise<void> {
    await entry.leave().catch((error: unknown) => this.#options.log.warn('the journal of renames fails', { error }))
  }

  /** ENOTEMPTY, or whether there is a marker. */
  async #checkEmpty(target: Node): Promise<boolean> {
    checkNothingLocal(target)
    if (target.beside !== undefined) throw new FsError('ENOTEMPTY', target.path)
    const below = await keysBelow(this.#options.tree.store, target.prefix, 2)
    // Where the folder's own key holds bytes, it is more than a marker.
    const isEmpty = below.every(object => object.key === target.prefix && object.sizeBytes === 0)
    if (!isEmpty) throw new FsError('ENOTEMPTY', target.path)
    return below.length > 0
  }

  /**
   * Runs `task` while no file below is written to. The locks are taken one after the other, with a place in `Moving`:
   * nobody else waits for a second one there.
   */
  async #withWriters<T>(folder: Node, task: () => Promise<T>, held: ReadonlySet<Node> = new Set()): Promise<T> {
    const next = [...filesBelow(folder)].find(file => file.writer !== undefined && !held.has(file))
    if (next === undefined) return task()
    return next.lock.run(() => this.#withWriters(folder, task, new Set([...held, next])))
  }

  /** All at once, so that nobody sees a part of it: the paths of everything below are other ones from here on. */
  #switch({ node, newParent, newSlot, target }: FolderRename, entry: RenameEntry | undefined): void {
    const { tree, directories, known, folderTimes } = this.#options
    const { parent } = node
    const from = node.path
    const etagOfCopy = (rest: string, etag: string) => entry?.etagOfCopy(rest, etag) ?? etag
    const times = [...foldersFrom(node)].map(folder => [folder, tree.shown.of(folder)] as const)
    const wasRemembered = parent?.rememberedDirectories.delete(node.slot) === true
    newParent.rememberedDirectories.delete(newSlot)
    if (target !== undefined) target.isUnlinked = true
    tree.inodes.move(node, newParent, newSlot)
    if (wasRemembered) newParent.rememberedDirectories.add(newSlot)
    const relocated = (stored: ObjectVersion): ObjectVersion => {
      const rest = stored.key.slice(from.length)
      return { ...stored, key: node.path + rest, etag: etagOfCopy(rest, stored.etag), versionId: undefined }
    }
    for (const file of filesBelow(node)) {
      const rest = file.path.slice(node.path.length)
      file.writer?.unanswered.copied(etag => etagOfCopy(rest, etag))
      this.#moved(file, relocated)
    }
    known.movedBelow(from, node.path, etagOfCopy)
    folderTimes.movedBelow(from, node.path)
    for (const path of [from, node.path]) tree.metadata.forgetFolder(path)
    for (const [folder, shown] of times) {
      if (folder.marker !== undefined) folder.marker = relocated(folder.marker)
      if (folder.beside !== undefined) folder.beside = relocated(folder.beside)
      // The marker has a new time by now.
      folderTimes.set(folder.path, { modified: shown.mtime, changed: shown.ctime })
    }
    node.changed = tree.now()
    node.expiresMs = tree.expiry()
    if (parent !== undefined) {
      directories.remember(parent)
      tree.touchDirectory(parent)
    }
    if (newParent !== parent) tree.touchDirectory(newParent)
  }

  #moved(file: Node, relocated: (stored: ObjectVersion) => ObjectVersion): void {
    const { version } = file
    if (file.replaced !== undefined) file.replaced = relocated(file.replaced)
    if (version !== undefined) {
      file.version = relocated(version)
      this.#options.loans.moved(version, file.version)
    }
    file.writer?.moved(file.version, false)
  }
}

/** The folder itself, and all below that are known. */
function* foldersFrom(folder: Node): Generator<Node> {
  yield folder
  for (const child of folder.children.values()) if (child.isDirectory) yield* foldersFrom(child)
}

function* filesBelow(folder: Node): Generator<Node> {
  for (const child of folder.children.values()) {
    if (child.isDirectory) yield* filesBelow(child)
    else yield child
  }
}

/** ENAMETOOLONG and ENOSPC for what is not stored yet and could not go to the new name. */
function checkFiles(folder: Node, to: string): void {
  for (const file of filesBelow(folder)) {
    if (file.isLocal) childKey(to, file.path.slice(folder.path.length))
    file.writer?.checkMovable()
  }
}

function checkNothingLocal(target: Node): void {
  const hasLocal = [...target.children.values()].some(child => child.isLocal)
  if (hasLocal || target.rememberedDirectories.size > 0) throw new FsError('ENOTEMPTY', target.path)
}

function checkNotWithin(from: string, to: string): void {
  if (to.startsWith(`${from}/`)) throw new FsError('EINVAL', `${to} is within ${from}`)
  if (from.startsWith(`${to}/`)) throw new FsError('ENOTEMPTY', to)
}
