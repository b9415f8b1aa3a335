import { isDeepStrictEqual } from 'node:util'
import type { ObjectVersion } from '../backend/object-store.js'
import { type OwnAttributes, withoutPrivileges } from './attributes.js'
import type { WriterServices } from './file-writer.js'
import { FsError } from './fs-error.js'
import type { Node } from './node.js'
import type { OpenWriters } from './open-writers.js'
import type { SetAttributes } from './operations.js'
import type { Tree } from './tree.js'

/** What programs change beside the bytes, and the size: chmod, chown, utimens, truncate. */
export class AttributeChanges {
  readonly #tree: Tree
  readonly #writers: OpenWriters
  readonly #services: Pick<WriterServices, 'committer' | 'clock'>

  constructor(tree: Tree, writers: OpenWriters, services: Pick<WriterServices, 'committer' | 'clock'>) {
    this.#tree = tree
    this.#writers = writers
    this.#services = services
  }

  /** Changes attributes: together with what is being written, or at once by a copy on the server. */
  async change(node: Node, changes: SetAttributes): Promise<void> {
    await this.#tree.attachments(node)
    if (changes.sizeBytes !== undefined) await this.truncate(node, changes.sizeBytes)
    if (this.#joins(node, changes)) return
    await node.lock.run(async () => {
      if (this.#joins(node, changes)) return
      const before = node.own
      if (!this.#changes(node, changes) || node.version === undefined) return
      try {
        await this.#storeAttributes(node, node.version)
      } catch (error) {
        node.own = before
        throw error
      }
    })
  }

  /** True where a writer is open: its commit stores the changes. */
  #joins(node: Node, changes: SetAttributes): boolean {
    if (node.writer === undefined) return false
    if (this.#changes(node, changes)) node.writer.touch()
    return true
  }

  /** True if there is something to store. */
  #changes(node: Node, changes: SetAttributes): boolean {
    const before = node.own
    this.apply(node, changes)
    return changes.mtime === 'now' || changes.atime === 'now' || !isDeepStrictEqual(before, node.own)
  }

  /** Shows changed attributes without storing them. */
  apply(node: Node, changes: SetAttributes): void {
    const now = this.#tree.now()
    const shownMode = this.#tree.mode(node)
    const own: { -readonly [Name in keyof OwnAttributes]: OwnAttributes[Name] } = { ...node.own, ctime: undefined }
    if (changes.mode !== undefined && (changes.mode & 0o7777) !== shownMode) own.mode = changes.mode & 0o7777
    if (changes.killPrivileges === true && withoutPrivileges(shownMode) !== shownMode)
      own.mode = withoutPrivileges(shownMode)
    const shown = this.#tree.attributes(node)
    if (changes.uid !== undefined && changes.uid !== shown.uid) own.uid = changes.uid
    if (changes.gid !== undefined && changes.gid !== shown.gid) own.gid = changes.gid
    if (changes.mtime !== undefined) {
      own.mtime = changes.mtime === 'now' ? undefined : changes.mtime
      node.modified = changes.mtime === 'now' ? now : undefined
    }
    if (changes.atime !== undefined) {
      own.atime = changes.atime === 'now' ? undefined : changes.atime
      node.accessed = changes.atime === 'now' ? now : undefined
    }
    node.own = own
    node.changed = now
  }

  /** The content has changed. */
  modified(node: Node, killPrivileges: boolean): void {
    node.modified = this.#tree.now()
    node.changed = node.modified
    const mode = this.#tree.mode(node)
    const kept = killPrivileges ? withoutPrivileges(mode) : mode
    if (node.own.mtime !== undefined || node.own.ctime !== undefined || kept !== mode)
      node.own = { ...node.own, mtime: undefined, ctime: undefined, ...(kept !== mode && { mode: kept }) }
  }

  async truncate(node: Node, sizeBytes: number): Promise<void> {
    if (node.isDirectory) throw new FsError('EISDIR', node.path)
    const writer = this.#writers.hold(node)
    const isAlone = () => this.#writers.isAlone(node)
    try {
      if (writer.sizeBytes !== sizeBytes) {
        await writer.truncate(sizeBytes)
        this.modified(node, false)
      }
      // With an open writer it joins its commit.
      while (isAlone() && writer.isDirty && !node.isUnlinked) await writer.commit()
    } finally {
      // Others may have written meanwhile, whose bytes must not go with a truncation that failed.
      if (this.#writers.letGo(node) === 0) await this.#writers.endLast(node, writer)
    }
  }

  /** Call it under the lock. */
  async #storeAttributes(node: Node, version: ObjectVersion): Promise<void> {
    const attachments = await this.#tree.attachments(node)
    const stored = await this.#services.committer.replaceAttachments(version, attachments)
    const lastModifiedMs = stored.lastModifiedMs ?? this.#services.clock.nowMs()
    const changed = { ...version, ...stored, lastModifiedMs }
    this.#tree.stored(node, changed, attachments)
    node.writer?.rebase(changed)
  }
}
