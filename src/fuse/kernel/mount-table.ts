/** One line of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
export interface MountEntry {
  readonly mountId: number
  /** `major:minor`, the st_dev of what is mounted. */
  readonly device: string
  readonly mountPoint: string
}

export function parseMountTable(text: string): MountEntry[] {
  const entries: MountEntry[] = []
  for (const line of text.split('\n')) {
    const [mountId, , device, , mountPoint] = line.split(' ')
    if (device === undefined || mountPoint === undefined) continue
    entries.push({ mountId: Number(mountId), device, mountPoint: unescapePath(mountPoint) })
  }
  return entries
}

/** The uppermost mount at a path without symbolic links. */
export function findMount(text: string, mountPoint: string): MountEntry | undefined {
  return parseMountTable(text).findLast(entry => entry.mountPoint === mountPoint)
}

/** Blanks, tabs, line ends and backslashes stand as three octal digits, and bytes as they are. */
function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
