import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { access, lstat, mkdir, readdir, readFile, realpath, stat, unlink, writeFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { Log } from '../log.js'
import { StoreError } from '../store-error.js'
import { RESERVED } from './key-paths.js'
import { hasCode, unlessMissing } from './local-errors.js'

/** Counts up with every change that an older program could not read. */
const FORMAT = 1

/** Temporary files of programs that were killed are removed after a day: no write goes without a byte for so long. */
const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1000

/** The places within the reserved folder of a local store. */
export interface Layout {
  /** The store's folder, without symbolic links. */
  readonly root: string
  readonly reserved: string
  readonly locks: string
  readonly side: string
  readonly uploads: string
  /** A new path for a file that is to be moved to its place. */
  readonly temporary: () => string
  /** To be called before anything is written: makes the reserved folder where opening could not, or throws why. */
  readonly prepareWriting: () => Promise<void>
}

/**
 * Opens the folder of a store. A folder that does not exist is `unavailable` unless `create`. The reserved folder is
 * made at once where that is permitted; a folder that can only be read is opened as it is.
 */
export async function openLayout(folder: string, create: boolean, nowMs: number, log: Log): Promise<Layout> {
  if (create) await mkdir(folder, { recursive: true })
  const root = await rootOf(folder)
  const reserved = join(root, RESERVED)
  const temporaries = join(reserved, 'tmp')
  const locks = join(reserved, 'locks')
  const format = join(reserved, 'format')
  let isPrepared = false
  const prepareWriting = async () => {
    if (isPrepared) return
    await mkdir(temporaries, { recursive: true })
    await mkdir(locks, { recursive: true })
    if ((await unlessMissing(stat(format))) === undefined) await writeFile(format, `${FORMAT}\n`)
    isPrepared = true
  }
  try {
    await prepareWriting()
    await removeAbandoned(temporaries, nowMs, log)
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS')) throw error
    log.debug('the folder can only be read', { folder: root, error })
  }
  await checkFormat(format)
  return {
    root,
    reserved,
    locks,
    side: join(reserved, 'side'),
    uploads: join(reserved, 'uploads'),
    temporary: () => join(temporaries, randomUUID()),
    prepareWriting,
  }
}

/** Whether a path of the store is in its reserved folder. */
export function isReserved(layout: Layout, path: string): boolean {
  return path.startsWith(layout.reserved + sep)
}

async function rootOf(folder: string): Promise<string> {
  const stats = await unlessMissing(stat(folder), 'ENOTDIR')
  if (stats?.isDirectory() !== true)
    throw new StoreError('unavailable', `there is no folder ${folder}`, { code: 'ENOENT', retryable: false })
  await access(folder, constants.R_OK | constants.X_OK)
  return realpath(folder)
}

async function checkFormat(path: string): Promise<void> {
  const text = await unlessMissing(readFile(path, 'utf8'))
  if (text === undefined || text.trim() === String(FORMAT)) return
  throw new StoreError('unsupported', `the folder has format ${text.trim().slice(0, 20)}, this program knows ${FORMAT}`)
}

async function removeAbandoned(temporaries: string, nowMs: number, log: Log): Promise<void> {
  for (const name of await readdir(temporaries)) {
    const path = join(temporaries, name)
    const stats = await unlessMissing(lstat(path))
    if (stats === undefined || nowMs - stats.mtimeMs < ABANDONED_AFTER_MS) continue
    await unlessMissing(unlink(path))
    log.info('removed an abandoned temporary file', { path, sizeBytes: stats.size })
  }
}
