import { readdirSync, readFileSync } from 'node:fs'

/** proc_pid_stat(5) counts in these; on Linux always 100 a second (USER_HZ). */
const TICKS_PER_SECOND = 100

/** What a process and its children have used so far. */
export interface ProcessUsage {
  readonly cpuSeconds: number
  /** Of the first thread alone. */
  readonly mainThreadSeconds: number
  /** The most memory ever held (VmHWM), and that held now (VmRSS), of all together. */
  readonly peakBytes: number
  readonly residentBytes: number
}

export function usageOf(pid: number): ProcessUsage {
  const family = [pid, ...descendantsOf(pid)]
  const of = (read: (member: number) => number) =>
    family.reduce((sum, member) => sum + (member === pid ? read(member) : orZero(() => read(member))), 0)
  return {
    cpuSeconds: of(member => cpuSeconds(`/proc/${member}/stat`, member === pid)),
    mainThreadSeconds: cpuSeconds(`/proc/${pid}/task/${pid}/stat`, false),
    peakBytes: of(member => memoryBytes(member, 'VmHWM')),
    residentBytes: of(member => memoryBytes(member, 'VmRSS')),
  }
}

/** CPU-seconds of each thread of a process, by its id. */
export function threadSeconds(pid: number): ReadonlyMap<number, number> {
  const ids = readdirSync(`/proc/${pid}/task`).map(Number)
  return new Map(ids.map(id => [id, orZero(() => cpuSeconds(`/proc/${pid}/task/${id}/stat`, false))]))
}

/** Fields 14 to 17 of stat; `withChildren`: of those that have ended, too. */
function cpuSeconds(file: string, withChildren: boolean): number {
  const text = readFileSync(file, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, withChildren ? 15 : 13).reduce((sum, field) => sum + Number(field), 0)
  return ticks / TICKS_PER_SECOND
}

function memoryBytes(pid: number, field: string): number {
  const [, kibibytes] =
    new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  if (kibibytes === undefined) throw new Error(`process ${pid} has ended`)
  return Number(kibibytes) * 1024
}

function descendantsOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap(task =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
      .split(' ')
      .filter(text => text !== '')
      .map(Number)
      .flatMap(child => [child, ...orNone(() => descendantsOf(child))]),
  )
}

/** The process whose command is `name` and whose words hold `word`: one that has gone to the background. */
export function findProcess(name: string, word: string): number | undefined {
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .map(Number)
    .find(pid => isNamed(pid, name, word))
}

function isNamed(pid: number, name: string, word: string): boolean {
  try {
    if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== name) return false
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word)
  } catch {
    // It has ended while it was looked at.
    return false
  }
}

function orZero(read: () => number): number {
  try {
    return read()
  } catch {
    // A child or a thread that has just ended.
    return 0
  }
}

function orNone(read: () => readonly number[]): readonly number[] {
  try {
    return read()
  } catch {
    // A child that has just ended.
    return []
  }
}
