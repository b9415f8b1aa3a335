import { S_IFREG } from '../../src/fs/attributes.js'
import type { Timestamp } from '../../src/fs/operations.js'
import { type KeptAttributes, ReferenceFile, type StoredObject } from './reference-file.js'

export interface ReferenceFolder {
  /** Undefined where others decide on it. */
  mode: number | undefined
  uid: number | undefined
  gid: number | undefined
  xattrs: ReadonlyMap<string, string> | undefined
  /** This mount emptied it, or something below it: it stays visible until the next mount. */
  isRemembered: boolean
}

export type Place =
  | { readonly file: ReferenceFile }
  | { readonly folder: ReferenceFolder }
  | { readonly errno: 'ENOENT' | 'ENOTDIR' }

const SELF = '\u241bo'

/** How the parts of keys are shown that no name shows as they are, or that look as if they were such a case. */
const SHOWN: ReadonlyMap<string, string> = new Map([
  ['', '\u241bk'],
  ['.', '\u241bk%2E'],
  ['..', '\u241bk%2E.'],
  ['x\0y', '\u241bkx%00y'],
  ['\u241bk', '\u241b\u241bk'],
  ['\u241bo', '\u241b\u241bo'],
])
const KEPT: ReadonlyMap<string, string> = new Map([...SHOWN].map(([part, name]) => [name, part]))

/** What POSIX and doc/SEMANTICS.md say, in memory: the mount's files, and what the bucket has to hold at every moment. */
export class Reference {
  readonly files = new Map<string, ReferenceFile>()
  readonly folders = new Map<string, ReferenceFolder>([['', newFolder()]])
  /** Keys of the bucket and what they hold. */
  readonly bucket = new Map<string, StoredObject>()
  /** How many contents could not be stored and must lie in `kept/`. */
  keptFiles = 0
  /** How many of those the mount may have found in the store instead. */
  perhapsFound = 0

  /** What a walk along a path comes to. */
  at(path: string): Place {
    const parts = path === '' ? [] : path.split('/')
    for (let i = 1; i < parts.length; i++) {
      const parent = parts.slice(0, i).join('/')
      if (this.folders.has(parent)) continue
      return { errno: this.files.has(parent) ? 'ENOTDIR' : 'ENOENT' }
    }
    const folder = this.folders.get(path)
    if (folder !== undefined) return { folder }
    const file = this.files.get(path)
    return file === undefined ? { errno: 'ENOENT' } : { file }
  }

  /** Why nothing can be at this path. */
  parentFault(path: string): 'ENOENT' | 'ENOTDIR' | undefined {
    const parent = this.at(parentOf(path))
    if ('errno' in parent) return parent.errno
    return 'file' in parent ? 'ENOTDIR' : undefined
  }

  names(folder: string): string[] {
    return [...this.files.keys(), ...this.folders.keys()]
      .filter(path => path !== '' && parentOf(path) === folder)
      .map(path => path.slice(folder === '' ? 0 : folder.length + 1))
      .sort()
  }

  create(path: string, kept: KeptAttributes, absence: ReferenceFile['absence']): ReferenceFile {
    const file = new ReferenceFile(path, S_IFREG, kept)
    file.hold()
    file.absence = absence
    file.isDirty = true
    file.isContentDirty = true
    this.files.set(path, file)
    return file
  }

  /** A file that is stored when the call returns: a link, pipe, device or empty file. */
  make(path: string, type: number, bytes: Buffer, kept: KeptAttributes): 'EEXIST' | undefined {
    const key = keyOf(path)
    if (this.bucket.has(key)) return 'EEXIST'
    const stored = { bytes, type, kept, isOutside: false, etag: undefined }
    this.bucket.set(key, stored)
    this.files.set(path, new ReferenceFile(path, type, kept, stored))
    return undefined
  }

  /** Handles of the shown file are open. */
  isHeld(path: string): boolean {
    return (this.files.get(path)?.handles ?? 0) > 0
  }

