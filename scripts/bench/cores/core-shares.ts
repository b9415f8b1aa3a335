import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Short beside what is measured, long beside a switch of threads. */
const PERIOD_US = 20_000

/**
 * Shares of a core, each for the threads that are put into it: as if each had a slow core of its own, however few
 * cores there are. By the CPU controller of cgroup v1, where threads can be put into groups one by one; as root.
 */
export class CoreShares {
  readonly #root: string
  readonly #percent: number
  readonly #groups: string[] = []

  /** `percent` of one core for each share. Throws where there is no such controller. */
  constructor(percent: number) {
    this.#root = controllerFolder()
    this.#percent = percent
  }

  /** A new share for these threads. What they start from then on shares it. */
  add(threadIds: readonly number[]): void {
    const group = join(this.#root, `mount-bucket-bench-${process.pid}-${this.#groups.length}`)
    mkdirSync(group)
    this.#groups.push(group)
    writeFileSync(join(group, 'cpu.cfs_period_us'), String(PERIOD_US))
    writeFileSync(join(group, 'cpu.cfs_quota_us'), String((PERIOD_US * this.#percent) / 100))
    for (const id of threadIds) writeFileSync(join(group, 'tasks'), String(id))
  }

  /** Threads that have not ended go on with all cores. */
  remove(): void {
    for (const group of this.#groups.splice(0)) {
      const ids = readFileSync(join(group, 'tasks'), 'utf8').split('\n').filter(Boolean)
      for (const id of ids) setFree(join(this.#root, 'tasks'), id)
      rmdirSync(group)
    }
  }
}

function setFree(tasks: string, id: string): void {
  try {
    writeFileSync(tasks, id)
  } catch (error) {
    // It has just ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function controllerFolder(): string {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
  const [, folder] = /^\S+ (\S+) cgroup \S*\bcpu\b(?!set)\S* /m.exec(mounts) ?? []
  if (folder === undefined)
    throw new Error('there is no CPU controller of cgroup v1, which divides cores among threads')
  return folder
}
