import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../system/make-folder.js'

const FILE = 'mount.json'

/** What a driver leaves in its state folder about itself, so that others can wait for its end. */
export interface MountRecord {
  readonly pid: number
  /** Tells this process from a later one with the same pid (field 22 of /proc/PID/stat). */
  readonly processStart: string
  readonly mountPoint: string
  readonly source: string
  /** Where its disk cache is; absent where it has none. */
  readonly cacheDir?: string | undefined
  /** How it ended; absent while it runs, or if it never got so far. */
  readonly end?: MountEnd
}

/** How a mount ended. */
export interface MountEnd {
  /** Whether all that was written is in the store. */
  readonly isAllStored: boolean
  /** Files whose bytes are kept on the local disk, and where. */
  readonly kept: readonly { readonly path: string; readonly keptAt: string }[]
}

export async function writeRecord(stateDir: string, record: MountRecord): Promise<void> {
  makeFolder(stateDir)
  const path = join(stateDir, FILE)
  const temporary = `${path}.${record.pid}`
  await writeFile(temporary, `${JSON.stringify(record)}\n`, { mode: 0o600 })
  await rename(temporary, path)
}

/** A record with the state folder that it lies in. */
export interface FoundRecord {
  readonly stateDir: string
  readonly record: MountRecord
}

/** The record of the living driver that serves this mount point, else the one of a driver that died; undefined: none. */
export async function findRecord(stateRoot: string, mountPoint: string): Promise<FoundRecord | undefined> {
  const names = await readdir(stateRoot).catch(() => [])
  let dead: FoundRecord | undefined
  for (const name of names) {
    const stateDir = join(stateRoot, name)
    const record = await readRecord(stateDir)
    if (record?.mountPoint !== mountPoint) continue
    if (await isRunning(record)) return { stateDir, record }
    if (record.end === undefined) dead = { stateDir, record }
  }
  return dead
}

export async function readRecord(stateDir: string): Promise<MountRecord | undefined> {
  try {
    return JSON.parse(await readFile(join(stateDir, FILE), 'utf8')) as MountRecord
  } catch {
    // No record, or one of another make: as good as none.
    return undefined
  }
}

export async function isRunning(record: MountRecord): Promise<boolean> {
  return (await processStart(record.pid)) === record.processStart
}

/** When a process began, in clock ticks since the boot; undefined once it has ended, waited for or not. */
export async function processStart(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // Field 2, the program's name, may hold blanks and parentheses of its own.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields?.[0] === 'Z' ? undefined : fields?.[19]
}
