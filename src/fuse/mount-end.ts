import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MountError } from './mount-error.js'
import { findRecord, isRunning, type MountEnd, readRecord } from './mount-record.js'
import { FILESYSTEM_TYPE, type MountEntry, mountAt, readMountTable } from './mount-table.js'
import { unmountAt } from './mount-unmount.js'

const POLL_MS = 25

/** What became of a mount that was ended from another process. */
export type EndResult =
  | { readonly kind: 'ended'; readonly end: MountEnd }
  /** The driver was gone before; what it had not stored lies in its state folder. */
  | { readonly kind: 'driver-gone'; readonly stateDir: string }
  /** It is unmounted, but its driver keeps its state elsewhere, so that nothing is known of it. */
  | { readonly kind: 'driver-unknown' }

export interface EndOptions {
  /** Absolute. */
  readonly mountPoint: string
  /** Below which folder drivers keep their state; undefined: unknown. */
  readonly stateRoot: string | undefined
  readonly lazy: boolean
}

/** Unmounts what a driver of ours serves at this place and waits until that driver has ended. */
export async function endMount(options: EndOptions): Promise<EndResult> {
  const { mountPoint } = await findOurs(options.mountPoint)
  const found = options.stateRoot === undefined ? undefined : await findRecord(options.stateRoot, mountPoint)
  await unmountAt(mountPoint, options)
  if (found === undefined) return { kind: 'driver-unknown' }
  while (await isRunning(found.record)) await sleep(POLL_MS)
  const end = (await readRecord(found.stateDir))?.end
  return end === undefined ? { kind: 'driver-gone', stateDir: found.stateDir } : { kind: 'ended', end }
}

/** Links in the way to the mount point are followed; the mount itself, which may be dead, is not touched. */
async function findOurs(path: string): Promise<MountEntry> {
  const table = await readMountTable()
  const entry = mountAt(table, path) ?? mountAt(table, await withoutLinks(path))
  if (entry === undefined) throw new MountError('not-mounted', `nothing is mounted at ${path}`)
  if (entry.type === FILESYSTEM_TYPE) return entry
  throw new MountError('not-ours', `what is mounted at ${path} is no bucket of ours but ${entry.type}: use umount`)
}

async function withoutLinks(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    // The end of the path may be a dead mount, which can't be resolved; what leads to it can.
    const folder = await realpath(dirname(path)).catch(() => dirname(path))
    return join(folder, basename(path))
  }
}
