import type { Timestamp } from '../../src/fs/operations.js'

/** What stands beside the bytes of a file, as programs see it. */
export interface KeptAttributes {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
  /** The time of the last change that programs may be shown: one, or several where no rule tells which. */
  readonly mtimes: readonly Timestamp[]
  /** Values by full name. */
  readonly xattrs: ReadonlyMap<string, string>
}

/** One version of an object, never changed. */
export interface StoredObject {
  readonly bytes: Buffer
  readonly type: number
  readonly kept: KeptAttributes
  /** Others made it. */
  readonly isOutside: boolean
  /** As the bucket tells it after the command that stored it. */
  etag: string | undefined
}

/**
 * A file of the reference: plain bytes and what has been done to them since they were stored. Of one key there may be
 * several, as there are nodes: one that the name shows, and others that open handles have from before.
 */
export class ReferenceFile {
  content: Buffer
  kept: KeptAttributes
  path: string
  readonly type: number
  /** The stored version that the file shows. */
  version: StoredObject | undefined
  /** What the bucket holds under its name until the file, which is not stored yet, replaces it. */
  replaced: StoredObject | undefined
  /** The version that the next commit demands to find; undefined where it demands none. */
  base: StoredObject | undefined
  absence: 'exclusive' | 'believed' | undefined
  /** `version` was stored by a commit that got no answer: its writer does not know of it, or will find out. */
  isUnheard = false
  /** There was a version before that, which was edited. */
  wasEdited = false
  isDirty = false
  isContentDirty = false
  /** Programs have put something into it since the last commit, which is kept where it can't be stored. */
  isWritten = false
  /** Where what was only appended begins; undefined if there were other changes. */
  appendedFrom: number | undefined
  isUnlinked = false
  /** Others had changed the object before this mount removed its name: the bytes are lost. */
  wasOutdated = false
  /** No name shows it. */
  isDetached = false
  /** Its bytes were given up to `kept/`: handles show what the store has, if that. */
  isLost = false
  /** Keys of which it borrows bytes until its next commit. */
  readonly borrowed = new Set<string>()
  /** One of those was changed by others. */
  isRisky = false
  writers = 0
  handles = 0

  constructor(path: string, type: number, kept: KeptAttributes, version?: StoredObject) {
    this.path = path
    this.type = type
    this.kept = kept
    this.version = version
    this.base = version
    this.content = version?.bytes ?? Buffer.alloc(0)
    this.appendedFrom = this.content.length
  }

  /** The bucket does not hold what the name shows. */
  get isLocal(): boolean {
    return !this.isUnlinked && !this.isDetached && (this.isDirty || this.version === undefined)
  }

  /** Opens it for writing, or changes its size by path. */
  hold(): void {
    if (this.writers === 0) {
      this.base = this.version
      this.absence = undefined
      this.appendedFrom = this.content.length
      this.isContentDirty = false
      this.isWritten = false
    }
    this.writers += 1
  }

  write(offset: number, data: Uint8Array, now: Timestamp): void {
    this.#grow(offset + data.length)
    this.content.set(data, offset)
    this.#changed(now)
  }

  append(data: Uint8Array, now: Timestamp): void {
    const from = this.appendedFrom
    this.write(this.content.length, data, now)
    this.appendedFrom = from
  }

  truncate(sizeBytes: number, now: Timestamp): void {
    const cut = Buffer.alloc(sizeBytes)
    this.content.copy(cut)
    this.content = cut
    if (sizeBytes === 0) {
      this.base = undefined
      if (this.absence === 'believed') this.absence = undefined
    }
    this.#changed(now)
  }

  zero(start: number, end: number, now: Timestamp): void {
    this.#grow(Math.min(end, this.content.length))
    this.content.fill(0, start, end)
    this.#changed(now)
  }

  modified(now: Timestamp): void {
    const { mode } = this.kept
    this.kept = { ...this.kept, mode, mtimes: [now] }
  }

  /** The content is another Buffer from now on, since stored versions share theirs. */
  #grow(sizeBytes: number): void {
    const grown = Buffer.alloc(Math.max(this.content.length, sizeBytes))
    this.content.copy(grown)
    this.content = grown
  }

  #changed(now: Timestamp): void {
    this.isDirty = true
    this.isContentDirty = true
    this.isWritten = true
    this.appendedFrom = undefined
    this.modified(now)
  }
}
