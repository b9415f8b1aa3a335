import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { formatSizeRoughly } from '../config/quantities.js'
import { type KeptFile, KeptFiles, namesIn } from '../fs/kept-files.js'
import { isWhole } from '../fs/recovery.js'
import { leftInStaging } from '../fs/staging.js'
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

/** What a driver that ended has left, which its next mount keeps. */
export interface LeftBehind {
  readonly sizeBytes: number
  /** Undefined where no record tells. */
  readonly mountPoint: string | undefined
  readonly source: string | undefined
}

/** The state folders of mounts below this one, which may also be that of one mount. */
async function stateDirsIn(stateRoot: string): Promise<readonly string[]> {
  if (existsSync(join(stateRoot, 'kept'))) return [stateRoot]
  return (await namesIn(stateRoot)).map(name => join(stateRoot, name))
}

/** What drivers were writing when they ended, and nobody keeps yet. */
export async function findLeft(stateRoot: string): Promise<readonly LeftBehind[]> {
  const found: LeftBehind[] = []
  for (const stateDir of await stateDirsIn(stateRoot)) {
    const sizeBytes = await leftInStaging(stateDir)
    const { mountPoint, source } = (sizeBytes > 0 && (await readRecord(stateDir))) || {}
    if (sizeBytes > 0) found.push({ sizeBytes, mountPoint, source })
  }
  return found
}

/** What all mounts keep whose state folders are below this one. */
export async function findKept(stateRoot: string): Promise<readonly FoundFile[]> {
  const found: FoundFile[] = []
  for (const stateDir of await stateDirsIn(stateRoot)) {
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

/** What is to be done for it to be listed. */
export function leftLine({ sizeBytes, mountPoint, source }: LeftBehind): string {
  const size = formatSizeRoughly(sizeBytes)
  const where = mountPoint === undefined ? '' : ` at ${printable(mountPoint)}`
  const what = source === undefined ? 'its store' : printable(source)
  return `what a driver was writing when it died (${size}) is not listed yet: mount ${what}${where} again, and it is kept`
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