  /** The object that the file shows, or edits, is not the bucket's any more. */
  isOutdated(file: ReferenceFile): boolean {
    return file.version !== undefined && !isSame(this.bucket.get(keyOf(file.path)), file.version)
  }

  /** Why what was written can't be stored; undefined if it can. */
  commitError(file: ReferenceFile): string | undefined {
    if (!file.isDirty || file.isUnlinked) return undefined
    const current = this.bucket.get(keyOf(file.path))
    if (file.base === undefined) return this.#absenceError(file, current)
    if (isSame(current, file.base)) return undefined
    if (!file.isContentDirty) return current === undefined ? 'ENOENT' : 'ESTALE'
    return this.#follows(file, current) ? undefined : 'ESTALE'
  }

  /** What is written by now is in the bucket: `commitError` told nothing. */
  commit(file: ReferenceFile): void {
    if (!file.isDirty || file.isUnlinked) return
    const key = keyOf(file.path)
    const current = this.bucket.get(key)
    const isConflict =
      file.base === undefined ? file.absence !== undefined && current !== undefined : !isSame(current, file.base)
    if (file.isContentDirty && isConflict && current !== undefined) {
      file.content = Buffer.concat([current.bytes, file.content.subarray(file.appendedFrom)])
      file.kept = { ...current.kept, mtimes: file.kept.mtimes }
    }
    const stored = { bytes: file.content, type: file.type, kept: file.kept, isOutside: false, etag: undefined }
    this.bucket.set(key, stored)
    file.version = stored
    file.base = stored
    file.replaced = undefined
    file.absence = undefined
    file.isDirty = false
    file.isUnheard = false
    file.isRisky = false
    file.borrowed.clear()
    if (file.isContentDirty) file.appendedFrom = file.content.length
    file.isContentDirty = false
    file.isWritten = false
    this.settle()
  }

  /** The last writer has gone and what it wrote is not stored. */
  giveUp(file: ReferenceFile): void {
    if (file.isContentDirty && file.isWritten && !file.isUnlinked) this.keptFiles += 1
    if (file.isUnheard) {
      this.perhapsFound += 1
      file.version = undefined
    }
    file.isUnheard = false
    file.isDirty = false
    file.isContentDirty = false
    file.borrowed.clear()
    const { version } = file
    if (file.isUnlinked) return
    if (version !== undefined && !this.isOutdated(file)) {
      file.content = version.bytes
      file.kept = version.kept
      return
    }
    file.isLost = true
    if (this.files.get(file.path) === file) this.files.delete(file.path)
    file.isDetached = true
    this.settle()
  }

  unlink(file: ReferenceFile): void {
    this.#gone(file)
    if (file.version !== undefined || file.replaced !== undefined) this.bucket.delete(keyOf(file.path))
    this.remember(parentOf(file.path))
  }

  /** What is stored moves at once, what is not goes to the new name later: until then the old target stays stored. */
  rename(file: ReferenceFile, to: string): void {
    const from = file.path
    const target = this.files.get(to)
    if (target !== undefined) this.#gone(target)
    if (file.version !== undefined) {
      // Changes of no byte may show a time of their own, which goes along.
      const mtimes = [...file.version.kept.mtimes, ...file.kept.mtimes]
      const moved = { ...file.version, kept: { ...file.version.kept, mtimes } }
      this.bucket.set(keyOf(to), moved)
      this.bucket.delete(keyOf(from))
      this.#movedLoans(keyOf(from), keyOf(to))
      if (file.base === file.version) file.base = moved
      file.version = moved
      file.replaced = undefined
    } else {
      if (file.replaced !== undefined) this.bucket.delete(keyOf(from))
      file.replaced = target?.version ?? target?.replaced
    }
    if (target !== undefined) file.absence = undefined
    else if (file.absence === 'exclusive') file.absence = 'believed'
    this.files.delete(from)
    this.files.set(to, file)
    file.path = to
    this.remember(parentOf(from))
  }

