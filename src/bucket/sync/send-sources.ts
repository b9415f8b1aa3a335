import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { throwIfAborted } from '../../backend/call.js'
import { compareKeys } from '../../backend/keys.js'
import { pathFault } from '../target-folder.js'
import { isGone, type LocalEntry, localTree, whatIs } from './local-tree.js'
import type { SendSource } from './send-task.js'

/** A folder with all that is below it. */
export function folderSource(folder: string): SendSource {
  return {
    shown: folder,
    entries: signal => localTree(folder, signal),
    has: async name => pathFault(name) === undefined && (await isThere(join(folder, name))),
    pathOf: name => (pathFault(name) === undefined ? join(folder, name) : folder),
  }
}

/** Files by the names that they are to have. */
export function listedSource(files: ReadonlyMap<string, string>): SendSource {
  return {
    shown: 'the list of files',
    entries: signal => listedEntries(files, signal),
    has: async name => files.has(name),
    pathOf: name => files.get(name) ?? '',
  }
}

async function* listedEntries(
  files: ReadonlyMap<string, string>,
  signal: AbortSignal,
): AsyncGenerator<LocalEntry, void, undefined> {
  for (const [name, path] of [...files].sort(([a], [b]) => compareKeys(a, b))) {
    throwIfAborted(signal, 'sync')
    yield await listedEntry(name, path)
  }
}

async function listedEntry(name: string, path: string): Promise<LocalEntry> {
  try {
    const stats = await lstat(path, { bigint: true })
    if (stats.isFile()) return { kind: 'file', name, path, stats }
    const what = stats.isDirectory() ? 'a folder' : whatIs(stats)
    return { kind: 'unreadable', name, path, error: new Error(`${path} is ${what}, not a file`) }
  } catch (error) {
    return { kind: 'unreadable', name, path, error }
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    // A name that the disk can't have is not there either.
    if (isGone(error) || (error as NodeJS.ErrnoException).code === 'ENAMETOOLONG') return false
    throw error
  }
}
