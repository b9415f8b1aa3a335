import type { BigIntStats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { throwIfAborted } from '../../backend/call.js'
import { compareKeys } from '../../backend/keys.js'

/** What a folder of the local disk holds, by its name from there with slashes. */
export type LocalEntry = LocalFile | LeftAlone | Unreadable

export interface LocalFile {
  readonly kind: 'file'
  readonly name: string
  readonly path: string
  readonly stats: BigIntStats
}

/** What is neither a file nor a folder. It may hide names below its own. */
export interface LeftAlone {
  readonly kind: 'left alone'
  readonly name: string
  readonly path: string
  readonly what: string
}

/** What stands below it is not known. */
export interface Unreadable {
  readonly kind: 'unreadable'
  readonly name: string
  readonly path: string
  readonly error: unknown
}

/** Asked of the disk at once. */
const LOOKS_AT_ONCE = 32

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * All files below a folder in the order of keys (by UTF-8 bytes, a folder where its slash puts it). Symbolic links are not
 * followed. What goes away while it is read is not there, nor are files that a transfer has not finished.
 */
export async function* localTree(root: string, signal?: AbortSignal): AsyncGenerator<LocalEntry, void, undefined> {
  yield* folderEntries(root, '', signal)
}

async function* folderEntries(
  folder: string,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<LocalEntry, void, undefined> {
  throwIfAborted(signal, 'sync')
  let found: readonly Found[]
  try {
    found = await lookInto(folder, prefix)
  } catch (error) {
    if (prefix !== '' && isGone(error)) return
    yield { kind: 'unreadable', name: prefix, path: folder, error }
    return
  }
  for (const { order, entry } of found) {
    throwIfAborted(signal, 'sync')
    if (entry === 'folder') yield* folderEntries(join(folder, order.slice(prefix.length)), order, signal)
    else yield entry
  }
}

/** `order` is what a name is sorted by: a folder's has a slash at its end. */
interface Found {
  readonly order: string
  readonly entry: LocalEntry | 'folder'
}

async function lookInto(folder: string, prefix: string): Promise<readonly Found[]> {
  const names = await readdir(folder, { encoding: 'buffer' })
  const found: Found[] = []
  for (let at = 0; at < names.length; at += LOOKS_AT_ONCE) {
    const looked = names.slice(at, at + LOOKS_AT_ONCE).map(name => look(folder, prefix, name))
    for (const each of await Promise.all(looked)) if (each !== undefined) found.push(each)
  }
  return found.sort((a, b) => compareKeys(a.order, b.order))
}

async function look(folder: string, prefix: string, bytes: Buffer): Promise<Found | undefined> {
  const last = textOf(bytes)
  if (last === undefined) return notUtf8(folder, prefix, bytes)
  if (isUnfinished(last)) return undefined
  const [name, path] = [`${prefix}${last}`, join(folder, last)]
  try {
    const stats = await lstat(path, { bigint: true })
    if (stats.isDirectory()) return { order: `${name}/`, entry: 'folder' }
    if (stats.isFile()) return { order: name, entry: { kind: 'file', name, path, stats } }
    return { order: name, entry: { kind: 'left alone', name, path, what: whatIs(stats) } }
  } catch (error) {
    return isGone(error) ? undefined : { order: name, entry: { kind: 'unreadable', name, path, error } }
  }
}

/** What `get` and its like have fetched so far (partial-file.ts). */
function isUnfinished(name: string): boolean {
  return name.startsWith('.') && name.endsWith('.bucket-part')
}

function notUtf8(folder: string, prefix: string, bytes: Buffer): Found {
  const shown = bytes.toString()
  const error = new Error('the name is not valid UTF-8, so it is no key')
  return {
    order: `${prefix}${shown}`,
    entry: { kind: 'unreadable', name: `${prefix}${shown}`, path: join(folder, shown), error },
  }
}

function textOf(bytes: Buffer): string | undefined {
  try {
    return UTF8.decode(bytes)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

/** Why something that is neither a file nor a folder is not taken. */
export function whatIs(stats: BigIntStats): string {
  if (stats.isSymbolicLink()) return 'a symbolic link'
  if (stats.isFIFO()) return 'a pipe'
  if (stats.isSocket()) return 'a socket'
  return 'a device'
}

export function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR'
}