  /**
   * All below a folder goes along, stored or not, and so does the object beside it. What others stored and nobody has
   * asked for may show the time of its copy, `now`.
   */
  renameFolder(from: string, to: string, now: Timestamp): void {
    const moved = (path: string) => (path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : path)
    const replaced = this.folders.get(to)
    this.folders.delete(to)
    for (const [path, folder] of [...this.folders]) {
      this.folders.delete(path)
      this.folders.set(moved(path), folder)
    }
    const hasKeys = [...this.bucket.keys()].some(key => key.startsWith(`${keyOf(from)}/`))
    if (replaced !== undefined && hasKeys) this.bucket.delete(`${keyOf(to)}/`)
    const versions = new Map<StoredObject, StoredObject>()
    for (const [key, stored] of [...this.bucket]) {
      if (key !== keyOf(from) && !key.startsWith(`${keyOf(from)}/`)) continue
      const mtimes = stored.isOutside ? [...stored.kept.mtimes, now] : stored.kept.mtimes
      const copy = { ...stored, kept: { ...stored.kept, mtimes } }
      versions.set(stored, copy)
      const target = keyOf(to) + key.slice(keyOf(from).length)
      this.bucket.delete(key)
      this.bucket.set(target, copy)
      this.#movedLoans(key, target)
    }
    const versionOf = (stored: StoredObject | undefined) => stored && (versions.get(stored) ?? stored)
    for (const [path, file] of [...this.files]) {
      this.files.delete(path)
      file.path = moved(path)
      const copy = file.version && versions.get(file.version)
      if (copy?.isOutside === true) file.kept = { ...file.kept, mtimes: [...file.kept.mtimes, ...copy.kept.mtimes] }
      file.version = versionOf(file.version)
      file.base = versionOf(file.base)
      file.replaced = versionOf(file.replaced)
      if (file.path !== path && file.absence === 'exclusive') file.absence = 'believed'
      this.files.set(file.path, file)
    }
    this.remember(parentOf(from))
  }

  mkdir(path: string, mode: number, uid: number, gid: number): 'EEXIST' | undefined {
    const key = `${keyOf(path)}/`
    if (this.bucket.has(key)) return 'EEXIST'
    this.folders.set(path, { mode, uid, gid, xattrs: new Map(), isRemembered: false })
    this.marker(path)
    return undefined
  }

  /** The folder has an object of its own. */
  marker(path: string): void {
    const key = `${keyOf(path)}/`
    this.bucket.set(key, emptyObject())
  }

  rmdir(path: string): void {
    this.folders.delete(path)
    this.bucket.delete(`${keyOf(path)}/`)
    this.remember(parentOf(path))
  }

  /** Others change an object; undefined: they remove it. */
  outside(key: string, object: StoredObject | undefined): void {
    if (object === undefined) this.bucket.delete(key)
    else this.bucket.set(key, object)
    const folder = key.endsWith('/') ? this.folders.get(key.slice(0, -1)) : undefined
    if (folder !== undefined) folder.mode = undefined
    this.changed(key)
    this.settle()
  }

  /** The bytes of a key are others now: who was to copy them may find them gone. */
  changed(key: string): void {
    for (const file of this.files.values()) if (file.borrowed.has(key)) file.isRisky = true
  }

  /** A new mount knows what the bucket holds and nothing else. */
  remount(): void {
    this.files.clear()
    for (const folder of this.folders.values()) folder.isRemembered = false
    this.settle()
  }

  /** The names as the bucket and the mount's own files make them. */
  settle(): void {
    this.#settleFolders()
    const shown = new Set<string>()
    for (const [key, stored] of this.bucket) {
      if (isMarker(key, stored)) continue
      const path = this.pathOf(key)
      shown.add(path)
      const file = this.files.get(path)
      if (file !== undefined && (file.isLocal || file.version === stored)) continue
      if (file !== undefined) file.isDetached = true
      this.files.set(path, new ReferenceFile(path, stored.type, stored.kept, stored))
    }
    for (const [path, file] of this.files) {
      if (shown.has(path) || file.isLocal) continue
      file.isDetached = true
      this.files.delete(path)
    }
  }

