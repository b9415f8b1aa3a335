import type { Metadata } from '../backend/object-store.js'
import type { Timestamp } from './operations.js'

export const S_IFMT = 0o170000
export const S_IFDIR = 0o040000
export const S_IFREG = 0o100000
export const S_IFLNK = 0o120000
export const S_IFCHR = 0o020000
export const S_IFBLK = 0o060000
export const S_IFIFO = 0o010000
export const S_IFSOCK = 0o140000
export const S_ISUID = 0o4000
export const S_ISGID = 0o2000
const S_IXGRP = 0o010

/** What a program may set of a file or folder. Undefined: nobody did, the mount's default holds. */
export interface OwnAttributes {
  /** Permission bits (0o7777). */
  readonly mode: number | undefined
  readonly uid: number | undefined
  readonly gid: number | undefined
  readonly mtime: Timestamp | undefined
  readonly atime: Timestamp | undefined
  readonly ctime: Timestamp | undefined
  /** Of devices. */
  readonly rdev: number | undefined
}

export const NO_ATTRIBUTES: OwnAttributes = {
  mode: undefined,
  uid: undefined,
  gid: undefined,
  mtime: undefined,
  atime: undefined,
  ctime: undefined,
  rdev: undefined,
}

/** What the mount shows where an object says nothing. */
export interface AttributeDefaults {
  readonly uid: number
  readonly gid: number
  /** Permission bits. */
  readonly fileMode: number
  readonly directoryMode: number
}

/**
 * A word that nobody else sends, as metadata of what must be new and looks like anybody's: empty files, folders, links. By it
 * the mount that made a lock knows that it was the one.
 */
export const WRITE_ID = 'mount-bucket-write-id'

/** The user metadata that attributes take; `rdev` (st_rdev in decimal) and the last one are this project's own. */
const NAMES = ['mode', 'uid', 'gid', 'mtime', 'atime', 'ctime', 'rdev', WRITE_ID] as const

/** Permission bits of a link, pipe or device that says nothing of them. */
export const SPECIAL_MODE = 0o777

/** The types of files that an object can be; a folder is one by its key. */
const OBJECT_TYPES: ReadonlySet<number> = new Set([S_IFREG, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK])

/**
 * Reads the attributes from user metadata in the form of s3fs-fuse (its wiki, "Keys of object metadata"): `mode` is
 * st_mode in decimal, `uid` and `gid` are decimal, times are `seconds[.nanoseconds]`. What can't be read counts as
 * not there.
 */
export function attributesFrom(metadata: Metadata): OwnAttributes {
  const mode = parseDecimal(metadata.mode)
  return {
    mode: mode === undefined ? undefined : mode & 0o7777,
    uid: parseDecimal(metadata.uid),
    gid: parseDecimal(metadata.gid),
    mtime: parseTimestamp(metadata.mtime),
    atime: parseTimestamp(metadata.atime),
    ctime: parseTimestamp(metadata.ctime),
    rdev: parseDecimal(metadata.rdev),
  }
}

/** st_mode's type bits of an object with this metadata. */
export function typeFrom(metadata: Metadata): number {
  const type = (parseDecimal(metadata.mode) ?? 0) & S_IFMT
  return OBJECT_TYPES.has(type) ? type : S_IFREG
}

/** User metadata without what attributes take. */
export function withoutAttributes(metadata: Metadata): Metadata {
  // Most objects have none, and each file that is stored comes by here.
  if (Object.keys(metadata).length === 0) return metadata
  return Object.fromEntries(Object.entries(metadata).filter(([name]) => !NAMES.some(reserved => reserved === name)))
}

/** The user metadata with these attributes in place of those that it holds. `mode` is what tells the type. */
export function withAttributes(metadata: Metadata, own: OwnAttributes, type: number): Metadata {
  const isPlain = type === S_IFREG || type === S_IFDIR
  const mode = own.mode ?? (isPlain ? undefined : SPECIAL_MODE)
  const attributes: Record<string, string> = {}
  if (mode !== undefined) attributes.mode = String(type | mode)
  if (own.uid !== undefined) attributes.uid = String(own.uid)
  if (own.gid !== undefined) attributes.gid = String(own.gid)
  if (own.mtime !== undefined) attributes.mtime = formatTimestamp(own.mtime)
  if (own.atime !== undefined) attributes.atime = formatTimestamp(own.atime)
  if (own.ctime !== undefined) attributes.ctime = formatTimestamp(own.ctime)
  if (own.rdev !== undefined) attributes.rdev = String(own.rdev)
  return { ...withoutAttributes(metadata), ...attributes }
}

/** Permission bits after a write or a change of owner: setuid goes, setgid too where the group may execute. */
export function withoutPrivileges(mode: number): number {
  return (mode & S_IXGRP) === 0 ? mode & ~S_ISUID : mode & ~(S_ISUID | S_ISGID)
}

export function timestampOf(timeMs: number): Timestamp {
  const seconds = Math.floor(timeMs / 1000)
  return { seconds, nanoseconds: Math.round((timeMs - seconds * 1000) * 1e6) }
}

export function toMs(time: Timestamp): number {
  return time.seconds * 1000 + time.nanoseconds / 1e6
}

function parseDecimal(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined
  const value = Number(text)
  return value <= 0xffffffff ? value : undefined
}

function parseTimestamp(text: string | undefined): Timestamp | undefined {
  const match = text === undefined ? null : /^(-?\d{1,15})(?:\.(\d{1,9}))?/.exec(text)
  if (match === null) return undefined
  return { seconds: Number(match[1]), nanoseconds: Number((match[2] ?? '').padEnd(9, '0')) }
}

function formatTimestamp(time: Timestamp): string {
  if (time.nanoseconds === 0) return String(time.seconds)
  return `${time.seconds}.${String(time.nanoseconds).padStart(9, '0')}`
}
