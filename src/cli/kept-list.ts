import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { formatSizeRoughly } from '../config/quantities.js'
import { type KeptFile, KeptFiles, namesIn } from '../fs/kept-files.js'
import { isWhole } from '../fs/recovery.js'
import { readRecord } from '../fuse/mount-record.js'
import { tableLines } from './table-lines.js'

/** A kept file, and whose it is. */
export interface FoundFile {
  readonly file: KeptFile
  /** The folder of all that its mount keeps. */
  readonly folder: KeptFiles
  readonly stateDir: string
  /** Where its store was mounted; undefined where no record tells. */
  readonly mountPoint: string | undefined
}

/** What all mounts keep whose state folders are below this one; it may also be the state folder of one mount. */
export async function findKept(stateRoot: string): Promise<readonly FoundFile[]> {
  const names = await namesIn(stateRoot)
  const stateDirs = existsSync(join(stateRoot, 'kept')) ? [stateRoot] : names.map(name => join(stateRoot, name))
  const found: FoundFile[] = []
  for (const stateDir of stateDirs) {
    const folder = new KeptFiles(stateDir)
    const files = await folder.list()
    const mountPoint = files.length === 0 ? undefined : (await readRecord(stateDir))?.mountPoint
    found.push(...files.map(file => ({ file, folder, stateDir, mountPoint })))
  }
  return found.sort((a, b) => a.file.record.keptAtMs - b.file.record.keptAtMs)
}

const SHORTEST_ID = 8

/** The shortest beginnings by which all of these can be told apart. */
export function idLength(found: readonly FoundFile[]): number {
  const ids = found.map(({ file }) => file.id)
  let length = SHORTEST_ID
  while (new Set(ids.map(id => id.slice(0, length))).size < new Set(ids).size) length += 1
  return length
}

/** The URL of the object. */
export function objectOf({ record }: KeptFile): string {
  return record.key === '' ? '(unknown)' : `${record.url}/${record.key}`
}

/** One line for each file, under a head. */
export function listLines(found: readonly FoundFile[]): readonly string[] {
  const length = idLength(found)
  const rows = found.map(({ file }) => [
    file.id.slice(0, length),
    new Date(file.record.keptAtMs).toISOString().slice(0, 16).replace('T', ' '),
    `${formatSizeRoughly(file.record.sizeBytes)}${isWhole(file.record) ? '' : ' (part)'}`,
    printable(objectOf(file)),
    printable(file.record.reason),
  ])
  return tableLines([['ID', 'KEPT (UTC)', 'SIZE', 'OBJECT', 'WHY'], ...rows])
}

export function listJson(found: readonly FoundFile[]): string {
  const entries = found.map(({ file, mountPoint }) => ({
    id: file.id,
    keptAt: new Date(file.record.keptAtMs).toISOString(),
    sizeBytes: file.record.sizeBytes,
    url: file.record.url,
    key: file.record.key,
    mountPoint,
    path: file.record.path,
    reason: file.record.reason,
    isWhole: isWhole(file.record),
    file: file.dataPath,
  }))
  return JSON.stringify(entries, undefined, 2)
}

/** A key may hold anything: what would move the terminal's cursor is shown as an escape. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, character => JSON.stringify(character).slice(1, -1).replace('\x7f', '\\u007f'))
}
