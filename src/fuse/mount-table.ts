import { readFile } from 'node:fs/promises'

/** The type under which our mounts stand in the kernel's table. */
export const FILESYSTEM_TYPE = 'fuse.mount-bucket'

/** One line of /proc/PID/mountinfo (proc_pid_mountinfo(5)), of which we need these. */
export interface MountEntry {
  readonly mountId: number
  /** `major:minor`, the st_dev of what is mounted. */
  readonly device: string
  readonly mountPoint: string
  readonly type: string
  readonly source: string
}

export function parseMountTable(text: string): readonly MountEntry[] {
  return text.split('\n').flatMap(parseLine)
}

/**
 * All mounts that a process sees, in the order in which they were made. Asks no file system but proc. Empty where
 * there is none (macOS).
 */
export async function readMountTable(ofProcess: number | 'self' = 'self'): Promise<readonly MountEntry[]> {
  if (process.platform !== 'linux') return []
  return parseMountTable(await readFile(`/proc/${ofProcess}/mountinfo`, 'utf8'))
}

/** The uppermost mount at exactly this path, which has no symbolic links. */
export function mountAt(table: readonly MountEntry[], mountPoint: string): MountEntry | undefined {
  return table.findLast(entry => entry.mountPoint === mountPoint)
}

/** The uppermost mount that a path lies in, by its name alone. */
export function mountAround(table: readonly MountEntry[], path: string): MountEntry | undefined {
  return table.reduce<MountEntry | undefined>((best, entry) => {
    if (!isWithin(path, entry.mountPoint)) return best
    return best === undefined || entry.mountPoint.length >= best.mountPoint.length ? entry : best
  }, undefined)
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || folder === '/' || path.startsWith(`${folder}/`)
}

/** `36 35 98:0 /root /mount/point rw,noatime shared:1 - type source super,options` */
function parseLine(line: string): readonly MountEntry[] {
  const [mountPart = '', filesystemPart] = line.split(' - ', 2)
  if (filesystemPart === undefined) return []
  const [mountId, , device = '', , mountPoint = ''] = mountPart.split(' ')
  const [type = '', source = ''] = filesystemPart.split(' ')
  const paths = { mountPoint: unescapeOctal(mountPoint), source: unescapeOctal(source) }
  return [{ mountId: Number(mountId), device, type, ...paths }]
}

/** Space, tab, newline, backslash and hash stand as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
