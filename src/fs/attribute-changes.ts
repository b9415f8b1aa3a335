import { isDeepStrictEqual } from 'node:util'
import type { ObjectVersion } from '../backend/object-store.js'
import { isStoreError } from '../backend/store-error.js'
import { type OwnAttributes, withoutPrivileges } from './attributes.js'
import { FsError } from './fs-error.js'
import type { Moving } from './moving.js'
import type { Node } from './node.js'
import type { OpenWriters } from './open-writers.js'
import type { SetAttributes } from './operations.js'
import type { Tree } from './tree.js'
import type { WriterServices } from './writer-services.js'

/** What programs change beside the bytes, and the size: chmod, chown, utimens, extended attributes, truncate. */
export class AttributeChanges {
  readonly #tree: Tree
  readonly #writers: OpenWriters
  readonly #services: Pick<WriterServices, 'committer' | 'clock' | 'loans'>
  readonly #moving: Moving

  constructor(
    tree: Tree,
    writers: OpenWriters,
    services: Pick<WriterServices, 'committer' | 'clock' | 'loans'>,
    moving: Moving,
  ) {
    this.#tree = tree
    this.#writers = writers
    this.#services = services
    this.#moving = moving
  }

  /** Changes attributes: together with what is being written, or at once by a copy on the server. */
  async change(node: Node, changes: SetAttributes): Promise<void> {
    if (changes.sizeBytes === undefined) return this.edit(node, () => this.apply(node, changes))
    await this.#tree.attachments(node)
    await this.truncate(node, changes.sizeBytes, changes)
  }

  /**
   * Carries out `edit`, which changes in memory what is kept beside a file's bytes and tells whether there is something
   * to store, and stores it: with the open writer's next commit, or at once. What can't be stored is undone.
   */
  async edit(node: Node, edit: () => boolean): Promise<void> {
    await this.#tree.attachments(node)
    if (this.#joins(node, edit)) return
    const change = async () => {
      let before: Pick<Node, 'own' | 'edited' | 'modified' | 'accessed' | 'changed'> | undefined
      node.isChanging = true
      try {
        // A lookup may have found meanwhile that others have changed what was known.
        await this.#tree.attachments(node)
        if (this.#joins(node, edit)) return
        const { own, edited, modified, accessed, changed } = node
        before = { own, edited, modified, accessed, changed }
        if (!this.#editKeepingTimes(node, edit) || node.version === undefined) return
        await this.#store(node, node.version)
      } catch (error) {
        if (before !== undefined) Object.assign(node, before)
        if (isStoreError(error, 'precondition-failed', 'not-found')) this.#tree.metadata.forget(node.path)
        throw error
      } finally {
        node.isChanging = false
      }
    }
    await this.#moving.change(
      () => [node.path],
      () => node.lock.run(change),
    )
  }

  /** Shows changed attributes without storing them; true if there is something to store. */
  apply(node: Node, changes: SetAttributes): boolean {
    const before = node.own
    const now = this.#tree.now()
    const shown = this.#tree.shown.of(node)
    const shownMode = this.#tree.shown.mode(node)
    const own: { -readonly [Name in keyof OwnAttributes]: OwnAttributes[Name] } = { ...before, ctime: undefined }
    if (changes.mode !== undefined && (changes.mode & 0o7777) !== shownMode) own.mode = changes.mode & 0o7777
    // A directory keeps them: there they say whose the files will be.
    if (changes.killPrivileges === true && !node.isDirectory && withoutPrivileges(shownMode) !== shownMode)
      own.mode = withoutPrivileges(shownMode)
    if (changes.uid !== undefined && changes.uid !== shown.uid) own.uid = changes.uid
    if (changes.gid !== undefined && changes.gid !== shown.gid) own.gid = changes.gid
    if (changes.mtime !== undefined) {
      if (node.isDirectory) this.#tree.forgetTimes(node)
      own.mtime = changes.mtime === 'now' ? undefined : changes.mtime
      node.modified = changes.mtime === 'now' ? now : undefined
    }
    if (changes.atime !== undefined) {
      // Who shows no time of its own shows that of its last change.
      own.atime = changes.atime !== 'now' ? changes.atime : changes.mtime === 'now' ? undefined : now
      node.accessed = changes.atime === 'now' ? now : undefined
    }
    node.own = own
    node.changed = now
    return (
      changes.mtime === 'now' || changes.atime === 'now' || !isDeepStrictEqual({ ...before, ctime: undefined }, own)
    )
  }

  /** The content has changed. */
  modified(node: Node, killPrivileges: boolean): void {
    // Who shows no access of its own shows the last change, which is about to move.
    node.accessed ??= this.#tree.shown.of(node).atime
    node.modified = this.#tree.now()
    node.changed = node.modified
    const mode = this.#tree.shown.mode(node)
    const kept = killPrivileges ? withoutPrivileges(mode) : mode
    if (node.own.mtime !== undefined || node.own.ctime !== undefined || kept !== mode)
      node.own = { ...node.own, mtime: undefined, ctime: undefined, ...(kept !== mode && { mode: kept }) }
  }

  /** `changes` are those that come with it: all is stored at once, by who has the file open or right here. */
  async truncate(node: Node, sizeBytes: number, changes: SetAttributes = {}): Promise<void> {
    if (node.isDirectory) throw new FsError('EISDIR', node.path)
    const writer = this.#writers.hold(node)
    const isAlone = () => this.#writers.isAlone(node)
    try {
      if (writer.sizeBytes !== sizeBytes) await writer.truncate(sizeBytes, { isByPath: isAlone() })
      this.modified(node, false)
      if (this.apply(node, { ...changes, sizeBytes: undefined })) writer.touch()
      // With an open writer it joins its commit.
      while (isAlone() && writer.isDirty && !node.isUnlinked) await writer.commit()
    } finally {
      // Others may have written meanwhile, whose bytes must not go with a truncation that failed.
      if (this.#writers.letGo(node) === 0) await this.#writers.endLast(node, writer)
    }
  }

  /** True where a writer is open: its commit stores the changes. */
  #joins(node: Node, edit: () => boolean): boolean {
    if (node.writer === undefined) return false
    if (node.writer.isDirty ? edit() : this.#editKeepingTimes(node, edit)) node.writer.touch()
    return true
  }

  /** A copy on the server gives the object a new time, so its own must stand in the metadata from then on. */
  #editKeepingTimes(node: Node, edit: () => boolean): boolean {
    const { mtime } = this.#tree.shown.of(node)
    if (!edit()) return false
    const shown = this.#tree.shown.of(node)
    node.own = { ...node.own, ctime: shown.ctime }
    if (isDeepStrictEqual(mtime, shown.mtime)) node.own = { ...node.own, mtime }
    return true
  }

  /** Call it under the lock. */
  async #store(node: Node, version: ObjectVersion): Promise<void> {
    const attachments = await this.#tree.attachments(node)
    const stored = await this.#services.committer.replaceAttachments(version, attachments)
    const lastModifiedMs = stored.lastModifiedMs ?? this.#services.clock.nowMs()
    const changed = { ...version, ...stored, lastModifiedMs }
    this.#tree.stored(node, changed, attachments)
    node.writer?.rebase(changed)
    this.#services.loans.moved(version, changed)
  }
}
