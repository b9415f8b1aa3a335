import { opendir, realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Log } from '../backend/log.js'
import { MountError, type MountErrorKind } from './mount-error.js'
import { FILESYSTEM_TYPE, type MountEntry, mountAround, readMountTable } from './mount-table.js'
import { unmountAt } from './mount-unmount.js'

/**
 * Makes sure that a folder is fit to be mounted at, and cleans away what a dead driver of ours left there. Returns the
 * folder's path without symbolic links. Rejects with a MountError.
 *
 * The kernel's table is read before any path is touched: a mount that this very process serves must not be waited for.
 */
export async function checkMountPoint(mountPoint: string, log: Log): Promise<string> {
  await checkTable(mountPoint, log)
  const resolved = await realpath(mountPoint).catch(error => fail(mountPoint, error))
  if (resolved !== mountPoint) await checkTable(resolved, log)
  const status = await stat(resolved).catch(error => fail(mountPoint, error))
  if (!status.isDirectory())
    throw new MountError('not-a-folder', `${mountPoint} is not a folder: mount at an empty one`)
  await checkEmpty(mountPoint, resolved)
  return resolved
}

async function checkTable(path: string, log: Log): Promise<void> {
  const table = await readMountTable()
  const around = mountAround(table, path)
  if (around?.type !== FILESYSTEM_TYPE) return
  if (around.mountPoint !== path) {
    const message = `${path} lies inside the mount of ${around.source} at ${around.mountPoint}: choose another place`
    throw new MountError('inside-a-mount', message)
  }
  if (!(await isDead(path))) {
    const message = `${around.source} is already mounted at ${path}: end that first (mount-bucket unmount ${path})`
    throw new MountError('already-mounted', message)
  }
  await cleanDead(around, log)
}

/** A mount whose driver is gone answers every call with ENOTCONN. */
async function isDead(path: string): Promise<boolean> {
  try {
    await stat(path)
    return false
  } catch (error) {
    // EACCES and the like are answers of a living mount (of another user).
    return codeOf(error) === 'ENOTCONN' || codeOf(error) === 'ECONNABORTED'
  }
}

async function cleanDead(entry: MountEntry, log: Log): Promise<void> {
  await unmountAt(entry.mountPoint, { lazy: true })
  log.warn('a mount whose driver is gone was cleaned away', { mountPoint: entry.mountPoint, source: entry.source })
}

async function checkEmpty(mountPoint: string, resolved: string): Promise<void> {
  const folder = await opendir(resolved).catch(error => fail(mountPoint, error))
  try {
    const first = await folder.read()
    if (first === null) return
    const message = `${mountPoint} is not empty (it holds ${JSON.stringify(first.name)}): mount at an empty folder`
    throw new MountError('not-empty', message)
  } finally {
    await folder.close()
  }
}

function fail(mountPoint: string, error: unknown): never {
  const [kind, reason] = reasonOf(mountPoint, codeOf(error))
  throw new MountError(kind, reason, { cause: error })
}

function reasonOf(mountPoint: string, code: string | undefined): readonly [MountErrorKind, string] {
  switch (code) {
    case 'ENOENT':
      return ['missing', `${mountPoint} does not exist: create it (mkdir -p ${mountPoint})`]
    case 'ENOTDIR':
      return ['not-a-folder', `${dirname(mountPoint)} is not a folder`]
    case 'ENOTCONN':
      return ['dead', `${mountPoint} lies in a mount whose driver is gone: unmount that first (umount -l)`]
    default:
      return ['unreadable', `${mountPoint} can't be looked at: ${code ?? 'unknown error'}`]
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
