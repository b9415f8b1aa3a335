import { readdirSync, readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { HolderProbe } from '../../fs/operations.js'
import { readMountTable } from '../mount-table.js'
import { ProcFiles } from './proc-files.js'

/** Descriptors looked at for one question. A process with more is taken not to hold the file. */
const MAX_DESCRIPTORS = 4096
/** These reads of /proc take microseconds and never wait: the thread pool would cost ten times as much. */
const READS_IN_A_ROW = 64

/** Access mode bits of `flags`: 0 is O_RDONLY. */
const O_ACCMODE = 3

interface OpenDescriptor {
  readonly ino: number
  readonly mountId: number
  readonly writable: boolean
}

/**
 * Looks in /proc/TID/fdinfo for descriptors that can write to a file of this mount (`ino`: Linux 5.14). What can't be read
 * holds nothing.
 *
 * Only files of /proc are read that never wait for the mount itself: fdinfo, mountinfo and statm. A FLUSH comes also of
 * execve(2), which closes what is close-on-exec while it holds the lock that stat, wchan and the links of fd/ want
 * (`exec_update_lock`): whoever reads those then waits for the answer of this very FLUSH.
 */
export class FdinfoProbe implements HolderProbe {
  readonly #files = new ProcFiles()
  #device: string | undefined

  /** `device` is the mount's `major:minor`. */
  attach(device: string): void {
    this.#device = device
  }

  /** Nothing stays open from then on. */
  close(): void {
    this.#files.close()
  }

  /** At once where few descriptors are to be looked at and none has the file open: that is nearly always so. */
  isHeld(pids: readonly number[], ino: number): false | Promise<boolean> {
    let room = READS_IN_A_ROW
    for (const tid of pids) {
      const names = listDescriptors(tid)
      room -= names.length
      if (room < 0) return this.#look(pids, ino)
      for (const name of names) if (this.#writer(tid, name, ino) !== undefined) return this.#look(pids, ino)
    }
    return false
  }

  async #look(pids: readonly number[], ino: number): Promise<boolean> {
    let room = MAX_DESCRIPTORS
    for (const tid of new Set(pids)) {
      if (tid === 0) continue
      const names = listDescriptors(tid)
      if (names.length > room) return false
      room -= names.length
      for (const mountId of await this.#writersOf(tid, names, ino)) if (await this.#isOurs(tid, mountId)) return true
    }
    return false
  }

  killedBy(tid: number): number | undefined {
    try {
      // A process gives its memory up before its files, and nobody calls execve without memory: stat can be read.
      if (hasMemory(this.#files.readHead(`/proc/${tid}/statm`))) return undefined
      return parseDeath(readFileSync(`/proc/${tid}/stat`, 'latin1'))
    } catch {
      // Gone, or not ours to look at: who can't be asked has finished.
      return undefined
    }
  }

  /** The mount ids of descriptors that have `ino` open for writing. */
  async #writersOf(tid: number, names: readonly string[], ino: number): Promise<Set<number>> {
    const found = new Set<number>()
    for (let i = 0; i < names.length; i++) {
      if (i % READS_IN_A_ROW === READS_IN_A_ROW - 1) await setImmediate()
      const mountId = this.#writer(tid, names[i] ?? '', ino)
      if (mountId !== undefined) found.add(mountId)
    }
    return found
  }

  /** The mount id of a descriptor that has `ino` open for writing. */
  #writer(tid: number, name: string, ino: number): number | undefined {
    const text = this.#descriptor(tid, name)
    // Most are of other files, and need not be looked at any closer.
    if (!text.includes(`\nino:\t${ino}\n`)) return undefined
    const descriptor = parseFdinfo(text)
    return descriptor.writable && descriptor.ino === ino ? descriptor.mountId : undefined
  }

  /** Empty for what is closed by now. */
  #descriptor(tid: number, name: string): string {
    try {
      return this.#files.readHead(`/proc/${tid}/fdinfo/${name}`)
    } catch {
      // Closed meanwhile.
      return ''
    }
  }

  /** A bind mount, as containers have it, is a mount of its own with the same device. */
  async #isOurs(tid: number, mountId: number): Promise<boolean> {
    try {
      const table = await readMountTable(tid)
      return table.some(entry => entry.mountId === mountId && entry.device === this.#device)
    } catch {
      // The process is gone, or not ours to look at.
      return false
    }
  }
}

/** Whether /proc/TID/statm is that of a thread that still has its memory; a kernel thread has none either. */
export function hasMemory(statm: string): boolean {
  return !statm.startsWith('0 ')
}

/** PF_EXITING of `flags`, field 9 of /proc/TID/stat (proc_pid_stat(5)); the signal is in the low 7 bits of field 52. */
const PF_EXITING = 0x4

/** The signal that ends the process of this /proc/TID/stat; undefined while it lives or when it exits by itself. */
export function parseDeath(stat: string): number | undefined {
  // The command's name (field 2) may hold anything, also parentheses.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .trim()
    .split(' ')
  if ((Number(fields[9 - 3]) & PF_EXITING) === 0) return undefined
  const signal = Number(fields[52 - 3]) & 0x7f
  return signal === 0 ? undefined : signal
}

function listDescriptors(tid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${tid}/fdinfo`)
  } catch {
    // The process is gone, or not ours to look at.
    return []
  }
}

/** The common head of /proc/PID/fdinfo/N (proc_pid_fdinfo(5)); `flags` is octal. */
export function parseFdinfo(text: string): OpenDescriptor {
  return {
    ino: Number(INO.exec(text)?.[1]),
    mountId: Number(MOUNT_ID.exec(text)?.[1]),
    writable: (Number.parseInt(FLAGS.exec(text)?.[1] ?? '0', 8) & O_ACCMODE) !== 0,
  }
}

const INO = /^ino:\s*(\d+)/m
const MOUNT_ID = /^mnt_id:\s*(\d+)/m
const FLAGS = /^flags:\s*(\d+)/m
