import { createHash, randomUUID } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { mkdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { getXattr, removeXattr, setXattr } from '../../system/xattr.js'
import type { KeptAttachments } from '../attachments.js'
import { withoutDigests } from '../content-digests.js'
import { hasCode, unlessMissing } from './local-errors.js'

/** The extended attribute of an object's file: the record as JSON. Of a folder that the store made: `{}`. */
const ATTRIBUTE = 'user.mount-bucket'

/** Disks without extended attributes say ENOTSUP, ext4 ENOSPC and xfs E2BIG for one that is too long. */
const NO_ROOM = ['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENOSPC', 'E2BIG', 'ERANGE', 'EDQUOT']

/** What is kept of an object in a folder. */
export interface LocalAttachments extends KeptAttachments {
  /** Who reaches the folder by HTTP may read it without a signature. */
  readonly isPublic: boolean
}

/** What is kept beside the bytes of an object's file. */
interface ObjectRecord extends KeptAttachments {
  readonly isPublic?: true
  readonly etag: string
  /** The file of which this is the ETag; it counts only for a file that is still so. */
  readonly identity: string
}

/** What an object's file tells of the object. */
export interface FileFacts extends LocalAttachments {
  readonly etag: string
  /** `valid`: of these bytes; `stale`: of others; else the ETag is a derived one. */
  readonly record: 'valid' | 'stale' | 'none'
}

/** A new ETag. It is made up, not computed: every version of every object has its own. */
export function newEtag(): string {
  return `w-${randomUUID()}`
}

/**
 * Keeps the records of objects' files: in an extended attribute, or where that can't be (`useXattrs` false, the disk has
 * none, the record is too long) in a side file named by the identity of the object's file.
 */
export class Attributes {
  readonly #sideFolder: string
  readonly #useXattrs: boolean
  readonly #temporary: () => string

  constructor(sideFolder: string, useXattrs: boolean, temporary: () => string) {
    this.#sideFolder = sideFolder
    this.#useXattrs = useXattrs
    this.#temporary = temporary
  }

  /**
   * `file`: a descriptor, or a path; when that is replaced meanwhile, the record is stale. `hasSideFiles` may be given by
   * who reads many.
   */
  async read(file: string | number, stats: BigIntStats, hasSideFiles = true): Promise<FileFacts> {
    const record = parsed(this.#xattr(file)) ?? (hasSideFiles ? await this.#readSide(stats) : undefined)
    if (record === undefined)
      return { etag: derivedEtag(stats), record: 'none', metadata: {}, headers: {}, isPublic: false }
    const { metadata, headers } = record
    // Bytes that another program put there were not what was made public.
    return record.identity === identityOf(stats)
      ? { etag: record.etag, record: 'valid', metadata, headers, isPublic: record.isPublic === true }
      : { etag: derivedEtag(stats), record: 'stale', metadata: withoutDigests(metadata), headers, isPublic: false }
  }

  /** Most disks have extended attributes and a store on them no side file at all. */
  async hasSideFiles(): Promise<boolean> {
    return (await unlessMissing(stat(this.#sideFolder))) !== undefined
  }

  /** The bytes of the file must be complete: later changes make the ETag void. `replaces`: it may have a record. */
  async write(fd: number, stats: BigIntStats, etag: string, kept: LocalAttachments, replaces: boolean): Promise<void> {
    const { metadata, headers, isPublic } = kept
    const identity = identityOf(stats)
    const record: ObjectRecord = { etag, identity, metadata, headers, ...(isPublic && { isPublic }) }
    const value = Buffer.from(JSON.stringify(record))
    const isSet = this.#setXattr(fd, value)
    if (!isSet) await this.#writeSide(this.#sideFile(stats), value)
    if (!replaces) return
    if (isSet) await this.drop(stats)
    else if (this.#useXattrs) ignoring(NO_ROOM, () => removeXattr(fd, ATTRIBUTE))
  }

  /** Forgets the side file of a file that is gone or is about to go. */
  async drop(stats: BigIntStats): Promise<void> {
    await unlessMissing(unlink(this.#sideFile(stats)))
  }

  /** Remembers that the store made a folder, which it then removes when the last object in it goes. */
  async markFolder(path: string, stats: BigIntStats): Promise<void> {
    const value = Buffer.from('{}')
    if (!this.#setXattr(path, value)) await this.#writeSide(this.#folderMark(stats), value)
  }

  async isMarkedFolder(path: string, stats: BigIntStats): Promise<boolean> {
    return this.#xattr(path) !== undefined || (await unlessMissing(readFile(this.#folderMark(stats)))) !== undefined
  }

  async dropFolder(stats: BigIntStats): Promise<void> {
    await unlessMissing(unlink(this.#folderMark(stats)))
  }

  #xattr(file: string | number): Uint8Array | undefined {
    return this.#useXattrs ? ignoring(NO_ROOM, () => getXattr(file, ATTRIBUTE)) : undefined
  }

  #setXattr(file: string | number, value: Uint8Array): boolean {
    if (!this.#useXattrs) return false
    return (
      ignoring(NO_ROOM, () => {
        setXattr(file, ATTRIBUTE, value)
        return true
      }) ?? false
    )
  }

  async #readSide(stats: BigIntStats): Promise<ObjectRecord | undefined> {
    return parsed(await unlessMissing(readFile(this.#sideFile(stats))))
  }

  async #writeSide(path: string, value: Uint8Array): Promise<void> {
    const temporary = this.#temporary()
    await writeFile(temporary, value, { flush: true })
    await mkdir(dirname(path), { recursive: true })
    await rename(temporary, path)
  }

  #sideFile(stats: BigIntStats): string {
    return join(this.#sideFolder, identityOf(stats))
  }

  /** Inodes are used again; the time of birth tells whether this one was. */
  #folderMark(stats: BigIntStats): string {
    return join(this.#sideFolder, `folder-${stats.ino}-${stats.birthtimeNs}`)
  }
}

/** Inode, size and mtime, not ctime: setting an attribute, linking and renaming change that. */
export function identityOf(stats: BigIntStats): string {
  return `${stats.ino}-${stats.size}-${stats.mtimeNs}`
}

/** The ETag of a file that another program wrote. */
function derivedEtag(stats: BigIntStats): string {
  const all = `${identityOf(stats)}-${stats.ctimeNs}`
  return `f-${createHash('sha256').update(all).digest('hex').slice(0, 32)}`
}

function parsed(value: Uint8Array | undefined): ObjectRecord | undefined {
  if (value === undefined) return undefined
  try {
    const record: unknown = JSON.parse(Buffer.from(value).toString())
    return isRecord(record) ? record : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function isRecord(value: unknown): value is ObjectRecord {
  if (!isPlainObject(value)) return false
  const { etag, identity, metadata, headers } = value
  return typeof etag === 'string' && typeof identity === 'string' && isTexts(metadata) && isTexts(headers)
}

function isTexts(value: unknown): boolean {
  return isPlainObject(value) && Object.values(value).every(text => typeof text === 'string')
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function ignoring<T>(codes: readonly string[], call: () => T): T | undefined {
  try {
    return call()
  } catch (error) {
    if (hasCode(error, ...codes)) return undefined
    throw error
  }
}