  /** Where a key is shown. */
  pathOf(key: string): string {
    const path = key.split('/').map(shownPart).join('/')
    return this.folders.has(path) ? `${path}/${SELF}` : path
  }

  #settleFolders(): void {
    const seen = new Set([''])
    for (const key of this.bucket.keys()) {
      const parts = key.split('/')
      for (let i = 1; i < parts.length; i++) seen.add(parts.slice(0, i).map(shownPart).join('/'))
    }
    for (const file of this.files.values()) if (file.isLocal) for (const at of foldersOf(file.path)) seen.add(at)
    // With a folder that gives way to an object goes what it was remembered to hold.
    const givesWay = (path: string) => !seen.has(path) && this.bucket.has(keyOf(path))
    for (const [path, folder] of this.folders)
      if (!seen.has(path) && (!folder.isRemembered || [...foldersOf(path), path].some(givesWay)))
        this.folders.delete(path)
    for (const path of seen) if (!this.folders.has(path)) this.folders.set(path, newFolder())
  }

  remember(path: string): void {
    for (let at = path; at !== ''; at = parentOf(at)) {
      const folder = this.folders.get(at)
      if (folder !== undefined) folder.isRemembered = true
    }
  }

  #gone(file: ReferenceFile): void {
    file.wasOutdated = this.isOutdated(file) || file.isRisky
    file.isUnlinked = true
    this.files.delete(file.path)
  }

  /** Who borrows bytes of the object follows it. */
  #movedLoans(from: string, to: string): void {
    for (const file of this.files.values()) if (file.borrowed.has(from)) file.borrowed.add(to)
  }

  #absenceError(file: ReferenceFile, current: StoredObject | undefined): string | undefined {
    if (file.absence === undefined || current === undefined) return undefined
    if (file.absence === 'exclusive') return 'EEXIST'
    return this.#follows(file, current) ? undefined : 'ESTALE'
  }

  /** What was only appended goes behind what others wrote. */
  #follows(file: ReferenceFile, current: StoredObject | undefined): boolean {
    return current?.type === file.type && file.absence !== 'exclusive' && file.appendedFrom !== undefined
  }
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** The folders above a path. */
function foldersOf(path: string): string[] {
  const parent = parentOf(path)
  return parent === '' ? [] : [...foldersOf(parent), parent]
}

/** The key of a path of this model's alphabet. */
export function keyOf(path: string): string {
  const own = path.endsWith(`/${SELF}`) ? parentOf(path) : path
  return own
    .split('/')
    .map(part => KEPT.get(part) ?? part)
    .join('/')
}

export function isSame(a: StoredObject | undefined, b: StoredObject | undefined): boolean {
  return a !== undefined && b !== undefined && (a === b || (a.etag !== undefined && a.etag === b.etag))
}

/** The time that the reference's clock shows. */
export function timeOf(nowMs: number): Timestamp {
  return { seconds: Math.floor(nowMs / 1000), nanoseconds: (nowMs % 1000) * 1e6 }
}

function isMarker(key: string, { bytes }: StoredObject): boolean {
  return key.endsWith('/') && bytes.length === 0
}

function shownPart(part: string): string {
  return SHOWN.get(part) ?? part
}

function newFolder(): ReferenceFolder {
  return { mode: undefined, uid: undefined, gid: undefined, xattrs: undefined, isRemembered: false }
}

function emptyObject(): StoredObject {
  const kept = { mode: 0, uid: 0, gid: 0, rdev: 0, mtimes: [], xattrs: new Map() }
  return { bytes: Buffer.alloc(0), type: S_IFREG, kept, isOutside: false, etag: undefined }
}
